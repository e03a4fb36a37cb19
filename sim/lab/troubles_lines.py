"""Troubles of the lines: cut, half-open, stalled, silent ones, lost events, REST that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from shared.units import SECOND, Ns
from sim.lab.faults import Plan, PublicPlan, RestPlan, failing, html, seconds
from sim.lab.scene import OWNERS, Scene
from sim.lab.troubles_orders import ORDER_METHODS
from sim.wires import REST_DELAY, Answer, Hop, Owner

OUR_HEARING: Final = Ns(15 * SECOND)
"""A dead line is noticed within this: the silence allowed, and what its opening may take."""

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


def stall_and_part(scene: Scene) -> None:
    """An add arrives after we have another line: only its deadline keeps it from living."""
    late = scene.between(3.45, 3.98) if scene.below(2) else scene.between(4, 12)

    def met(cl_ord_id: str) -> None:
        scene.checks.upheave()
        scene.later(scene.between(0.01, 0.1), lambda: scene.world.wires.part("trader"))

    scene.fates.plan(Plan("F71", ("add_order",), "hold", delay=late, then=met))


def refuse_connections(scene: Scene) -> None:
    owner = scene.some(OWNERS)
    scene.fates.closed_until[owner] = Ns(scene.world.now + scene.between(3, 25))
    scene.checks.upheave()
    scene.world.cut(owner)


def long_outage(scene: Scene) -> None:
    """The private line stays away while REST works; the house is one that may go on by REST."""
    scene.fates.count("X9")
    scene.checks.upheave()
    until = Ns(scene.world.now + scene.between(40, 150))
    scene.fates.closed_until["trader"] = max(until, scene.fates.closed_until.get("trader", until))
    scene.world.cut("trader")

    def goes_on() -> bool:
        memory = scene.memory
        return memory is None or memory.line != "down"

    scene.later(
        seconds(20), lambda: scene.checks.expect("X9", "it goes on by REST", seconds(60), goes_on)
    )


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
    scene.checks.locked_out = True
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
    """Lists are short of an order; a question about that very order is answered."""

    def alter(body: bytes) -> bytes:
        found = json.loads(body)
        if found["error"] or not found["result"]["open"]:
            return body
        rows = found["result"]["open"]
        del rows[scene.some(list(rows))]
        return json.dumps(found).encode()

    for _ in range(1 + scene.below(3)):
        answer = Answer(alter=alter, delay=REST_DELAY)
        scene.fates.plan(RestPlan("F77", ("/OpenOrders",), answer, but=b"cl_ord_id="))
