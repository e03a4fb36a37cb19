"""The exchange's clock as its timestamps tell it."""

from __future__ import annotations

from feed.wall import FUTURE_JUMP, Wall
from shared.units import DAY, SECOND, Ns

AT = Ns(100 * SECOND)
WALL = Ns(1_700_000_000 * SECOND)


def test_nothing_is_known_before_the_first_timestamp_nor_after_forgetting() -> None:
    wall = Wall()
    assert wall.at(AT) == 0
    wall.learn(Ns(0), AT)
    assert wall.at(AT) == 0, "a message without a timestamp tells nothing"
    wall.learn(WALL, AT)
    assert wall.at(Ns(AT + SECOND)) == WALL + SECOND
    wall.forget()
    assert wall.at(AT) == 0


def test_the_message_that_was_under_way_for_the_shortest_time_counts() -> None:
    wall = Wall()
    wall.learn(WALL, AT)
    wall.learn(Ns(WALL + SECOND), Ns(AT + 2 * SECOND))  # a second longer under way
    assert wall.at(AT) == WALL
    wall.learn(Ns(WALL + 3 * SECOND), Ns(AT + 2 * SECOND))
    assert wall.at(AT) == WALL + SECOND


def test_a_clock_that_leaps_is_not_believed() -> None:
    wall = Wall()
    wall.learn(WALL, AT)
    for leap in (FUTURE_JUMP, DAY):
        wall.learn(Ns(WALL + leap), AT)
        assert wall.at(AT) == WALL
    wall.learn(Ns(WALL + FUTURE_JUMP - 1), AT)
    assert wall.at(AT) == WALL + FUTURE_JUMP - 1
