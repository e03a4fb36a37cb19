"""One simulated run: a seed decides the market, the switches, which faults may happen, and when.

The house lives through its minutes of trouble; then all is healed, and everything must come right
within a bound. What is found wrong is an Outcome with the check's name, never an exception.
"""

from __future__ import annotations

import traceback
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.config import Config, Home, load
from shared.settings_trade import Limits
from shared.units import MILLISECOND, SECOND, Ns
from sim.engine.instruments import LISTINGS
from sim.engine.values import TIERS, Switches, Tier
from sim.lab.checks import Checks, Violation
from sim.lab.faults import Fates, seconds
from sim.lab.lively import Lively
from sim.lab.scene import Scene
from sim.lab.shadow import Shadow
from sim.lab.taxes import tax_of
from sim.lab.troubles import TROUBLES, goes_by_rest, troubles_of
from sim.lab.troubles_house import accept_drift, resume
from sim.world import World

BEAT: Final = Ns(500 * MILLISECOND)
COMES_RIGHT_WITHIN: Final = Ns(300 * SECOND)
LOCKED_OUT_FOR: Final = Ns(16 * 60 * SECOND)
NEVER_POKED: Final = 1 << 62
WATCHED_EACH: Final = 4
"""In each so-maniest run the strategy makes its view for people too: it costs an eighth."""

FILED_EACH: Final = 12
FILED_REST: Final = 2
"""In these runs a real ledger file is told the same as the simulated one, and compared."""


class Profile(Struct, frozen=True):
    """How lively a run is. jump: the market's usual move per quote, a ratio."""

    minutes: float
    quote_ns: int
    jump: float
    publish_per_sec: int
    tick_sec: float
    troubles_per_minute: float
    enabled: float  # the part of all troubles that one run may see (swarm)


PROFILES: Final = {
    # Few steps a simulated second, for the test suite.
    "suite": Profile(3.0, 2 * SECOND, 4e-4, 1, 2.0, 12.0, 0.4),
    # What `make sim` runs.
    "storm": Profile(8.0, SECOND, 3e-4, 2, 1.0, 20.0, 0.5),
    # Long and lively; the profile of the large run.
    "long": Profile(30.0, SECOND, 3e-4, 4, 0.5, 24.0, 0.5),
    # Nothing fails.
    "calm": Profile(5.0, SECOND, 3e-4, 2, 1.0, 0.0, 0.0),
}


