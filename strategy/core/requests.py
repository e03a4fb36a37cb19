"""What the operator asks: each request answered in the step that hears it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from shared.control import (
    AcceptDrift,
    Advise,
    Announce,
    AnyRequest,
    AskLots,
    AskOrderList,
    AskRates,
    AskReconcile,
    AskStatus,
    AskTax,
    CancelOrders,
    Explain,
    Flatten,
    Hold,
    Kill,
    Reply,
    ResetPeak,
    Resume,
    Shutdown,
    SwitchAdvice,
    TakeRates,
)
from shared.units import Ns
from strategy.core import audit, killing, published, taxview, view
from strategy.core.account import worth
from strategy.core.advice import NEUTRAL, weigh_advice
from strategy.core.daily import day_fact
from strategy.core.explain import explain
from strategy.core.lifecycle import Phase, Turn, turn
from strategy.core.memory import Day, Memory
from strategy.core.memory import Kill as Killed
from strategy.core.out import Answer, Out, Tell, Unflag
from strategy.core.risk import Risk
from strategy.core.taxdesk import needed
from strategy.ledger.entries import AuditEntry, Remember
from strategy.ledger.rates import RatesError

REPLIES_KEPT: Final = 64


def answer(memory: Memory, request: AnyRequest, now: Ns) -> list[Out]:
    """The outbox of one request; the same request_id is answered from memory."""
    known = memory.replies.get(request.request_id)
    if known is not None:
        return [Answer(known)]
    ok, text, data, out = HANDLERS[type(request)](memory, request, now)
    reply = Reply(request.request_id, ok, text, data)
    memory.replies[request.request_id] = reply
    while len(memory.replies) > REPLIES_KEPT:
        memory.replies.pop(next(iter(memory.replies)))
    return [*out, Answer(reply)]


Handled = tuple[bool, str, dict[str, object], list[Out]]


def _status(memory: Memory, request: AskStatus, now: Ns) -> Handled:
    shown = view.status(memory)
    data = {name: _jsonable(getattr(shown, name)) for name in shown.__struct_fields__}
    return True, shown.phase, data, []


def _orders(memory: Memory, request: AskOrderList, now: Ns) -> Handled:
    slots = [
        msgspec.to_builtins(view.slot_view(memory, pair, slot))
        for pair in memory.pairs.values()
        for slot in pair.slots
    ]
    return True, f"{memory.busy()} orders", {"orders": slots}, []


def _lots(memory: Memory, request: AskLots, now: Ns) -> Handled:
    data = view.lots_data(memory)
    kept = f", {data['leaving']} kept for withdrawals" if memory.gone() else ""
    return True, f"{data['total']} held, {data['free']} free of tax{kept}", data, []


def _tax(memory: Memory, request: AskTax, now: Ns) -> Handled:
    data = taxview.tax_data(memory)
    return True, taxview.in_short(memory), data, []


def _explain(memory: Memory, request: Explain, now: Ns) -> Handled:
    ok, text, data = explain(memory, request.slot)
    return ok, text, data, []


def _reconcile(memory: Memory, request: AskReconcile, now: Ns) -> Handled:
    data = view.reconcile_data(memory)
    if memory.audit.held:
        text = audit.describe(memory) if memory.audit.drift else "sells are held until a list came"
    elif memory.audit.drift:
        text = f"the balance is off by {data['drift']} since {data['drift_s']} s: being looked into"
    else:
        text = "balance and ledger agree"
    return True, text, data, []


def _accept_drift(memory: Memory, request: AcceptDrift, now: Ns) -> Handled:
    said, out = audit.accept(memory, request.reason)
    if not said and memory.audit.held:
        return False, "the difference still moves: look at it again in half a minute", {}, []
    if not said:
        return False, "nothing is held: there is no difference to accept", {}, []
    return True, f"{said}; sells go on", view.reconcile_data(memory), out


def _hold(memory: Memory, request: Hold, now: Ns) -> Handled:
    memory.hold = request.reason or "operator"
    memory.flatten = False
    out: list[Out] = [Remember("hold", memory.hold), _audit(memory, "hold", memory.hold)]
    out.append(Tell("warning", "hold", f"on hold: {memory.hold}"))
    return True, "on hold: own orders are being cancelled, nothing is quoted", {}, out


def _resume(memory: Memory, request: Resume, now: Ns) -> Handled:
    if not (memory.hold or memory.halt or memory.flatten):
        return True, "nothing to resume: neither on hold nor halted", {}, []
    memory.hold, memory.halt, memory.flatten = "", "", False
    memory.kill = Killed()
    memory.day = Day()  # what was lost so far is accepted: the day is counted from here
    memory.rejects_in_a_row = 0
    memory.fill_times.clear()
    for key in ("hold", "halt", "kill"):
        memory.alerts.pop(key, None)
    out: list[Out] = [Remember("hold", ""), Remember("halt", ""), Remember("kill", ""), Unflag()]
    out.append(day_fact(memory))
    out.append(_audit(memory, "resume", request.reason))
    return True, "resumed", {}, out


def _cancel_all(memory: Memory, request: CancelOrders, now: Ns) -> Handled:
    memory.clear_once = True
    busy = memory.busy()
    audit = _audit(memory, "cancel-all", "")
    return True, f"cancelling {busy} own orders; the grid may quote again", {}, [audit]


def _flatten(memory: Memory, request: Flatten, now: Ns) -> Handled:
    if request.word != "flatten":
        return False, 'type the word "flatten" to confirm', {}, []
    if memory.phase is not Phase.TRADING or memory.halt:
        return False, f"cannot sell now: {memory.halt or memory.phase}", {}, []
    free = memory.free()
    memory.flatten = True
    memory.hold = "flatten"
    out: list[Out] = [Remember("hold", "flatten"), _audit(memory, "flatten", "")]
    out.append(Tell("warning", "hold", "flatten: selling what is free of tax, then on hold"))
    return True, f"selling {free / 1e8:.8f} that are free of tax, then on hold", {}, out


def _kill(memory: Memory, request: Kill, now: Ns) -> Handled:
    if request.word != "kill":
        return False, 'type the word "kill" to confirm', {}, []
    out = killing.kill(memory, killing.Who.OPERATOR, request.reason, now)
    return True, "every order of the account is being cancelled; halted until you resume", {}, out


def _advise(memory: Memory, request: Advise, now: Ns) -> Handled:
    if not memory.config.ai_signal.enabled:
        return False, "ai_signal.enabled is false: nobody listens to advice", {}, []
    if memory.deaf:
        return False, f"switched off: {memory.deaf} (strategy-ctl advice on REASON)", {}, []
    given = weigh_advice(request, now, memory.config.ai_signal, memory.config.regime)
    for pair in memory.pairs.values():
        pair.advice = given
    memory.count("advice")
    text = f"leans by {given.bias_bps:+.1f} bps, fading ({request.source or 'unnamed'})"
    return True, text, {"bias_bps": given.bias_bps}, [_audit(memory, "advise", text)]


def _switch_advice(memory: Memory, request: SwitchAdvice, now: Ns) -> Handled:
    if not memory.config.ai_signal.enabled:
        return False, "ai_signal.enabled is false: nobody listens to advice", {}, []
    memory.deaf = "" if request.on else request.reason or "by the operator"
    if memory.deaf:
        for pair in memory.pairs.values():
            pair.advice = NEUTRAL
    said = "listens to advice again" if request.on else "advice is switched off; the lean is gone"
    word = "advice-on" if request.on else "advice-off"
    return True, said, {}, [Remember("deaf", memory.deaf), _audit(memory, word, request.reason)]


def _announce(memory: Memory, request: Announce, now: Ns) -> Handled:
    return True, "told", {}, [Tell("info", request.key, request.text)]


def _rates(memory: Memory, request: AskRates, now: Ns) -> Handled:
    text, data = published.describe(memory.published, memory.wall)
    return True, text, data, []


def _take_rates(memory: Memory, request: TakeRates, now: Ns) -> Handled:
    try:
        text, fresh, out = published.take(memory.published, request, memory.wall)
    except RatesError as error:
        return False, f"{request.name}: {error}", {}, []
    memory.published = published.with_fresh(memory.published, fresh)
    memory.desk.learn(needed(fresh, memory.config, memory.others))
    data: dict[str, object] = {"new": len(fresh)}
    return True, text, data | published.describe(memory.published, memory.wall)[1], out


def _reset_peak(memory: Memory, request: ResetPeak, now: Ns) -> Handled:
    """The peak is the present equity: from here on the drawdown is counted anew."""
    if request.word != "reset-peak":
        return False, 'type the word "reset-peak" to confirm', {}, []
    equity = worth(memory, memory.books.expected or memory.balances)
    if equity <= 0.0:
        return False, "the equity is not known now (a balance or a price is missing)", {}, []
    was = memory.risk
    memory.risk = Risk(equity, equity)
    memory.peak_kept = (now, equity)
    text = f"the peak was {was.peak:.2f}, is now {equity:.2f}; the drawdown was {was.drawdown:.1%}"
    data: dict[str, object] = {"peak_was": round(was.peak, 2), "peak": round(equity, 2)}
    out: list[Out] = [
        Remember("peak", repr(equity)),
        _audit(memory, "reset-peak", f"{request.reason}: {text}"),
        Tell("warning", "peak", f"reset by the operator: {text}"),
    ]
    return True, text, data, out


def _shutdown(memory: Memory, request: Shutdown, now: Ns) -> Handled:
    stop(memory, now)
    return True, "draining: own orders are cancelled, then the switch is disarmed", {}, []


def stop(memory: Memory, now: Ns) -> None:
    """Begin an orderly end; a second call changes nothing."""
    if not memory.stop_asked_at:
        memory.stop_asked_at = now
    memory.phase = turn(memory.phase, Turn.STOP)


def _audit(memory: Memory, what: str, why: str) -> AuditEntry:
    return AuditEntry(memory.wall, "operator", what, why)


def _jsonable(value: object) -> object:
    return msgspec.to_builtins(value)


HANDLERS: Final[dict[type[Any], Callable[[Memory, Any, Ns], Handled]]] = {
    AskStatus: _status,
    AskOrderList: _orders,
    AskLots: _lots,
    AskTax: _tax,
    Explain: _explain,
    AskReconcile: _reconcile,
    AcceptDrift: _accept_drift,
    Hold: _hold,
    Resume: _resume,
    CancelOrders: _cancel_all,
    Flatten: _flatten,
    Kill: _kill,
    Advise: _advise,
    SwitchAdvice: _switch_advice,
    ResetPeak: _reset_peak,
    Announce: _announce,
    AskRates: _rates,
    TakeRates: _take_rates,
    Shutdown: _shutdown,
}
