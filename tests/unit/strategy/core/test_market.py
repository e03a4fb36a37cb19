"""Stage 1: what the market is, and how far what we know of it may be trusted."""

from __future__ import annotations

import msgspec
import pytest

from shared import frames
from shared.units import SECOND, Ns
from strategy.core.market import Extremes, Freshness, Tape, observe, tradable
from tests.unit.strategy.core.build import BTC_EUR, CONFIG, MID, make_book

TIME = CONFIG.time
START = Ns(1_000 * SECOND)


def at(seconds: float) -> Ns:
    return Ns(START + int(seconds * SECOND))


def fed(*moments: float, boot: int = 1, first: int = 1) -> Tape:
    """A tape that heard one fresh book at each moment."""
    tape = Tape(START)
    tape.pair = BTC_EUR
    for number, moment in enumerate(moments, start=first):
        tape.hear_book(make_book(at(moment), boot=boot, seq=number), at(moment), TIME)
    return tape


@pytest.mark.parametrize(
    ("moment", "freshness"),
    [
        (0.0, Freshness.SETTLING),
        (1.9, Freshness.SETTLING),
        (2.0, Freshness.FRESH),
        (4.9, Freshness.FRESH),
        (5.0, Freshness.FRESH),
        (5.1, Freshness.STALE),
        (12.0, Freshness.STALE),
        (12.1, Freshness.DEAD),
    ],
)
def test_from_settling_to_dead(moment: float, freshness: Freshness) -> None:
    heard = [each for each in (0.0, 1.0, 2.0) if each <= moment]
    assert fed(*heard).freshness(at(moment), TIME) is freshness


def test_a_tape_that_never_heard_anything_is_stale_then_dead() -> None:
    assert fed().freshness(at(1), TIME) is Freshness.STALE
    assert fed().freshness(at(11), TIME) is Freshness.DEAD
    assert observe(fed(), at(1), TIME) is None


def test_after_a_silence_the_feed_proves_itself_for_two_seconds_again() -> None:
    """Nothing false was heard, there was merely nothing: that is no reason to trust at once."""
    tape = fed(0, 1, 2, 3, 8)
    assert tape.freshness(at(8), TIME) is Freshness.SETTLING
    tape.hear_book(make_book(at(10), seq=6), at(10), TIME)
    assert tape.freshness(at(10), TIME) is Freshness.FRESH


def test_a_feed_that_republishes_an_old_book_is_stale_and_a_quiet_market_is_not() -> None:
    tape = fed(0, 1, 2)
    old = make_book(at(7), seq=9, age=5 * SECOND)
    tape.hear_book(old, at(7), TIME)
    assert tape.freshness(at(7), TIME) is Freshness.STALE


def test_a_new_life_of_the_feed_must_prove_itself() -> None:
    tape = fed(0, 1, 2, 3)
    tape.hear_book(make_book(at(3.5), boot=2, seq=1), at(3.5), TIME)
    assert tape.freshness(at(3.5), TIME) is Freshness.SETTLING


def test_older_lives_and_numbers_are_ignored_and_gaps_are_counted() -> None:
    tape = fed(0, 1, boot=5, first=7)
    newest = tape.book
    for boot, seq in ((4, 99), (5, 8), (5, 1)):
        tape.hear_book(make_book(at(2), MID + 999, boot=boot, seq=seq), at(2), TIME)
        assert tape.book is newest
    tape.hear_book(make_book(at(2), boot=5, seq=12), at(2), TIME)
    assert tape.gaps == 3


@pytest.mark.parametrize(
    "sides",
    [
        ((), (), (850_000,), (1,)),
        ((850_000,), (1,), (), ()),
        ((850_000,), (1,), (850_000,), (1,)),  # locked
        ((850_001,), (1,), (850_000,), (1,)),  # crossed
    ],
)
def test_a_book_that_cannot_be_traded_on_is_never_fresh(
    sides: tuple[tuple[int, ...], ...],
) -> None:
    tape = fed(0, 1, 2)
    book = msgspec.structs.replace(
        make_book(at(3), seq=9), bids=sides[0], bid_qtys=sides[1], asks=sides[2], ask_qtys=sides[3]
    )
    assert not tradable(book)
    tape.hear_book(book, at(3), TIME)
    assert tape.freshness(at(3), TIME) is Freshness.STALE
    view = observe(tape, at(3), TIME)
    assert view is not None
    assert not view.fresh


