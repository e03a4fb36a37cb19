"""Troubles with answers about orders: lost, late, doubled, of unknown outcome, and each refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim.lab.faults import LIMITS, NOT_DONE, OUTCOME_UNKNOWN, Plan, seconds
from sim.lab.scene import Scene
from sim.wires import WIRE_DELAY
from strategy.core.slots import State

ORDER_METHODS: Final = ("add_order", "amend_order", "cancel_order")

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
        if memory is None or scene.is_deaf():
            return  # who does not hear what was before cannot know what stands

        def emptied() -> bool:
            return memory.slot_of(cl_ord_id) is None

        def stands() -> bool:
            """What we believe of the order is what rests, before any list could tell."""
            found = memory.slot_of(cl_ord_id)
            order = scene.world.exchange.desk.by_client.get(cl_ord_id)
            if found is None or order is None:
                return True
            slot = found[0].slots[found[1]]
            return (slot.price, slot.qty) == (order.price, order.qty)

        if method == "add_order":
            what = f"the slot of {cl_ord_id} is empty after {error}"
            scene.checks.expect("F67", what, seconds(100), emptied)
        else:
            what = f"{cl_ord_id} is believed as it was after {error}"
            scene.checks.expect("F67", what, seconds(8), stands)

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
