"""Paper mode's exchange: our engine, and the feed's live market as everybody else in it.

It opens its doors when the feed has shown each pair's precisions and a first valid book; a state of
the real exchange (maintenance, cancel_only, ...) is its own state, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from shared import frames, log
from shared.bus import Subscriber
from shared.clock import Clock
from shared.config import ApiKey, Config, ConfigError
from shared.units import Pair
from shared.watchdog import Watchdog
from sim.build import build
from sim.engine.instruments import LISTINGS
from sim.engine.store import SqliteStore
from sim.engine.values import System
from sim.kraken.venue import Venue
from sim.live import Live
from sim.server import listen, serve, told_to_stop

TOLD_EACH_S: Final = 30
Keys = tuple[ApiKey, ApiKey, ApiKey]
"""Of the strategy, of guests, of `bot-kill`."""

STATES: Final[dict[str, System]] = {
    "online": "online",
    "post_only": "post_only",
    "cancel_only": "cancel_only",
    "maintenance": "maintenance",
}


class Paper:
    """What the feed has said so far, and the venue that lives on it."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._specs: dict[str, frames.Instrument] = {}
        self._sources: dict[str, Live] = {}
        self._venue: Venue | None = None
        self._wake: Callable[[], None] = lambda: None
        self.ready = asyncio.Event()
        self.fault = ""  # why this market cannot be simulated

    def missing(self) -> str:
        """The pairs of which the feed has not shown enough yet."""
        known = (self._specs, self._sources)
        return ", ".join(s for s in self._config.symbols if not all(s in k for k in known))

    def hear(self, _topic: bytes, payload: bytes) -> None:
        frame = frames.decode(payload)
        match frame:
            case frames.Instrument(pair=pair) if pair.symbol in self._config.symbols:
                self.fault = self.fault or units_fault(pair)
                self._specs[pair.symbol] = frame
                self._mirror_status(pair.symbol, pair.status)
            case frames.Book(pair=name, valid=True) if name in self._config.symbols:
                if name not in self._sources:
                    self._sources[name] = Live(frame)
                self._tell(name, frame)
            case frames.Trades(pair=name) if name in self._sources:
                self._tell(name, frame)
            case frames.Beat(system=system) if system in STATES:
                self._mirror_system(STATES[system])
        if self.fault or not self.missing():
            self.ready.set()

    def open(self, keys: Keys, store: SqliteStore, wake: Callable[[], None]) -> Venue:
        """The exchange, alive from here on. ConfigError where the account cannot be opened."""
        key, guest, killer = keys
        clock = self._clock
        listings = {
            symbol: replace(LISTINGS[symbol], pair=spec.pair)
            for symbol, spec in self._specs.items()
        }
        self._venue = build(
            self._config, key, clock.now(), clock.wall(), store=store, guests=(guest,),
            killers=(killer,), pairs=self._config.symbols, live=self._sources, listings=listings,
        )  # fmt: skip
        self._wake = wake
        return self._venue

    def _tell(self, name: str, frame: frames.Book | frames.Trades) -> None:
        if self._venue is None:
            return
        self._sources[name].hear(self._venue.position(self._clock.now()), frame)
        self._wake()

    def _mirror_status(self, name: str, status: str) -> None:
        if self._venue is not None:
            self._venue.exchange.markets[name].status = status

    def _mirror_system(self, system: System) -> None:
        if self._venue is not None and self._venue.exchange.system != system:
            log.get().warning("exchange_state", system=system)
            self._venue.set_system(system, self._clock.now(), self._clock.wall())


async def run(
    config: Config, keys: Keys, store: SqliteStore, watchdog: Watchdog, token: str
) -> None:
    """Until SIGTERM or SIGINT; the working folder is the home folder.

    PortTaken where its ports are, ConfigError where the account cannot be opened.
    """
    clock, loop, stop = config.make_clock(), asyncio.get_running_loop(), told_to_stop()
    paper = Paper(config, clock)
    subscriber = Subscriber(loop, [frames.FEED_PUB], [f"{frames.WIRE}/".encode()], paper.hear)
    try:
        if not await _wait(paper, stop, watchdog):
            return
        if paper.fault:
            raise ConfigError([paper.fault])
        demo, woken = config.demo, asyncio.Event()
        sockets = listen(demo.public_port), listen(demo.private_port)
        venue = paper.open(keys, store, woken.set)
        log.get().info(
            "exchange_ready", pairs=list(config.symbols), orders=len(venue.exchange.open)
        )
        await serve(venue, clock, *sockets, stop, watchdog, token, woken)
    finally:
        subscriber.close()


async def _wait(paper: Paper, stop: asyncio.Event, watchdog: Watchdog) -> bool:
    """Until the feed has shown the markets; False where it is told to stop before."""
    seconds = 0
    while not paper.ready.is_set() and not stop.is_set():
        watchdog.pet()
        if seconds % TOLD_EACH_S == 0:
            log.get().info("waiting_for_the_feed", pairs=paper.missing())
        seconds += 1
        waiting = [asyncio.ensure_future(event.wait()) for event in (paper.ready, stop)]
        await asyncio.wait(waiting, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
    return not stop.is_set()


def units_fault(theirs: Pair) -> str:
    """What is wrong where the engine's own listing counts in other units than the real market."""
    ours = LISTINGS[theirs.symbol].pair
    units = [(p.price_decimals, p.qty_decimals, p.cost_decimals) for p in (ours, theirs)]
    if units[0] == units[1]:
        return ""
    return f"pair: {theirs.symbol} is counted in {units[1]} decimals now, not in {units[0]}"
