"""Each request of the operator: what it changes, what is kept of it, what it answers."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared import control
from shared.control import CONTROL_VERSION, AnyRequest, Reply
from shared.units import SECOND, Ns
from strategy.core.advice import NEUTRAL
from strategy.core.daily import overspent, overspent_by
from strategy.core.lifecycle import Phase
from strategy.core.memory import Audit, Day, Kill, Memory
from strategy.core.out import Answer, Out, Tell, Unflag
from strategy.core.outgoing import Outgoing
from strategy.core.requests import HANDLERS, REPLIES_KEPT, answer, stop
from strategy.core.risk import Risk
from strategy.core.slots import State
from strategy.core.taxgate import euro_price
from strategy.ledger.entries import AuditEntry, Remember
from tests.unit.strategy.core.build import BOOT, WALL, make_config, make_memory, make_slot
from tests.unit.strategy.core.test_gate import one, put, ready
from tests.unit.strategy.core.test_gate_edges import two
from tests.unit.strategy.core.test_published import SATURDAY, file_of
from tests.unit.strategy.core.test_withdrawals_edges import leaving

NOW = Ns(BOOT + 5 * SECOND)
WHY = "because"


def asked(
    memory: Memory, kind: type[Any], request_id: str = "request-1", **fields: Any
) -> tuple[Reply, list[Out]]:
    request: AnyRequest = kind(CONTROL_VERSION, request_id, **fields)
    *out, last = answer(memory, request, NOW)
    assert isinstance(last, Answer)
    assert last.reply.request_id == request_id
    return last.reply, out


def kept(out: list[Out]) -> dict[str, str]:
    return {item.key: item.value for item in out if isinstance(item, Remember)}


def audits(out: list[Out]) -> list[tuple[str, str, str]]:
    return [(item.who, item.what, item.why) for item in out if isinstance(item, AuditEntry)]


def tells(out: list[Out]) -> list[tuple[str, str]]:
    return [(item.level, item.key) for item in out if isinstance(item, Tell)]


def test_every_kind_of_request_has_its_handler() -> None:
    assert set(HANDLERS) == set(AnyRequest.__args__)


def test_the_last_answers_are_kept_and_no_more() -> None:
    memory = ready()
    for number in range(REPLIES_KEPT + 1):
        asked(memory, control.CancelOrders, f"request-{number}")
    assert len(memory.replies) == REPLIES_KEPT
    memory.clear_once = False
    assert asked(memory, control.CancelOrders, "request-1")[1] == []
    assert not memory.clear_once, "answered from memory, not done again"
    asked(memory, control.CancelOrders, "request-0")
    assert memory.clear_once


# What stops and goes on.


@pytest.mark.parametrize(("reason", "said"), [(WHY, WHY), ("", "operator")])
def test_a_hold_ends_a_flatten_and_is_kept(reason: str, said: str) -> None:
    memory = ready()
    memory.flatten = True
    reply, out = asked(memory, control.Hold, reason=reason)
    assert reply.ok
    assert (memory.hold, memory.flatten) == (said, False)
    assert kept(out) == {"hold": said}
    assert audits(out) == [("operator", "hold", said)]
    assert tells(out) == [("warning", "hold")]


@pytest.mark.parametrize("what", ["hold", "halt", "flatten"])
def test_a_resume_ends_whatever_holds_and_forgets_what_led_to_it(what: str) -> None:
    memory = ready()
    setattr(memory, what, True if what == "flatten" else "x")
    memory.kill, memory.day = Kill("done"), Day("2026-09-21", 9_000.0)
    memory.rejects_in_a_row = 9
    memory.fill_times.extend([NOW, NOW])
    memory.alerts = {name: ("error", "x") for name in ("hold", "halt", "kill", "drift")}
    reply, out = asked(memory, control.Resume, reason=WHY)
    assert (reply.ok, reply.text) == (True, "resumed")
    assert (memory.hold, memory.halt, memory.flatten) == ("", "", False)
    assert (memory.kill, memory.day, memory.rejects_in_a_row) == (Kill(), Day(), 0)
    assert not memory.fill_times
    assert list(memory.alerts) == ["drift"]
    assert {key: kept(out)[key] for key in ("hold", "halt", "kill")} == dict.fromkeys(
        ("hold", "halt", "kill"), ""
    )
    assert msgspec.json.decode(kept(out)["day"], type=Day) == Day()
    assert any(isinstance(item, Unflag) for item in out)
    assert audits(out) == [("operator", "resume", WHY)]


def test_where_nothing_holds_there_is_nothing_to_resume() -> None:
    memory = ready()
    memory.rejects_in_a_row = 3
    reply, out = asked(memory, control.Resume, reason=WHY)
    assert (reply.ok, out) == (True, [])
    assert "nothing to resume" in reply.text
    assert memory.rejects_in_a_row == 3


def test_cancel_all_counts_what_rests() -> None:
    memory = ready()
    put(memory, make_slot("b1", State.LIVE), make_slot("s1", State.LOST))
    reply, out = asked(memory, control.CancelOrders)
    assert reply.text == "cancelling 2 own orders; the grid may quote again"
    assert memory.clear_once
    assert audits(out) == [("operator", "cancel-all", "")]


@pytest.mark.parametrize(
    ("word", "phase", "halt", "ok"),
    [
        ("flatten", Phase.TRADING, "", True),
        ("Flatten", Phase.TRADING, "", False),
        ("flatten", Phase.SYNCING, "", False),
        ("flatten", Phase.TRADING, "x", False),
    ],
)
def test_a_flatten_wants_its_word_and_a_state_in_which_one_can_sell(
    word: str, phase: Phase, halt: str, ok: bool
) -> None:
    memory = ready()
    memory.phase, memory.halt = phase, halt
    reply, out = asked(memory, control.Flatten, word=word)
    assert (reply.ok, memory.flatten, memory.hold) == (ok, ok, "flatten" if ok else "")
    assert kept(out) == ({"hold": "flatten"} if ok else {})
    assert audits(out) == ([("operator", "flatten", "")] if ok else [])
    assert tells(out) == ([("warning", "hold")] if ok else [])
    if ok:
        assert reply.text == "selling 0.16000000 that are free of tax, then on hold"
    elif word == "flatten":
        assert reply.text == f"cannot sell now: {halt or phase}"


def test_a_stop_is_counted_from_the_first_word() -> None:
    memory = ready()
    assert asked(memory, control.Shutdown)[0].ok
    assert (memory.phase, memory.stop_asked_at) == (Phase.DRAINING, NOW)
    stop(memory, Ns(NOW + 1))
    assert memory.stop_asked_at == NOW


# The coins.


def test_how_balance_and_ledger_stand_is_a_sentence() -> None:
    memory = ready()
    memory.now = NOW

    def said() -> str:
        return asked(memory, control.AskReconcile, f"request-{len(memory.replies)}")[0].text

    assert said() == "balance and ledger agree"
    memory.balances = {"EUR": Decimal(1), "BTC": Decimal("0.17")}
    memory.audit = Audit(drift=10**6, since=Ns(NOW - 3 * SECOND))
    assert said() == "the balance is off by 0.01000000 since 3.0 s: being looked into"
    memory.audit = Audit(drift=10**6, since=NOW, held=True)
    assert said().startswith("0.01000000 BTC more at the exchange than the ledger accounts for")
    memory.audit = Audit(held=True)
    assert said() == "sells are held until a list came"


@pytest.mark.parametrize(
    ("held", "why"), [(True, "the difference still moves"), (False, "nothing is held")]
)
def test_what_cannot_be_accepted_says_why(held: bool, why: str) -> None:
    memory = ready()
    memory.audit = Audit(drift=5, since=NOW, held=held)
    memory.now = NOW
    reply, out = asked(memory, control.AcceptDrift, reason=WHY)
    assert (reply.ok, out) == (False, [])
    assert reply.text.startswith(why)


def test_what_is_kept_for_withdrawals_is_told_with_the_lots() -> None:
    memory = ready()
    text = asked(memory, control.AskLots)[0].text
    assert text == "0.16000000 held, 0.16000000 free of tax"
    memory.outgoing = Outgoing(since=Ns(1), rows=(leaving("0.04", left=False),))
    text = asked(memory, control.AskLots, "request-2")[0].text
    assert text == "0.16000000 held, 0.12000000 free of tax, 0.04000000 kept for withdrawals"


def test_each_slot_is_listed_and_those_that_hold_an_order_are_counted() -> None:
    memory = ready()
    put(memory, make_slot("b1", State.LIVE))
    reply, _ = asked(memory, control.AskOrderList)
    assert reply.text == "1 orders"
    assert "b1" in str(reply.data["orders"])
    assert asked(memory, control.AskStatus, "request-2")[0].text == "trading"


# Advice.

ADVICE: dict[str, Any] = {"verdict": "STRONG_BUY", "confidence": 1.0, "bias_bps": 0.0}


def listening() -> Memory:
    memory = ready(make_memory(make_config(ai_signal={"enabled": True})))
    memory.now = NOW
    return memory


def test_advice_leans_every_pair_and_is_on_record() -> None:
    memory = listening()
    reply, out = asked(memory, control.Advise, **ADVICE, source="a model")
    assert reply.ok
    assert one(memory).advice.bias_bps == reply.data["bias_bps"] > 0  # type: ignore[operator]
    assert memory.counters["advice"] == 1
    assert audits(out) == [("operator", "advise", reply.text)]
    assert reply.text.endswith("(a model)")
    assert asked(memory, control.Advise, "request-2", **ADVICE)[0].text.endswith("(unnamed)")


def test_where_nobody_listens_advice_is_refused() -> None:
    memory = ready()
    for kind, fields in (
        (control.Advise, ADVICE),
        (control.SwitchAdvice, {"on": True, "reason": ""}),
    ):
        reply, out = asked(memory, kind, f"request-{kind.__name__}", **fields)
        assert (reply.ok, out) == (False, [])
        assert "ai_signal.enabled is false" in reply.text
    assert one(memory).advice == NEUTRAL


@pytest.mark.parametrize(("reason", "deaf"), [(WHY, WHY), ("", "by the operator")])
def test_switched_off_the_lean_is_gone_at_once_until_switched_on(reason: str, deaf: str) -> None:
    memory = listening()
    asked(memory, control.Advise, **ADVICE)
    reply, out = asked(memory, control.SwitchAdvice, "request-2", on=False, reason=reason)
    assert reply.ok
    assert (memory.deaf, one(memory).advice) == (deaf, NEUTRAL)
    assert (kept(out), audits(out)) == ({"deaf": deaf}, [("operator", "advice-off", reason)])
    refused, nothing = asked(memory, control.Advise, "request-3", **ADVICE)
    assert (refused.ok, nothing, one(memory).advice) == (False, [], NEUTRAL)
    assert deaf in refused.text
    reply, out = asked(memory, control.SwitchAdvice, "request-4", on=True, reason=WHY)
    assert reply.ok
    assert (kept(out), audits(out)) == ({"deaf": ""}, [("operator", "advice-on", WHY)])
    given = asked(memory, control.Advise, "request-5", **ADVICE)
    assert given[0].ok
    asked(memory, control.SwitchAdvice, "request-6", on=True, reason=WHY)
    assert one(memory).advice != NEUTRAL, "to listen on drops nothing"


# The rest.


def test_a_peak_is_counted_anew_only_where_the_equity_is_known() -> None:
    memory = ready()
    memory.balances = {}
    memory.risk = Risk(9_000.0, 10_000.0)
    reply, out = asked(memory, control.ResetPeak, reason=WHY, word="reset-peak")
    assert (reply.ok, out) == (False, [])
    assert memory.risk == Risk(9_000.0, 10_000.0)
    assert not asked(memory, control.ResetPeak, "request-2", reason=WHY, word="yes")[0].ok


def test_what_a_program_announces_is_told() -> None:
    reply, out = asked(ready(), control.Announce, key="report", text="the report of 2026 is there")
    assert reply.ok
    assert out == [Tell("info", "report", "the report of 2026 is there")]


def test_rates_with_another_hash_change_nothing() -> None:
    memory = ready()
    data = b"no rates"
    for sha256 in ("0" * 64, hashlib.sha256(data).hexdigest()):
        told: dict[str, Any] = {"name": "x.csv", "sha256": sha256, "data": data}
        reply, out = asked(memory, control.TakeRates, f"request-{sha256[:9]}", **told)
        assert (reply.ok, out) == (False, [])
        assert reply.text.startswith("x.csv: ")
    assert memory.published == {}


def test_rates_that_are_taken_value_dollars_from_then_on() -> None:
    memory, _, usd = two()
    memory.wall = SATURDAY
    assert euro_price(memory, usd, 1_103_400) is None
    data = file_of(("2026-11-20", "1.1034"))
    told: dict[str, Any] = {"name": "ECB EXR", "data": data}
    told["sha256"] = hashlib.sha256(data).hexdigest()
    reply, out = asked(memory, control.TakeRates, **told)
    assert (reply.ok, reply.data["new"]) == (True, 1)
    assert out
    assert euro_price(memory, usd, 1_103_400) == Decimal(100_000)
    assert memory.published["USD"].value == Decimal("1.1034")


def test_a_day_that_cost_too_much_says_how_much() -> None:
    memory = ready(make_memory(make_config(limits={"daily_loss_quote": "100"})))
    memory.day, memory.risk = Day("2026-09-21", 9_000.0), Risk(8_900.0, 9_000.0)
    assert overspent(memory) == "", "not more than the limit"
    memory.risk = Risk(8_899.5, 9_000.0)
    assert overspent(memory) == "lost 100.50 since the day began (limits.daily_loss_quote)"
    memory.risk = Risk(0.0, 9_000.0)
    assert overspent(memory) == "", "an equity that is not known is no loss"
    assert not overspent_by(ready(), -10.0), "no day has begun"


def test_what_is_on_record_bears_the_moment() -> None:
    memory = ready()
    memory.wall = Ns(WALL + 9)
    _, out = asked(memory, control.Hold, reason=WHY)
    assert [item.wall for item in out if isinstance(item, AuditEntry)] == [WALL + 9]
