"""The simulator has teeth: each bug that is put into the house is noticed.

The first seed that noticed it stands in teeth.txt (`make teeth` writes it). As the house changes, a
bug may show a few seeds later: as many as LATER are tried.
"""

from __future__ import annotations

from typing import Final

import pytest

from strategy.core.slots import TRANSITIONS, Input, State
from tests.simulation.bugs import BUGS, put
from tests.simulation.hunt import caught_by, read_known

LATER: Final = 60
KNOWN: Final = read_known()


def test_every_bug_has_a_seed_that_notices_it() -> None:
    assert list(KNOWN) == list(BUGS)
    assert len(BUGS) >= 30


@pytest.mark.parametrize("name", BUGS)
def test_the_bug_is_noticed(name: str) -> None:
    first = KNOWN[name]
    assert any(caught_by(name, seed) for seed in range(first, first + LATER)), BUGS[name].what


def test_a_bug_is_gone_when_its_test_is_over() -> None:
    with put("timeout_is_failure"):
        assert TRANSITIONS[State.PENDING_NEW, Input.TIMEOUT] is State.EMPTY

    assert TRANSITIONS[State.PENDING_NEW, Input.TIMEOUT] is State.LOST
