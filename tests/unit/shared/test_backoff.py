from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import Backoff
from shared.units import SECOND, Ns


def test_the_wait_doubles_up_to_the_most() -> None:
    backoff, waits = Backoff(), []
    for _ in range(7):
        backoff = backoff.failed()
        waits.append(backoff.wait() // SECOND)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_before_the_first_failure_and_after_a_success_nothing_is_waited_for() -> None:
    assert Backoff().wait() == 0
    assert Backoff().failed().failed().calm().wait() == 0
    assert Backoff().failed().failed().calm().failed().wait() == SECOND


@given(
    st.integers(1, 10**12),
    st.integers(1, 10**12),
    st.integers(1, 10**9),
    st.floats(0, 1, exclude_max=True),
)
def test_chance_shortens_by_a_quarter_at_most(
    first: int, most: int, failures: int, chance: float
) -> None:
    backoff = Backoff(Ns(first), Ns(most), failures)
    assert 0.74 * backoff.wait() - 1 <= backoff.wait(chance) <= backoff.wait() <= most
