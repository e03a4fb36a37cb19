"""The fold over frames, and what it makes of silence."""

from __future__ import annotations

from monitor.view import ALERTS_KEPT, FILLS_KEPT, PAIRS_KEPT, SILENT_AFTER, View, hear, touch
from shared.frames import AnyFrame
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import (
    NOW,
    WALL,
    alert,
    beat,
    book,
    fill,
    fill_frame,
    instrument,
    status,
)


def after(*frames: AnyFrame, now: Ns = NOW) -> View:
    view = View()
    for frame in frames:
        view = hear(view, frame, now, WALL)
    return view


def test_before_anything_is_heard_nothing_is_known() -> None:
    view = View()
    assert not view.feed.up(NOW)
    assert view.strategy.silent_ns(NOW) is None
    assert touch(view, "BTC/EUR") is None


def test_each_frame_tells_that_its_process_lives() -> None:
    view = after(status())
    assert (view.strategy.up(NOW), view.feed.up(NOW)) == (True, False)
    view = after(book())
    assert (view.strategy.up(NOW), view.feed.up(NOW)) == (False, True)


def test_after_three_seconds_a_process_counts_as_silent() -> None:
    view = after(beat())
    assert view.feed.up(Ns(NOW + SILENT_AFTER))
    assert not view.feed.up(Ns(NOW + SILENT_AFTER + 1))
    assert view.feed.silent_ns(Ns(NOW + 7 * SECOND)) == 7 * SECOND


def test_another_boot_is_another_life() -> None:
    assert after(beat(), beat(boot=Ns(5)), beat(boot=Ns(5))).feed.lives == 2


def test_the_best_prices_need_a_valid_book_of_a_known_pair() -> None:
    assert touch(after(book()), "BTC/EUR") is None
    assert touch(after(instrument(), book()), "BTC/EUR") == ("84999.0", "85001.0")
    invalid = book(valid=False, bids=(), asks=(), why="checksum")
    assert touch(after(instrument(), book(), invalid), "BTC/EUR") is None


def test_a_fill_is_shown_once_however_often_it_is_told() -> None:
    view = after(fill_frame(2), status(last_fills=(fill(3), fill(2), fill(1))), fill_frame(3))
    assert [f.exec_id for f in view.fills] == [fill(n).exec_id for n in (3, 2, 1)]


def test_fills_alerts_and_pairs_are_bounded() -> None:
    view = after(
        *(fill_frame(n % 60) for n in range(2 * FILLS_KEPT)),
        *(alert(f"key {n}") for n in range(2 * ALERTS_KEPT)),
        *(book(pair=f"P{n}/EUR") for n in range(2 * PAIRS_KEPT)),
    )
    assert len(view.fills) == FILLS_KEPT
    assert len(view.alerts) == ALERTS_KEPT
    assert len(view.books) == PAIRS_KEPT
    assert hear(view, book(pair="P1/EUR", valid=False), NOW, WALL).books["P1/EUR"].valid is False


def test_the_newest_alert_of_a_matter_replaces_the_older() -> None:
    view = after(alert("drift", "first"), alert("feed"), alert("drift", "second"))
    assert [(told.key, told.text) for told in view.alerts] == [
        ("drift", "second"),
        ("feed", "something"),
    ]
