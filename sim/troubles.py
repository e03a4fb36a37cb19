"""What happens by itself to a simulated house: each trouble is a function that makes it happen.

Rule 1: a trouble acts through the world, the exchange's engine or a plan of the fates; never on a
machine of ours from inside.
Rule 2: it counts its fault where it took effect, and says what the fault must lead to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from shared import control
from shared.kraken.checksum import book_checksum
from shared.units import SECOND, Ns, price_text, qty_text
from sim.checks import Checks
from sim.faults import (
    LIMITS,
    NOT_DONE,
    OUTCOME_UNKNOWN,
    Fates,
    Plan,
    PublicPlan,
    RestPlan,
    failing,
    html,
    seconds,
)
from sim.instruments import ASSETS
from sim.lively import Lively
from sim.values import Order, Refused, Request
from sim.wires import REST_DELAY, WIRE_DELAY, Answer, Hop, Owner
from sim.world import World
from strategy.core.lifecycle import Phase
from strategy.core.memory import Memory
from strategy.core.slots import State
from strategy.ledger.entries import FillEntry
from strategy.session_mail import RestCall, SendText
from strategy.trader import Commit

ORDER_METHODS: Final = ("add_order", "amend_order", "cancel_order")
OUR_HEARING: Final = Ns(15 * SECOND)
"""A dead line is noticed within this: the silence allowed, and what its opening may take."""

OWNERS: Final[tuple[Owner, ...]] = ("trader", "feed")
_CHECKSUM: Final = re.compile(r'"checksum":(\d+)')


class Scene(Struct):
    """What a trouble may touch."""

    world: World
    fates: Fates
    checks: Checks
    source: Lively
    operator_asks: int = 0
    locked_out: bool = False

    @property
    def memory(self) -> Memory | None:
        return self.world.trader.core.memory if self.world.trader is not None else None

    def below(self, limit: int) -> int:
        return self.fates.random.randrange(limit)

    def between(self, least: float, most: float) -> Ns:
        return seconds(self.fates.random.uniform(least, most))

    def some(self, choices: Sequence[Any]) -> Any:
        return choices[self.below(len(choices))]

    def later(self, delay: int, what: Callable[[], None]) -> None:
        """Unless all has been healed by then."""
        self.world.wires.later(delay, lambda: None if self.fates.healed else what())

    def settle(self) -> None:
        """Tell the venue that something was done to its engine."""
        self.world.venue.advance(self.world.now, self.world.wall)

    def an_order(self) -> Order | None:
        ours = self.checks.ours()
        return self.some(ours) if ours else None

    def is_up(self) -> bool:
        memory = self.memory
        return memory is not None and memory.line == "up" and not self.world.frozen


# Processes.


def _die(scene: Scene, fault: str, at: Callable[[Sequence[object]], int | None]) -> None:
    """Kill the strategy in the next step for which `at` names a place in its outbox."""

    def dying(out: Sequence[object]) -> int | None:
        place = at(out)
        if place is not None:
            scene.fates.dying = None
            scene.fates.count(fault)
            scene.checks.upheave()
        return place

    scene.fates.dying = dying


def _letters(out: Sequence[object]) -> list[int]:
    return [place for place, item in enumerate(out) if isinstance(item, SendText)]


def _books(out: Sequence[object], fills: bool) -> bool:
    first = out[0] if out else None
    return isinstance(first, Commit) and fills == any(
        isinstance(entry, FillEntry) for entry in first.entries
    )


def die_before_commit(scene: Scene) -> None:
    _die(scene, "F1", lambda out: 0 if _books(out, fills=False) and _letters(out) else None)


def die_after_commit(scene: Scene) -> None:
    _die(scene, "F2", lambda out: 1 if _books(out, fills=False) and _letters(out) else None)


def die_among_letters(scene: Scene) -> None:
    def at(out: Sequence[object]) -> int | None:
        letters = _letters(out)
        return letters[scene.below(len(letters))] + 1 if letters else None

    _die(scene, "F3", at)


def die_before_fill(scene: Scene) -> None:
    _die(scene, "F4", lambda out: 0 if _books(out, fills=True) else None)


def die_after_fill(scene: Scene) -> None:
    _die(scene, "F5", lambda out: 1 if _books(out, fills=True) else None)


def die_reconciling(scene: Scene) -> None:
    def at(out: Sequence[object]) -> int | None:
        memory = scene.memory
        if memory is None or memory.phase is not Phase.SYNCING:
            return None
        calls = [n for n, item in enumerate(out) if isinstance(item, SendText | RestCall)]
        return scene.some(calls) + scene.below(2) if calls else None

    if scene.world.trader is not None:
        _die(scene, "F6", at)
        scene.world.cut("trader")


def kill_feed(scene: Scene) -> None:
    scene.fates.count("F8")
    scene.world.kill_feed()
    scene.later(scene.between(0.5, 25), lambda: _restart_feed(scene))


def _restart_feed(scene: Scene) -> None:
    if scene.world.feed is None:
        scene.world.start_feed()


def kill_both(scene: Scene) -> None:
    scene.fates.count("F9")
    scene.checks.upheave()
    scene.world.kill_trader()
    kill_feed(scene)


def second_strategy(scene: Scene) -> None:
    if scene.world.trader is None:
        return
    scene.fates.count("F13")
    lives = scene.world.lives
    if scene.world.start_trader() or scene.world.lives != lives:
        scene.checks.fail("I17", "a second strategy was not refused")
    scene.checks.confirm("F13")


def freeze_strategy(scene: Scene) -> None:
    scene.fates.count("F10")
    scene.checks.upheave()
    scene.world.freeze("trader", scene.some((seconds(5), seconds(30), seconds(90))))


def freeze_feed(scene: Scene) -> None:
    scene.fates.count("F11")
    scene.world.freeze("feed", scene.some((seconds(2), seconds(5), seconds(30))))


def suspend(scene: Scene) -> None:
    scene.fates.count("F43")
    scene.checks.upheave()
    duration = scene.between(20, 150)
    for owner in OWNERS:
        scene.world.freeze(owner, duration)
    if scene.below(2):
        scene.world.wires.half_open("trader")


def fill_disk(scene: Scene) -> None:
    scene.fates.count("F27")
    scene.checks.upheave()
    scene.world.ledger.full = True
    scene.later(scene.between(1, 20), lambda: setattr(scene.world.ledger, "full", False))


# Clocks.


def leap(scene: Scene) -> None:
    scene.fates.count("F42")
    scene.checks.upheave()
    scene.fates.wall_skew += scene.some((-3600, 3600)) * SECOND
    scene.later(scene.between(10, 40), lambda: _set_clock(scene))


def wander(scene: Scene) -> None:
    scene.fates.count("F44")
    scene.checks.upheave()
    scene.fates.wall_skew += int(scene.fates.random.uniform(-3, 3) * SECOND)
    scene.later(scene.between(10, 40), lambda: _set_clock(scene))


def _set_clock(scene: Scene) -> None:
    scene.fates.wall_skew = 0


# Lines.


def half_open(scene: Scene) -> None:
    owner = scene.some(OWNERS)
    if not scene.world.wires.of(owner):
        return
    scene.fates.count("F46")
    if owner == "feed":
        scene.world.wires.half_open("feed")
        return
    scene.checks.upheave()
    was_up = scene.is_up()
    scene.world.wires.half_open("trader")
    if was_up:
        _expect_line_down(scene, "F46")


def _expect_line_down(scene: Scene, fault: str) -> None:
    memory = scene.memory
    assert memory is not None
    downs = memory.counters.get("line_downs", 0)
    scene.checks.expect(
        fault,
        "the strategy takes its line for down",
        OUR_HEARING,
        lambda: memory.counters.get("line_downs", 0) > downs,
    )


def cut_private(scene: Scene) -> None:
    if not scene.world.wires.of("trader"):
        return
    scene.fates.count("X1")
    scene.checks.upheave()
    was_up = scene.is_up()
    scene.world.cut("trader")
    if was_up:
        _expect_line_down(scene, "X1")


def cut_public(scene: Scene) -> None:
    if scene.world.wires.of("feed"):
        scene.fates.count("X2")
        scene.world.cut("feed")


def stall(scene: Scene) -> None:
    scene.fates.count("F71")
    scene.checks.upheave()
    scene.world.wires.stall("trader", scene.between(1, 12))


def refuse_connections(scene: Scene) -> None:
    owner = scene.some(OWNERS)
    scene.fates.closed_until[owner] = Ns(scene.world.now + scene.between(3, 25))
    scene.checks.upheave()
    scene.world.cut(owner)


def mute(scene: Scene, fault: str, owner: Owner, channel: str, duration: Ns) -> None:
    scene.fates.count(fault)
    muted, until = scene.fates.muted, Ns(scene.world.now + duration)
    key = owner, f'{{"channel":"{channel}"'
    muted[key] = max(until, muted.get(key, until))


def mute_book(scene: Scene) -> None:
    duration = scene.between(4, 50)
    mute(scene, "F47", "feed", "book", duration)
    patience = seconds(scene.world.config.feed.book_silence_sec + 5)
    feed = scene.world.feed
    if duration < patience + SECOND or feed is None:
        return
    line = feed.line

    def noticed() -> bool:
        market = feed.markets[scene.world.config.pair]
        return scene.world.feed is not feed or feed.line != line or bool(market.why)

    scene.later(patience, lambda: scene.checks.expect("F47", "it subscribes anew", SECOND, noticed))


def mute_heartbeat(scene: Scene) -> None:
    mute(scene, "F48", scene.some(OWNERS), "heartbeat", scene.between(5, 20))


def mute_executions(scene: Scene) -> None:
    scene.checks.upheave()
    mute(scene, "X6", "trader", "executions", scene.between(1, 20))


def lose_frames(scene: Scene) -> None:
    scene.fates.frame_loss = 0.5
    scene.later(scene.between(2, 30), lambda: setattr(scene.fates, "frame_loss", 0.0))


def delay_frames(scene: Scene) -> None:
    scene.fates.frame_delay = 0.5
    scene.later(scene.between(2, 30), lambda: setattr(scene.fates, "frame_delay", 0.0))


def wipe(scene: Scene) -> None:
    if scene.world.exchange.system == "maintenance":
        return
    scene.fates.count("F88")
    scene.world.exchange.cancel_all(scene.world.wall, "Internal cleanup")
    scene.settle()


# The public feed.


def _public(scene: Scene, fault: str, change: Callable[[str], list[Hop]]) -> None:
    scene.fates.public_plans.append(PublicPlan(fault, change))


def lose_update(scene: Scene) -> None:
    _public(scene, "F49", lambda text: [])


def double_update(scene: Scene) -> None:
    _public(scene, "F49", lambda text: [Hop(text), Hop(text)])


def swap_update(scene: Scene) -> None:
    _public(scene, "F49", lambda text: [Hop(text, seconds(0.8), ordered=False)])


def spoil_checksum(scene: Scene) -> None:
    def change(text: str) -> list[Hop]:
        feed = scene.world.feed
        if feed is not None and "feed" not in scene.world.frozen:
            market = feed.markets[scene.world.config.pair]
            failed, connects = market.counts.failed, feed.line

            def noticed() -> bool:
                other = scene.world.feed is not feed or feed.line != connects
                return other or market.counts.failed > failed or bool(market.why)

            scene.checks.expect("F50", "the feed notices it", seconds(6), noticed)
        return [Hop(_CHECKSUM.sub(lambda found: f'"checksum":{int(found[1]) ^ 1}', text))]

    _public(scene, "F50", change)


def late_update(scene: Scene) -> None:
    _public(scene, "F51", lambda text: [Hop(text), Hop(text, seconds(3), ordered=False)])


def absurd_update(scene: Scene) -> None:
    number = scene.some(("1e999999", "NaN", "-1.0", "0", "1e-30", "null", "99999999999999999999.5"))
    _public(
        scene,
        "F55",
        lambda text: [Hop(re.sub(r'"price":[0-9.]+', f'"price":{number}', text, count=1))],
    )


def garbage(scene: Scene) -> None:
    rubbish = scene.some(
        (
            '{"channel":"book","type":"upd',
            "[]",
            "\x00",
            '{"channel":7}',
            "null",
            '{"channel":"new"}',
        )
    )
    _public(scene, "F56", lambda text: [Hop(rubbish), Hop(text)])


def cross_book(scene: Scene) -> None:
    _distort(scene, "F53", crossed=True)


def empty_side(scene: Scene) -> None:
    _distort(scene, "F54", crossed=False)


def _distort(scene: Scene, fault: str, *, crossed: bool) -> None:
    """A book that is wrong though its checksum is right; some time later it is put right again."""

    def change(text: str) -> list[Hop]:
        market = scene.world.exchange.markets[scene.world.config.pair]
        depth = scene.world.config.feed.depth
        bids, asks = market.view("buy", depth), market.view("sell", depth)
        if crossed:
            level = (asks[0][0] + 1, 10_000_000)
            bad = _book(scene, [level], [], ([level, *bids][:depth], asks))
            # What the new level pushed out of the view comes back with its removal.
            good = _book(scene, [(level[0], 0), bids[-1]], [], (bids, asks))
        else:
            bad = _book(scene, [], [(price, 0) for price, _ in asks], (bids, []))
            good = _book(scene, [], asks, (bids, asks))
        return [Hop(text), Hop(bad), Hop(good, WIRE_DELAY + scene.between(0.1, 2.5))]

    _public(scene, fault, change)


def _book(
    scene: Scene,
    bids: Sequence[tuple[int, int]],
    asks: Sequence[tuple[int, int]],
    after: tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]],
) -> str:
    pair = scene.world.exchange.markets[scene.world.config.pair].pair

    def levels(found: Sequence[tuple[int, int]]) -> str:
        return ",".join(
            f'{{"price":{price_text(pair, price)},"qty":{qty_text(pair, qty)}}}'
            for price, qty in found
        )

    return (
        f'{{"channel":"book","type":"update","data":[{{"symbol":"{pair.symbol}",'
        f'"bids":[{levels(bids)}],"asks":[{levels(asks)}],'
        f'"checksum":{book_checksum(after[1], after[0])}}}]}}'
    )


def spike(scene: Scene) -> None:
    scene.fates.count("F57")
    scene.source.shock(scene.some((-0.08, -0.04, -0.015, 0.015, 0.04, 0.08)))


def stand_still(scene: Scene) -> None:
    scene.fates.count("F58")
    position = scene.world.venue.position(scene.world.now)
    scene.source.stand_still(int(position + scene.between(5, 40)))


# Orders and their answers.


def _resolved(scene: Scene, fault: str) -> Callable[[str], None]:
    """The slot of the order that is met must come to rest: looked up, not guessed."""

    def met(cl_ord_id: str) -> None:
        memory = scene.memory
        if memory is None or not cl_ord_id:
            return

        def settled() -> bool:
            found = memory.slot_of(cl_ord_id)
            return found is None or found[0].slots[found[1]].state is State.LIVE

        scene.checks.expect(fault, f"{cl_ord_id} comes to rest", seconds(150), settled)

    return met


def lose_answer(scene: Scene) -> None:
    do = scene.some(("lose", "lose_request", "mask", "refuse"))
    error = scene.some(OUTCOME_UNKNOWN) if do in ("mask", "refuse") else ""
    method = scene.some(ORDER_METHODS)
    scene.fates.plan(Plan("F69", (method,), do, error, then=_resolved(scene, "F69")))


def delay_answer(scene: Scene) -> None:
    do = scene.some(("late", "twice"))
    delay = scene.between(0.5, 14)
    scene.fates.plan(Plan("F70", ORDER_METHODS, do, delay=delay, then=_resolved(scene, "F70")))


def overtake(scene: Scene) -> None:
    delay = scene.between(0.02, 2)
    scene.fates.plan(Plan("F72", ORDER_METHODS, "late", delay=delay))


def refuse_order(scene: Scene) -> None:
    error = scene.some(NOT_DONE)
    method = scene.some(ORDER_METHODS[:2])

    def met(cl_ord_id: str) -> None:
        memory = scene.memory
        if memory is None or method != "add_order":
            return
        scene.checks.expect(
            "F67",
            f"the slot of {cl_ord_id} is empty after {error}",
            seconds(12),
            lambda: memory.slot_of(cl_ord_id) is None,
        )

    scene.fates.plan(Plan("F67", (method,), "refuse", error, then=met))


def refuse_many(scene: Scene) -> None:
    error = scene.some(NOT_DONE)
    for _ in range(4 + scene.below(5)):
        scene.fates.plan(Plan("F68", ("add_order",), "refuse", error))


def limit_rate(scene: Scene) -> None:
    error = scene.some(LIMITS)
    met = _resolved(scene, "F66")
    scene.fates.plan(Plan("F66", ORDER_METHODS[:2], "refuse", error, then=met))


def cancel_that_lies(scene: Scene) -> None:
    """The order lives on although its cancel was acknowledged."""
    scene.fates.plan(Plan("F78", ("cancel_order",), "pretend", then=_resolved(scene, "F78")))


def end_before_request(scene: Scene) -> None:
    """The order is gone when the request about it arrives."""

    def met(cl_ord_id: str) -> None:
        exchange = scene.world.exchange
        order = exchange.desk.by_client.get(cl_ord_id)
        if order is not None and exchange.system != "maintenance":
            exchange.cancel(order, scene.world.wall)
            scene.settle()
        _resolved(scene, "F79")(cl_ord_id)

    scene.fates.plan(Plan("F79", ORDER_METHODS[1:], "late", delay=WIRE_DELAY, then=met))


def fill_in_part(scene: Scene) -> None:
    order = scene.an_order()
    if order is None or scene.world.exchange.system != "online":
        return
    scene.fates.count("F73")
    part = max(1, order.left * (1 + scene.below(9)) // 10)
    _make(scene, order, part)
    scene.settle()


def _make(scene: Scene, order: Order, qty: int) -> None:
    exchange = scene.world.exchange
    exchange.desk.make(exchange.markets[order.pair], order, qty, scene.world.wall)


def shred_while_away(scene: Scene) -> None:
    order = scene.an_order()
    if order is None or scene.world.exchange.system != "online" or order.left < 1_000:
        return
    scene.fates.count("F75")
    scene.checks.upheave()
    scene.fates.closed_until["trader"] = Ns(scene.world.now + scene.between(2, 12))
    scene.world.cut("trader")
    parts = 51 + scene.below(30)
    each = order.left // (parts + 1)
    for _ in range(parts):
        _make(scene, order, each)
    scene.settle()
    booked = [
        trade for trade in scene.world.exchange.trades if trade not in scene.world.ledger.fills
    ]

    def all_booked() -> bool:
        return all(exec_id in scene.world.ledger.fills for exec_id in booked)

    scene.checks.expect("F75", f"{len(booked)} fills are booked", seconds(200), all_booked)


def foreign_orphan(scene: Scene) -> None:
    """An order of our form that nobody remembers."""
    market = scene.world.exchange.markets[scene.world.config.pair]
    scene.operator_asks += 1
    name = f"g{scene.operator_asks:07d}0bz"
    price = market.liquidity.bid * 9 // 10
    if not _place(
        scene, Request(market.pair.symbol, "buy", "limit", price, 20_000, cl_ord_id=name)
    ):
        return
    scene.fates.count("F80")
    desk = scene.world.exchange.desk
    scene.checks.expect(
        "F80", f"{name} is cancelled", seconds(120), lambda: name not in desk.by_client
    )


def _place(scene: Scene, request: Request) -> bool:
    try:
        scene.world.exchange.add(request, scene.world.wall)
    except Refused:
        return False
    scene.settle()
    return True


def owner_trades(scene: Scene) -> None:
    market = scene.world.exchange.markets[scene.world.config.pair]
    side = scene.some(("buy", "sell"))
    kind = scene.some(("market", "limit"))
    price = market.liquidity.bid * (9 if side == "buy" else 11) // 10 if kind == "limit" else 0
    if _place(scene, Request(market.pair.symbol, side, kind, price, 6_000 + scene.below(9_000))):
        scene.fates.count("F81")


def owner_moves_money(scene: Scene) -> None:
    coin, _, quote = scene.world.config.pair.partition("/")
    asset = scene.some((coin, quote))
    account = scene.world.exchange.account
    unit = 10 ** ASSETS[asset].decimals
    most = unit // 200 if asset == coin else 500 * unit
    amount = (1 + scene.below(most // (unit // 10_000 or 1))) * (unit // 10_000 or 1)
    if scene.below(2):
        amount = -min(amount, account.available(asset))
    _post(scene, asset, amount)
    scene.fates.count("F81")


def _post(scene: Scene, asset: str, amount: int) -> None:
    if not amount:
        return
    exchange = scene.world.exchange
    kind = "deposit" if amount > 0 else "withdrawal"
    name = "Q" + exchange.desk.mint("T")[1:]
    row = exchange.account.post(name, scene.world.wall, kind, asset, amount, 0)
    exchange.desk.events.append(row)
    sats = amount // 10 ** (ASSETS[asset].decimals - 8) if ASSETS[asset].decimals >= 8 else amount
    scene.checks.declared[asset] = scene.checks.declared.get(asset, 0) + sats
    scene.settle()


def money_vanishes(scene: Scene) -> None:
    """Most of the cash that no order holds leaves, and comes back later."""
    quote = scene.world.config.pair.partition("/")[2]
    amount = scene.world.exchange.account.available(quote) * 95 // 100
    if amount <= 0:
        return
    scene.fates.count("F90")
    _post(scene, quote, -amount)
    scene.world.wires.later(scene.between(10, 60), lambda: _post(scene, quote, amount))


def misstate_balance(scene: Scene) -> None:
    scene.fates.count("F82")

    def change(text: str) -> list[Hop]:
        return [
            Hop(re.sub(r'"balance":([0-9.]+)', lambda m: f'"balance":{float(m[1]) / 2:.8f}', text))
        ]

    scene.fates.balance_plans.append(PublicPlan("F82", change))


def change_fees(scene: Scene) -> None:
    scene.fates.count("F89")
    maker = scene.some((0, 200, 600, 1_200, 2_500))
    scene.world.exchange.account.fix_rates(maker, maker + 1_000)


# The private line's events.


def _private(scene: Scene, change: Callable[[str], list[Hop]]) -> None:
    def with_watch(text: str) -> list[Hop]:
        scene.checks.upheave()
        return change(text)

    scene.fates.private_plans.append(PublicPlan("X3", with_watch))


def lose_event(scene: Scene) -> None:
    _private(scene, lambda text: [])


def double_event(scene: Scene) -> None:
    _private(scene, lambda text: [Hop(text), Hop(text)])


def swap_event(scene: Scene) -> None:
    _private(scene, lambda text: [Hop(text, seconds(0.5), ordered=False)])


def garbage_event(scene: Scene) -> None:
    rubbish = '{"channel":"executions","type":"update","data":[{"exec_type":"trade","last_qty":'
    scene.fates.private_plans.append(PublicPlan("F56", lambda text: [Hop(rubbish), Hop(text)]))


# REST.


def fail_rest(scene: Scene) -> None:
    executed = bool(scene.below(2))
    answer = scene.some(
        (
            html(),
            Answer(executed=executed, lost=True, delay=seconds(5)),
            Answer(executed=executed, lost=True, delay=seconds(30)),
            failing("EService:Unavailable", executed=executed),
            failing("EService:Busy", executed=executed),
            failing("EGeneral:Internal error", executed=executed),
            Answer(executed=executed, instead=(200, b'{"error":[]')),
            Answer(executed=executed, instead=(200, b'{"error":[],"result":[]}')),
        )
    )
    for _ in range(1 + scene.below(3)):
        scene.fates.plan(RestPlan("X4", ("",), answer))


def slow_rest(scene: Scene) -> None:
    scene.fates.plan(RestPlan("X5", ("",), Answer(delay=scene.between(1, 13))))


def refuse_token(scene: Scene) -> None:
    scene.fates.plan(
        Plan("F63", ("subscribe", *ORDER_METHODS), "refuse", "ESession:Invalid session")
    )
    if scene.below(2):
        cut_private(scene)


def bad_nonce(scene: Scene) -> None:
    scene.fates.plan(RestPlan("F64", ("",), failing("EAPI:Invalid nonce", executed=False)))


def lock_out(scene: Scene) -> None:
    scene.locked_out = True
    error = "EGeneral:Temporary lockout"
    scene.fates.plan(RestPlan("F65", ("",), failing(error, executed=False)))


def lag_history(scene: Scene) -> None:
    def alter(body: bytes) -> bytes:
        found = json.loads(body)
        if found["error"]:
            return body
        young = (scene.world.wall - seconds(8)) / SECOND
        trades = found["result"]["trades"]
        kept = {name: row for name, row in trades.items() if row["time"] < young}
        found["result"]["trades"] = kept
        found["result"]["count"] -= len(trades) - len(kept)
        return json.dumps(found).encode()

    for _ in range(3):
        scene.fates.plan(RestPlan("F76", ("/TradesHistory",), Answer(alter=alter)))


def omit_order(scene: Scene) -> None:
    def alter(body: bytes) -> bytes:
        found = json.loads(body)
        if found["error"] or not found["result"]["open"]:
            return body
        rows = found["result"]["open"]
        del rows[scene.some(list(rows))]
        return json.dumps(found).encode()

    for _ in range(1 + scene.below(3)):
        scene.fates.plan(RestPlan("F77", ("/OpenOrders",), Answer(alter=alter, delay=REST_DELAY)))


# The switch and the engine's state.


def refuse_arming(scene: Scene) -> None:
    do = scene.some(("refuse", "lose", "lose_request"))
    for _ in range(scene.some((1, 2, 4, 14))):
        scene.fates.plan(Plan("F84", ("cancel_all_orders_after",), do, "EService:Busy"))


def change_mode(scene: Scene) -> None:
    if scene.world.exchange.system != "online":
        return
    mode = scene.some(("maintenance", "cancel_only", "post_only"))
    scene.fates.count("F86")
    _set_mode(scene, mode)
    if mode == "post_only":
        scene.fates.count("F87")
    scene.later(scene.between(3, 30), lambda: _set_mode(scene, "online"))


def long_maintenance(scene: Scene) -> None:
    if scene.world.exchange.system != "online":
        return
    scene.fates.count("F85")
    _set_mode(scene, "maintenance")
    scene.later(scene.between(65, 100), lambda: _set_mode(scene, "online"))


def _set_mode(scene: Scene, mode: Any) -> None:
    scene.checks.upheave()
    scene.world.venue.set_system(mode, scene.world.now, scene.world.wall)


# The operator.


def operate(scene: Scene) -> None:
    if scene.memory is None:
        return
    scene.fates.count("X7")
    scene.operator_asks += 1
    name = f"request-{scene.operator_asks:06d}"
    version = control.CONTROL_VERSION
    request = scene.some(
        (
            control.Hold(version, name, "a test"),
            control.CancelOrders(version, name),
            control.Flatten(version, name, "flatten"),
            control.Shutdown(version, name),
            control.Explain(version, name, "b1"),
        )
    )
    scene.world.ask(request)
    if isinstance(request, control.Hold | control.Flatten):
        scene.later(scene.between(3, 20), lambda: resume(scene))


def resume(scene: Scene) -> None:
    """The operator lets the strategy go on."""
    scene.operator_asks += 1
    scene.world.ask(
        control.Resume(control.CONTROL_VERSION, f"request-{scene.operator_asks:06d}", "all is well")
    )


Trouble = Callable[[Scene], None]

TROUBLES: Final[dict[str, tuple[Trouble, int]]] = {
    # name: (what it does, how often beside the others)
    **{
        function.__name__: (function, weight)
        for weight, functions in {
            1: (
                kill_both, suspend, fill_disk, leap, wander, long_maintenance, lock_out,
                shred_while_away, freeze_strategy, refuse_connections, die_reconciling,
            ),
            2: (
                die_before_commit, die_after_commit, die_among_letters, die_before_fill,
                die_after_fill, kill_feed, freeze_feed, half_open, cut_private, cut_public, stall,
                change_mode, wipe, mute_book, mute_executions, lose_event, double_event,
                swap_event, garbage_event, refuse_token, second_strategy, money_vanishes, spike,
                stand_still, operate, foreign_orphan, owner_moves_money, misstate_balance,
                change_fees, bad_nonce, refuse_many, mute_heartbeat,
            ),
            4: (
                lose_frames, delay_frames, lose_update, double_update, swap_update,
                spoil_checksum, late_update, absurd_update, garbage, cross_book, empty_side,
                owner_trades, fail_rest, slow_rest, lag_history, omit_order, refuse_arming,
                limit_rate,
            ),
            8: (
                lose_answer, delay_answer, overtake, refuse_order, cancel_that_lies,
                end_before_request, fill_in_part,
            ),
        }.items()
        for function in functions
    },
}  # fmt: skip