class Outcome(Struct, frozen=True):
    """What became of one run. failed: the check's name, "" where all held."""

    seed: int
    profile: str
    minutes: float
    failed: str
    text: str
    log: str  # hash over all that passed
    steps: int
    fills: int
    lives: int
    seconds: float  # simulated
    injected: dict[str, int]
    asserted: dict[str, int]
    trace: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What replays it."""
        return (
            f"icryptotrader sim-test --seeds {self.seed}:{self.seed + 1} "
            f"--profile {self.profile} --minutes {self.minutes:g}"
        )


class Trial:
    """A run that is being made."""

    def __init__(self, seed: int, profile: str, minutes: float | None = None) -> None:
        self.seed = seed
        self.name = profile
        self.profile = PROFILES[profile]
        self.minutes = self.profile.minutes if minutes is None else minutes
        self.fates = fates = Fates(seed)
        tier = fates.random.choice(tuple(TIERS))
        config = config_of(self.profile, TIERS[tier], fates)
        config = replace(
            config, tax=tax_of(config.tax, seed), limits=limits_of(config.limits, seed)
        )
        if goes_by_rest(seed):
            config = replace(config, orders=replace(config.orders, rest_fallback="full"))
        listing = LISTINGS[config.pair]
        source = Lively(
            listing.pair,
            seed,
            float(config.demo.start_price),
            self.profile.quote_ns,
            self.profile.jump,
        )
        switches = _switches(fates)
        self.world = world = World(
            config,
            source=source,
            fate=fates,
            switches=switches,
            tier=tier,
            watched=seed % WATCHED_EACH == 0,
        )
        world.exchange.markets[config.pair].next_poke = NEVER_POKED
        fates.now, fates.wall = lambda: world.now, lambda: world.wall
        self.checks = Checks(world)
        fates.on_book, fates.on_refusal = self.checks.genuine, self.checks.refused
        fates.on_spoiled = self.checks.spoiled
        self.scene = Scene(world, fates, self.checks, source)
        self.trace: list[str] = []
        self._restart_at: Ns | None = None
        self._halted_since: Ns | None = None
        self._beats = 0
        drawn = [name for name in TROUBLES if fates.random.random() < self.profile.enabled]
        self._enabled = troubles_of(seed, drawn or ["lose_answer"])
        self._weights = [weight for _, weight in self._enabled.values()]

    def run(self) -> Outcome:
        if self.seed % FILED_EACH != FILED_REST:
            return self._run()
        checks, ledger = self.checks, self.world.ledger
        with closing(Shadow(ledger, self.world.config.pair.partition("/")[0])) as shadow:
            checks.shadow, ledger.beside = shadow, shadow.commit
            return self._run()

    def _run(self) -> Outcome:
        failed, text = "", ""
        try:
            self._live()
        except Violation as violation:
            failed, text = violation.check, str(violation)
        except Exception as error:  # noqa: BLE001 - whatever our code raises is what we look for
            failed = type(error).__name__
            text = "".join(traceback.format_exception(error)[-4:]).strip()
        world = self.world
        settled = dict(self.fates.injected) if not failed else {}
        return Outcome(
            seed=self.seed,
            profile=self.name,
            minutes=self.minutes,
            failed=failed,
            text=text,
            log=world.wires.log.hexdigest(),
            steps=world.steps,
            fills=len(world.exchange.trades) - len(world.opening_fills),
            lives=world.lives,
            seconds=(world.now - 1_000 * SECOND) / SECOND,
            injected=dict(self.fates.injected),
            asserted=_merged(settled, self.checks.asserted),
            trace=tuple(self.trace[-40:]),
        )

    # The life of the run.

    def _live(self) -> None:
        world = self.world
        world.start_feed()
        world.start_trader()
        self._schedule()
        if self.profile.troubles_per_minute:
            self._next_trouble()
        world.run(seconds(60 * self.minutes))
        self._heal()
        bound = COMES_RIGHT_WITHIN + (LOCKED_OUT_FOR if self.checks.locked_out else 0)
        checked = -1

        def right() -> bool:
            nonlocal checked
            if checked == world.steps:
                return False
            checked = world.steps
            return not self.checks.unrest()

        world.run(bound, right)
        unrest = self.checks.unrest()
        if unrest:
            raise Violation("liveness", f"not right {bound / SECOND:.0f} s after healing: {unrest}")
        self.checks.at_rest()

    def _schedule(self) -> None:
        self.world.wires.later(BEAT, self._beat)

    def _beat(self) -> None:
        """Twice a second: whoever is dead is started again, whoever halted is let go on."""
        world = self.world
        self._beats += 1
        if self._beats % 2 == 0:
            self.checks.each_second(world.now)
        if world.stopped is not None:
            self._ended()
        if world.trader is None:
            self._restart()
        elif self._is_held():
            self._let_go_on()
        else:
            self._halted_since = None
        self._schedule()

    def _ended(self) -> None:
        """The strategy has stopped by itself, as it was told to."""
        world = self.world
        assert world.stopped is not None
        if world.stopped.clean and self.checks.ours():
            self.checks.fail("drain", "a clean end leaves orders behind")
        world.kill_trader()
        world.stopped = None

    def _restart(self) -> None:
        world = self.world
        if self._restart_at is None:
            long = self.fates.random.random() < 0.1 and not self.fates.healed
            wait = self.scene.between(65, 90) if long else self.scene.between(0.5, 12)
            self._restart_at = Ns(world.now + wait)
        if world.now >= self._restart_at and not world.ledger.full:
            self._restart_at = None
            if world.feed is not None and not self.fates.healed:
                self.fates.count("F60")
            self.checks.upheave()
            world.start_trader()

    def _is_held(self) -> bool:
        trader = self.world.trader
        if trader is None:
            return False
        memory = trader.core.memory
        return bool(memory.halt or memory.hold or memory.audit.held)

    def _let_go_on(self) -> None:
        world = self.world
        if self._halted_since is None:
            self._halted_since = world.now
        elif world.now - self._halted_since > 25 * SECOND:
            self._halted_since = world.now
            resume(self.scene)
            accept_drift(self.scene)

    def _next_trouble(self) -> None:
        pause = self.fates.random.expovariate(self.profile.troubles_per_minute / 60)
        self.scene.later(seconds(pause), self._trouble)

    def _trouble(self) -> None:
        name = self.fates.random.choices(list(self._enabled), self._weights)[0]
        self.trace.append(f"{(self.world.now - 1_000 * SECOND) / SECOND:.3f} {name}")
        self._enabled[name][0](self.scene)
        self._next_trouble()

    def _heal(self) -> None:
        world = self.world
        self.fates.heal()
        self.checks.upheave()
        world.ledger.full = False
        world.frozen.clear()
        world.venue.set_system("online", world.now, world.wall)
        if world.feed is None:
            world.start_feed()
        self.trace.append(f"{(world.now - 1_000 * SECOND) / SECOND:.3f} healed")


def _merged(settled: dict[str, int], asserted: dict[str, int]) -> dict[str, int]:
    return {name: max(count, asserted.get(name, 0)) for name, count in settled.items()} | {
        name: count for name, count in asserted.items() if name not in settled
    }


_cached: dict[str, Config] = {}


def base_config() -> Config:
    """The defaults, whatever this installation has set."""
    if "base" not in _cached:
        _cached["base"] = load(Home(Path("nowhere")))
    return _cached["base"]


def config_of(profile: Profile, tier: Tier, fates: Fates) -> Config:
    """A house that trades often: a narrow grid without fees, and drawn limits."""
    base, draw = base_config(), fates.random
    levels = draw.choice((2, 3, 5))
    wide = replace(
        base.regime.range_bound,
        btc_target_pct=0.5,
        btc_max_pct=0.95,
        btc_min_pct=0.05,
        grid_levels=levels,
        order_size_scale=1.0,
    )
    throttled = draw.random() < 0.1
    return replace(
        base,
        grid=replace(
            base.grid,
            levels=levels,
            min_spacing_bps=Decimal(draw.choice((3, 5, 8))),
            adverse_selection_bps=Decimal(0),
            least_edge_bps=Decimal(0),
            order_size_quote=Decimal(draw.choice((100, 300, 500))),
            requote_age_sec=draw.choice((2.0, 15.0)),
            anchor=draw.choice(("mid", "vwap")),
        ),
        limits=replace(
            base.limits,
            fills_per_minute=20 if throttled else 2_000,
            fills_per_hour=20_000,
            rejects_in_a_row=draw.choice((6, 10)),
        ),
        regime=replace(
            base.regime,
            half_life_sec=60.0,
            least_dwell_sec=10.0,
            sample_sec=10.0,
            range_bound=wide,
            trending_up=wide,
            trending_down=wide,
        ),
        feed=replace(base.feed, publish_per_sec=profile.publish_per_sec),
        time=replace(base.time, tick_sec=profile.tick_sec),
        rate_limit=replace(base.rate_limit, max_counter=tier.threshold, decay_rate=tier.decay),
        demo=replace(
            base.demo,
            maker_pct=Decimal("0.00"),
            taker_pct=Decimal("0.10"),
            latency_ms=draw.choice((0, 5, 60)),
            opening_lots=draw.choice(
                (
                    ("400:6000", "380:4000", "200:1800", "40:1800"),
                    ("900:9000",),
                    ("400:900", "30:8000"),
                )
            ),
        ),
    )


def limits_of(limits: Limits, seed: int) -> Limits:
    """Some runs have limits that the grid would pass. Not drawn: the others stay as they were."""
    match seed % 26:
        case 7:
            return replace(limits, order_quote=Decimal(250))
        case 20:
            return replace(limits, open_orders=4, btc_max_pct=0.135)
        case 1:
            return replace(limits, daily_loss_quote=Decimal(10))
        case 11:
            return replace(limits, fills_per_minute=6)
        case 15:
            return replace(limits, fills_per_hour=8)
        case _:
            return limits


def _switches(fates: Fates) -> Switches:
    """One answer to each open question about the exchange."""
    draw = fates.random
    return Switches(
        post_only_form=draw.choice(("canceled", "refused")),
        last_fill_status=draw.choice(("partially_filled", "filled")),
        filled_keys=draw.choice(("short", "full")),
        rate_key=draw.choice(("ratecount", "ratecounter")),
        ioc_rest=draw.choice(("canceled", "expired")),
        volume_minimum=draw.choice(("arguments", "order")),
        counter_refuses_cancels=False,
        book_timestamp=draw.choice((True, False)),
    )