def test_a_book_that_failed_its_checksum_is_not_traded_on_though_it_has_both_sides() -> None:
    tape = fed(0, 1, 2)
    broken = msgspec.structs.replace(make_book(at(3), MID * 2, seq=9), valid=False)
    assert not tradable(broken)
    tape.hear_book(broken, at(3), TIME)
    assert tape.freshness(at(3), TIME) is Freshness.STALE
    assert tape.extremes(at(3)) == (MID, MID)


def test_the_best_levels_decide_whatever_lies_behind_them() -> None:
    tape = fed(0)
    qtys = (10**8,) * 3
    deep = msgspec.structs.replace(
        make_book(at(1), seq=2),
        bids=(MID - 1, MID - 500, MID - 9_000), bid_qtys=qtys,
        asks=(MID + 3, MID + 700, MID + 8_000), ask_qtys=qtys,
    )  # fmt: skip
    tape.hear_book(deep, at(1), TIME)
    view = observe(tape, at(1), TIME)
    assert view is not None
    assert (view.bid, view.ask, view.mid) == (MID - 1, MID + 3, MID + 1)
    assert tape.extremes(at(1)) == (MID, MID + 1)
    assert not tradable(msgspec.structs.replace(deep, bids=(MID + 3, MID - 500, MID - 9_000)))
    assert not tradable(msgspec.structs.replace(deep, asks=(MID - 1, MID + 700, MID + 8_000)))


def test_a_first_book_that_comes_late_is_no_move() -> None:
    tape = Tape(START)
    tape.hear_pair(BTC_EUR)
    tape.hear_book(make_book(at(9), age=4 * SECOND), at(9), TIME)
    view = observe(tape, at(9), TIME)
    assert view is not None
    assert (view.freshness, view.move_60s, view.mid) == (Freshness.STALE, 0.0, MID)


def test_the_average_price_is_in_ticks_of_the_pair() -> None:
    tape = fed(0)
    tape.pair = msgspec.structs.replace(BTC_EUR, price_decimals=3)
    tape.vwap = 85_000.5
    view = observe(tape, at(0), TIME)
    assert view is not None
    assert view.vwap == 85_000_500.0


def test_precisions_of_the_feed_are_newer_than_the_private_lines_own() -> None:
    tape = Tape(START)
    early = msgspec.structs.replace(BTC_EUR, qty_min=1)
    tape.hear_pair(early)
    assert tape.pair == early
    tape.hear_instrument(frames.Instrument(Ns(1), 1, at(0), at(0), BTC_EUR))
    assert tape.pair == BTC_EUR
    tape.hear_pair(early)
    assert tape.pair == BTC_EUR


