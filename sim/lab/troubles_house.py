"""Troubles of the house itself: killed and stopped processes, a full disk, clocks, the operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from shared import control
from shared.units import SECOND
from sim.lab.faults import Plan, RestPlan, seconds
from sim.lab.scene import OWNERS, Scene
from sim.wires import Answer
from strategy.core.lifecycle import Phase
from strategy.ledger.entries import FillEntry
from strategy.session.mail import RestCall, SendText
from strategy.trader import Commit

EMPTY_WITHIN: Final = seconds(2)
"""Of the word `kill`: by then no order of ours rests any more."""
SAID_AGAIN: Final = seconds(2)
"""Where the word to the exchange was lost, it takes so much longer."""

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
    scene.fates.count("F14")
    lives = scene.world.lives
    if scene.world.start_trader() or scene.world.lives != lives:
        scene.checks.fail("I17", "a second strategy was not refused")
    scene.checks.confirm("F14")


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


def begin_behind(scene: Scene) -> None:
    """Killed, and the next life begins with a clock that was set back."""
    if scene.world.trader is None or scene.world.frozen:
        return
    scene.fates.count("F42")
    scene.checks.upheave()
    scene.world.kill_trader()
    scene.fates.wall_skew -= 3600 * SECOND
    scene.later(scene.between(20, 60), lambda: _set_clock(scene))


def _set_clock(scene: Scene) -> None:
    scene.fates.wall_skew = 0


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
            control.Kill(version, name, "a test", "kill"),
            control.AskReconcile(version, name),
            control.Explain(version, name, "b1"),
        )
    )
    scene.world.ask(request)
    scene.checks.killed |= isinstance(request, control.Kill)
    if isinstance(request, control.Hold | control.Flatten | control.Kill):
        scene.later(scene.between(3, 20), lambda: resume(scene))


def kill_all(scene: Scene) -> None:
    """The operator's kill, whatever state the strategy is in."""
    world = scene.world
    if world.trader is None or world.frozen or world.ledger.full:
        return  # nobody hears the word
    scene.fates.count("X10")
    scene.operator_asks += 1
    name = f"request-{scene.operator_asks:06d}"
    by_line, by_rest = _way_by_line(scene), _way_by_rest(scene)
    upheavals, injected = scene.checks.upheavals, _rest_faults(scene)
    told = world.now
    world.ask(control.Kill(control.CONTROL_VERSION, name, "a test", "kill"))
    scene.checks.killed = True

    # Each third one is lost on both ways: it has to be said again. What an earlier one left lying
    # in wait would lose the repetition, too.
    scene.fates.forget("X10")
    lost = scene.operator_asks % 3 == 2
    if lost:
        scene.fates.plan(Plan("X10", ("cancel_all",), "lose_request"))
        gone = Answer(executed=False, lost=True, delay=seconds(5))
        scene.fates.plan(RestPlan("X10", ("/CancelAll",), gone))

    def look() -> None:
        rest_worked = by_rest and _way_by_rest(scene) and _rest_faults(scene) == injected
        way = rest_worked or (by_line and _way_by_line(scene))
        memory = scene.memory
        # Who resumes meanwhile lets the rest be; who was killed himself is judged at rest.
        stands = memory is not None and bool(memory.kill.stage)
        if scene.checks.upheavals == upheavals and stands and way:
            scene.checks.emptied("X10", told)

    scene.later(EMPTY_WITHIN + (SAID_AGAIN if lost else 0), look)
    scene.later(scene.between(5, 20), lambda: resume(scene))


def _way_by_line(scene: Scene) -> bool:
    memory, world = scene.memory, scene.world
    hears = memory is not None and memory.line == "up" and not scene.is_deaf()
    alive = not any(wire.dead or wire.free_out > world.now for wire in world.wires.of("trader"))
    return hears and alive and world.exchange.system != "maintenance"


def _way_by_rest(scene: Scene) -> bool:
    ready = not (scene.fates.rest_plans or scene.checks.locked_out)
    return ready and scene.world.exchange.system != "maintenance"


def _rest_faults(scene: Scene) -> int:
    return scene.checks.nonces_refused + sum(
        scene.fates.injected.get(name, 0) for name in ("X4", "X5", "F64", "F65", "F86", "F85")
    )


def resume(scene: Scene) -> None:
    """The operator lets the strategy go on."""
    scene.operator_asks += 1
    scene.world.ask(
        control.Resume(control.CONTROL_VERSION, f"request-{scene.operator_asks:06d}", "all is well")
    )


def accept_drift(scene: Scene) -> None:
    """The operator declares what he has moved."""
    scene.operator_asks += 1
    name = f"request-{scene.operator_asks:06d}"
    scene.world.ask(control.AcceptDrift(control.CONTROL_VERSION, name, "moved by me"))
