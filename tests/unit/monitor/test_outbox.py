"""What waits to be told: once, not at night, as fast as the other side allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.outbox import (
    MESSAGE_CHARS,
    REPEAT_AFTER,
    WAITING_MOST,
    Notice,
    Outbox,
    is_quiet,
    put,
    refused,
    sent,
    take,
)
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import NOW


def test_the_same_is_told_once_and_again_after_a_while() -> None:
    one = Notice("k", "info", "text")
    box, text = take(put(Outbox(), [one, one], NOW), NOW, quiet=False)
    assert text == "text"
    assert put(box, [one], Ns(NOW + 1)).waiting == ()
    assert put(box, [one], Ns(NOW + REPEAT_AFTER)).waiting == (one,)
    assert put(box, [Notice("k", "info", "worse")], NOW).waiting[0].text == "worse"


def test_at_night_only_what_is_urgent_goes_out() -> None:
    box = put(Outbox(), [Notice("a", "info", "fill"), Notice("b", "critical", "fire")], NOW)
    box, text = take(box, NOW, quiet=True)
    assert text == "fire"
    assert take(box, NOW, quiet=True)[1] == ""
    assert take(box, NOW, quiet=False)[1] == "fill"


@pytest.mark.parametrize(
    ("span", "clock_utc_s", "quiet"),
    [
        ("22:00-07:00", 1_780_000_000, True),  # 22:26 in Berlin
        ("22:00-07:00", 1_780_048_800, False),
        ("12:00-13:00", 1_780_048_800, True),
        ("", 1_780_000_000, False),
    ],
)
def test_quiet_hours_are_german_ones(span: str, clock_utc_s: int, quiet: bool) -> None:
    assert is_quiet(span, Ns(clock_utc_s * SECOND)) is quiet


def test_limits_and_pauses_are_kept() -> None:
    box = put(Outbox(), [Notice("a", "info", "x")], NOW)
    box, text = take(box, NOW, quiet=False)
    box = refused(box, text, NOW, 17.0)
    assert take(box, Ns(NOW + 16 * SECOND), quiet=False)[1] == ""
    box, text = take(box, Ns(NOW + 17 * SECOND), quiet=False)
    assert text == "x"
    box = put(sent(box, NOW, 15), [Notice("b", "info", "y")], NOW)
    assert take(box, Ns(NOW + 3 * SECOND), quiet=False)[1] == ""
    assert take(box, Ns(NOW + 4 * SECOND), quiet=False)[1] == "y"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.sampled_from(["info", "error"]), st.integers(0, 900)),
        max_size=400,
    )
)
def test_nothing_is_unbounded_and_nothing_urgent_is_lost(rows: list[tuple[int, str, int]]) -> None:
    notices = [Notice(f"{n}", level, f"{n}:{'x' * size}") for n, level, size in rows]
    box = put(Outbox(), notices, NOW)
    assert len(box.waiting) <= WAITING_MOST
    urgent = {n.key: n.text for n in notices if n.level == "error"}
    said = ""
    for _ in range(2 * WAITING_MOST):
        box, text = take(box, NOW, quiet=False)
        assert len(text) <= MESSAGE_CHARS + 500
        said += text + "\n"
    assert box.waiting == ()
    if len(urgent) <= WAITING_MOST and not any(n.level == "info" for n in notices):
        assert all(text in said for text in urgent.values())


def test_a_pause_that_telegram_asks_for_is_kept_on_its_clock() -> None:
    """retry_after is the outbox's not_before, exactly: nothing goes out before it is over."""
    box = put(Outbox(), [Notice("a", "error", "one")], NOW)
    box, said = take(box, NOW, quiet=False)
    box = refused(box, said, NOW, 37.0)
    assert take(box, Ns(NOW + 37 * SECOND - 1), quiet=False)[1] == ""
    assert take(box, Ns(NOW + 37 * SECOND), quiet=False)[1] == "one"