def test_the_view_has_the_price_and_the_largest_move_of_a_minute() -> None:
    tape = fed(0, 1, 2)
    for second, mid in ((3, MID * 102 // 100), (4, MID * 101 // 100)):
        tape.hear_book(make_book(at(second), mid, seq=10 + second), at(second), TIME)
    view = observe(tape, at(4), TIME)
    assert view is not None
    assert (view.bid, view.ask) == (MID * 101 // 100 - 5, MID * 101 // 100 + 5)
    assert view.move_60s == pytest.approx(0.01)
    assert tape.move(at(100), MID * 101 / 100) == 0.0
    assert tape.move(at(100), 0) == 0.0


def test_the_average_price_is_taken_from_the_feeds_present_life_only() -> None:
    tape = fed(0, boot=2)
    windows = (frames.VwapWindow(60, 85_100.5, 10**8, 3), frames.VwapWindow(300, 1.0, 1, 1))
    tape.hear_vwap(frames.Vwap(Ns(1), 1, at(0), at(0), "BTC/EUR", windows))
    assert tape.vwap == 0.0
    tape.hear_vwap(frames.Vwap(Ns(2), 1, at(0), at(0), "BTC/EUR", windows))
    view = observe(tape, at(0), TIME)
    assert view is not None
    assert view.vwap == 851_005.0


def test_the_feeds_instrument_is_newer_than_what_rest_said() -> None:
    tape = Tape(START)
    other = frames.Instrument(Ns(1), 1, at(0), at(0), BTC_EUR)
    tape.hear_instrument(other)
    tape.hear_pair(BTC_EUR)
    assert tape.pair is other.pair


def test_a_tape_is_its_state() -> None:
    tape = fed(0, 1, 2)
    copy = Tape(Ns(0))
    copy.become(tape.state())
    assert copy.state() == tape.state()
    assert observe(copy, at(4), TIME) == observe(tape, at(4), TIME)


def test_the_newest_value_stands_until_the_next_however_old_it_is() -> None:
    extremes = Extremes(Ns(60 * SECOND))
    assert extremes.of(at(0)) is None
    extremes.add(at(0), 5.0)
    assert extremes.of(at(1_000)) == (5.0, 5.0)


@pytest.mark.parametrize(
    ("mids", "move"),
    [
        ((100, 103), 0.03),
        ((100, 97), 0.03),
        ((100, 104, 102), 0.02),  # from the least
        ((100, 96, 95, 99), 99 / 95 - 1),
        ((100, 110, 104), 1 - 104 / 110),  # from the largest
    ],
)
def test_the_move_is_the_larger_of_the_way_up_and_the_way_down(
    mids: tuple[int, ...], move: float
) -> None:
    tape = fed()
    for number, mid in enumerate(mids):
        tape.hear_book(make_book(at(number), mid * 10_000, seq=number + 1), at(number), TIME)
    view = observe(tape, at(len(mids) - 1), TIME)
    assert view is not None
    assert view.move_60s == pytest.approx(move)


@pytest.mark.parametrize(("second", "move"), [(60.0, 0.1), (60.1, 0.0)])
def test_a_minute_old_counts_and_older_does_not(second: float, move: float) -> None:
    tape = fed()
    for number, (moment, mid) in enumerate(((0.0, MID), (0.05, MID * 11 // 10))):
        tape.hear_book(make_book(at(moment), mid, seq=number + 1), at(moment), TIME)
    assert tape.move(at(second), MID * 11 // 10) == pytest.approx(move)


def test_three_seconds_of_silence_are_borne_and_more_must_be_proven_away() -> None:
    for silence, freshness in ((3.0, Freshness.FRESH), (3.001, Freshness.SETTLING)):
        tape = fed(0, 1, 2)
        tape.hear_book(make_book(at(2 + silence), seq=9), at(2 + silence), TIME)
        assert tape.freshness(at(2 + silence), TIME) is freshness


@pytest.mark.parametrize(
    ("age", "freshness"), [(3 * SECOND, Freshness.FRESH), (3 * SECOND + 1, Freshness.STALE)]
)
def test_a_book_that_was_heard_three_seconds_ago_is_still_good(
    age: int, freshness: Freshness
) -> None:
    tape = fed(0, 1, 2, 3)
    tape.hear_book(make_book(at(4), seq=9, age=age), at(4), TIME)
    assert tape.freshness(at(4), TIME) is freshness


def test_after_an_invalid_book_two_seconds_of_good_ones_are_wanted_again() -> None:
    tape = fed(0, 1, 2, 3)
    tape.hear_book(make_book(at(3.5), seq=8, valid=False), at(3.5), TIME)
    assert tape.freshness(at(3.5), TIME) is Freshness.STALE
    view = observe(tape, at(3.5), TIME)
    assert view is not None
    assert (view.bid, view.ask, view.mid, view.why, view.age) == (0, 0, 0.0, "checksum", 0)
    for moment, freshness in ((4, Freshness.SETTLING), (5, Freshness.SETTLING), (6, "fresh")):
        tape.hear_book(make_book(at(moment), seq=5 + moment), at(moment), TIME)
        assert tape.freshness(at(moment), TIME) == freshness


def test_an_invalid_book_is_no_part_of_the_moves() -> None:
    tape = fed(0, 1)
    before = tape.extremes(at(2))
    tape.hear_book(make_book(at(2), MID * 2, seq=9, age=4 * SECOND), at(2), TIME)
    assert tape.extremes(at(2)) == before == (MID, MID)


def test_a_window_without_trades_leaves_the_average_as_it_was() -> None:
    tape = fed(0)
    tape.hear_vwap(
        frames.Vwap(Ns(1), 1, at(0), at(0), "BTC/EUR", (frames.VwapWindow(60, 7.5, 1, 1),))
    )
    tape.hear_vwap(frames.Vwap(Ns(1), 2, at(0), at(0), "BTC/EUR", ()))
    assert tape.vwap == 7.5


@pytest.mark.parametrize("count", [1, 3, 70, 200])
def test_a_run_that_is_heard_at_once_leaves_what_its_books_would_have_left(count: int) -> None:
    mids = [MID + (n * 7_919) % 1_000 * 10 for n in range(count)]
    nows = [at(n + 3) for n in range(count)]
    one_by_one, at_once = fed(0, 1, 2), fed(0, 1, 2)
    books = [make_book(nows[n], mids[n], seq=n + 4) for n in range(count)]
    for book, now in zip(books, nows, strict=True):
        one_by_one.hear_book(book, now, TIME)
    at_once.hear_run(books[-1], nows, [float(mid) for mid in mids])
    end = nows[-1]
    assert at_once.extremes(end) == one_by_one.extremes(end)
    assert observe(at_once, end, TIME) == observe(one_by_one, end, TIME)
