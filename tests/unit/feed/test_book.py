"""The book's cases that a property test would hardly name."""

from __future__ import annotations

import pytest

from feed.book import Applied, Book, Crossed, Imprecise, Mismatch, OneSided, Unusable
from shared.kraken.checksum import book_checksum
from shared.kraken.public import BookRow, Level

Levels = list[tuple[int, int]]  # Ticks of 0.1, Sats


def row(bids: Levels, asks: Levels, checksum: int) -> BookRow[float]:
    return BookRow("BTC/USD", checksum, _levels(bids), _levels(asks))


def _levels(levels: Levels) -> list[Level[float]]:
    return [Level(ticks / 10, sats / 1e8) for ticks, sats in levels]


ASKS = [(1000 + i, 10 + i) for i in range(10)]
BIDS = [(999 - i, 20 + i) for i in range(10)]


def full_book(depth: int = 10) -> Book:
    book = Book(depth, 1, 8)
    assert book.apply(row(BIDS, ASKS, book_checksum(ASKS, BIDS)), snapshot=True) == Applied()
    return book


def test_a_level_that_is_pushed_out_is_forgotten_without_being_deleted() -> None:
    book = full_book()
    asks = [(1000, 10), (1000, 99)]  # the same price twice: the last one wins
    expected = [(1000, 99), *ASKS[1:]]
    assert book.apply(row([], asks, book_checksum(expected, BIDS)), snapshot=False) == Applied()
    closer = [(9995 // 10 + 1, 5)]
    assert closer[0][0] == 1000
    better = [(998, 7)]  # the best ask falls through the best bid: verified, but crossed
    expected = [*better, *expected[:-1]]
    result = book.apply(row([], better, book_checksum(expected, BIDS)), snapshot=False)
    assert result == Crossed(999, 998)
    assert book.asks(100)[0] == tuple(ticks for ticks, _ in expected)


def test_deleting_what_is_not_held_changes_nothing() -> None:
    book = full_book()
    same = book_checksum(ASKS, BIDS)
    assert book.apply(row([(1, 0)], [(5000, 0)], same), snapshot=False) == Applied()


def test_a_change_below_the_best_ten_is_verified_against_the_same_checksum() -> None:
    book = full_book(depth=25)
    same = book_checksum(ASKS, BIDS)
    assert book.apply(row([(500, 1)], [(5000, 1)], same), snapshot=False) == Applied()
    assert book.apply(row([(501, 1)], [], same + 1), snapshot=False) == Mismatch(same + 1, same)


def test_a_level_from_below_moves_up_into_the_checksum() -> None:
    book = full_book(depth=25)
    book.apply(row([], [(5000, 7)], book_checksum(ASKS, BIDS)), snapshot=False)
    moved = [*ASKS[1:], (5000, 7)]
    assert book.apply(row([], [(1000, 0)], book_checksum(moved, BIDS)), snapshot=False) == Applied()


def test_an_empty_side_is_verified_but_one_sided() -> None:
    book = Book(10, 1, 8)
    assert book.apply(row([], [], 0), snapshot=True) == OneSided()
    assert book.apply(row([], ASKS, book_checksum(ASKS, [])), snapshot=False) == OneSided()
    assert book.apply(row(BIDS, [], book_checksum(ASKS, BIDS)), snapshot=False) == Applied()


def test_a_locked_book_is_crossed() -> None:
    levels = [(1000, 1)]
    result = Book(10, 1, 8).apply(row(levels, levels, book_checksum(levels, levels)), snapshot=True)
    assert result == Crossed(1000, 1000)


def test_a_snapshot_forgets_what_was_before() -> None:
    book = full_book()
    asks, bids = [(77, 1)], [(76, 2)]
    assert book.apply(row(bids, asks, book_checksum(asks, bids)), snapshot=True) == Applied()
    assert book.bids(10) == ((76,), (2,))


@pytest.mark.parametrize(
    "level",
    [Level(-1.0, 1.0), Level(0.0, 1.0), Level(1.0, -1.0), Level(float("nan"), 1.0)],
)
def test_a_number_that_cannot_be_makes_the_book_unusable(level: Level[float]) -> None:
    result = full_book().apply(BookRow("BTC/USD", 0, [level], []), snapshot=False)
    assert isinstance(result, Unusable)


@pytest.mark.parametrize("level", [Level(1e15, 1.0), Level(1.0, 1e8)])
def test_a_float_with_too_many_digits_is_not_believed(level: Level[float]) -> None:
    result = full_book().apply(BookRow("BTC/USD", 0, [level], []), snapshot=False)
    assert result == Imprecise()
