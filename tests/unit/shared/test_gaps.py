from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.gaps import TOPICS_LIMIT, Arrival, Gaps
from shared.units import Ns


@pytest.mark.parametrize(
    ("frames", "arrivals"),
    [
        ([(1, 0), (1, 1), (1, 2)], "first next next"),
        ([(1, 5), (1, 9), (1, 10)], "first gap next"),
        ([(1, 5), (1, 5), (1, 4), (1, 6)], "first old old next"),
        ([(1, 5), (2, 0), (1, 6), (2, 1)], "first restart old next"),
    ],
)
def test_how_a_frame_follows_the_last(frames: list[tuple[int, int]], arrivals: str) -> None:
    gaps = Gaps()
    assert " ".join(gaps.check(b"t", Ns(b), s).value for b, s in frames) == arrivals


def test_topics_do_not_disturb_each_other() -> None:
    gaps = Gaps()
    assert gaps.check(b"a", Ns(1), 7) is Arrival.FIRST
    assert gaps.check(b"b", Ns(1), 3) is Arrival.FIRST
    assert gaps.check(b"a", Ns(1), 8) is Arrival.NEXT
    assert (gaps.missed, gaps.restarts, gaps.old) == (0, 0, 0)


def test_a_flood_of_topics_is_not_remembered_for_ever() -> None:
    gaps = Gaps()
    for count in range(TOPICS_LIMIT + 5):
        gaps.check(b"%d" % count, Ns(1), 1)
    assert len(gaps._last) == TOPICS_LIMIT
    assert gaps.check(b"0", Ns(1), 2) is Arrival.NEXT


@given(st.lists(st.integers(0, 50), unique=True, min_size=1).map(sorted))
def test_what_was_missed_is_what_was_left_out(seqs: list[int]) -> None:
    gaps = Gaps()
    for seq in seqs:
        gaps.check(b"t", Ns(1), seq)
    assert gaps.missed == seqs[-1] - seqs[0] + 1 - len(seqs)
