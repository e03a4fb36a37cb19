"""A person counts the drawdown anew: the pause ends, the peak is kept, the reason stands."""

from __future__ import annotations

import pytest

from shared import control
from shared.units import Side
from strategy.core.risk import Pause, Severity
from strategy.ledger.entries import AuditEntry
from tests.unit.strategy.core.build import make_config
from tests.unit.strategy.core.desk import Desk, quoting

# Half of the desk's account is coins: a fall of a third of the price is one of a sixth of it.
CALM = make_config(
    risk={"price_velocity_freeze_pct": 0.9},
    limits={"daily_loss_quote": "100000000", "collar_pct": 0.5},
)
WORD = "reset-peak"


def fall(desk: Desk, ratio: float) -> None:
    """While nothing rests, so that nothing is in the way of the fall."""
    desk.hold()
    desk.run(5)
    desk.mid = int(desk.mid * ratio)
    desk.run(60)
    desk.resume()
    desk.run(20)


def buys(desk: Desk) -> int:
    return len(desk.side(Side.BUY))


def fallen() -> Desk:
    desk = quoting(Desk(CALM))
    fall(desk, 2 / 3)
    assert desk.memory.pause is Pause.RISK_PAUSE_ACTIVE
    assert buys(desk) == 0
    return desk


def test_the_pause_of_a_drawdown_ends_and_buys_rest_again() -> None:
    desk = fallen()
    was, equity = desk.memory.risk.peak, desk.memory.risk.equity
    reply = desk.ask(control.ResetPeak, reason="looked into", word=WORD)
    assert reply.ok
    assert f"{was:.2f}" in reply.text
    assert reply.data == {"peak_was": round(was, 2), "peak": round(equity, 2)}
    desk.run(20)
    assert desk.memory.pause is Pause.ACTIVE_TRADING
    assert desk.memory.risk.severity is Severity.HEALTHY
    assert desk.memory.risk.drawdown == pytest.approx(0.0, abs=1e-6)
    assert buys(desk) > 0
    assert any("peak" in tell.key for tell in desk.told)


def test_the_next_life_counts_from_the_new_peak() -> None:
    desk = fallen()
    desk.ask(control.ResetPeak, reason="looked into", word=WORD)
    peak = desk.memory.risk.peak
    desk.restart()
    desk.begin()
    assert desk.memory.risk.peak == pytest.approx(peak)
    assert desk.memory.pause is Pause.ACTIVE_TRADING


def test_from_the_new_peak_the_limits_hold_as_before() -> None:
    desk = fallen()
    desk.ask(control.ResetPeak, reason="looked into", word=WORD)
    desk.run(20)
    assert buys(desk) > 0
    fall(desk, 0.5)
    assert desk.memory.risk.severity >= Severity.CRITICAL
    assert buys(desk) == 0


def test_the_audit_trail_has_both_peaks_and_the_reason() -> None:
    desk = fallen()
    was = desk.memory.risk.peak
    request = control.ResetPeak(control.CONTROL_VERSION, "request-x", "my decision", WORD)
    out = desk.core.step(desk.now, [request])
    (entry,) = [item for item in out if isinstance(item, AuditEntry)]
    assert (entry.who, entry.what) == ("operator", "reset-peak")
    assert entry.why.startswith("my decision: ")
    assert f"{was:.2f}" in entry.why


@pytest.mark.parametrize("word", ["", "yes", "reset"])
def test_without_the_word_nothing_is_done(word: str) -> None:
    desk = fallen()
    before = desk.memory.risk.peak
    assert not desk.ask(control.ResetPeak, reason="x", word=word).ok
    assert desk.memory.risk.peak == before
    assert desk.memory.pause is Pause.RISK_PAUSE_ACTIVE


def test_while_the_equity_is_not_known_it_is_refused() -> None:
    desk = Desk(CALM)
    desk.run(1)
    reply = desk.ask(control.ResetPeak, reason="x", word=WORD)
    assert not reply.ok
    assert "not known" in reply.text
    assert desk.memory.risk.peak == 0.0
