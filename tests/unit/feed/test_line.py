"""When the line is tried again, and how often at most."""

from __future__ import annotations

from feed.line import MOST_CONNECTS, WITHIN, Line
from shared.units import MINUTE, SECOND, Ns


def fail(line: Line, now: Ns, chance: float = 0.0, maintenance: bool = False) -> float:
    """Connect at once and fail; seconds until the next attempt."""
    line.connect(now)
    line.lost(now, chance, maintenance)
    return (line.due - now) / SECOND


def test_the_waits_rise_to_thirty_seconds() -> None:
    line = Line()
    assert [fail(line, Ns(0)) for _ in range(8)] == [0, 1, 2, 5, 10, 30, 30, 30]


def test_chance_takes_off_up_to_a_quarter() -> None:
    line = Line()
    fail(line, Ns(0))
    assert 0.75 < fail(line, Ns(0), chance=0.99) < 0.76


def test_a_line_that_was_good_is_tried_again_at_once() -> None:
    line = Line()
    for _ in range(6):
        fail(line, Ns(0))
    line.connect(Ns(MINUTE))
    line.opened(Ns(MINUTE))
    line.lost(Ns(2 * MINUTE), 0.0, maintenance=False)
    assert line.due == 2 * MINUTE


def test_a_line_that_was_cut_at_once_is_not_good() -> None:
    line = Line()
    for number in range(4):
        now = Ns(number * MINUTE)
        line.connect(now)
        line.opened(now)
        line.lost(Ns(now + SECOND), 0.0, maintenance=False)
    assert line.due - (now + SECOND) == 5 * SECOND


def test_maintenance_is_asked_every_five_seconds_at_most() -> None:
    line = Line()
    assert fail(line, Ns(0), chance=0.9, maintenance=True) == 5


def test_no_more_attempts_than_the_address_may_make() -> None:
    line, now, attempts = Line(), Ns(0), []
    while now < 3 * WITHIN:
        attempts.append(now)
        line.connect(now)
        line.opened(now)
        now = Ns(now + 31 * SECOND // 10)
        line.opened_at = Ns(now - MINUTE)  # each line counts as good, the worst case
        line.lost(now, 0.0, maintenance=False)
        now = max(now, line.due)
    for number, start in enumerate(attempts):
        later = [a for a in attempts[number:] if a < start + WITHIN]
        assert len(later) <= MOST_CONNECTS
