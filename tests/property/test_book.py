"""The fast book against a slow one that anybody can read, over any sequence of messages."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from feed.book import EXACT_BELOW, Applied, Book, Crossed, Imprecise, Mismatch, OneSided
from shared.kraken.checksum import book_checksum
from shared.kraken.public import BookRow, Level, decode, decode_exact
from shared.units import fixed_text

DEPTH = 10


class NaiveBook:
    """A dict per side, sorted anew after each message."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}

    def apply(self, side: str, changes: list[tuple[int, int]]) -> None:
        held = self.sides[side]
        for ticks, sats in changes:
            if sats:
                held[ticks] = sats
            else:
                held.pop(ticks, None)

    def truncate(self) -> None:
        for side in self.sides:
            self.sides[side] = dict(self.levels(side)[:DEPTH])

    def levels(self, side: str) -> list[tuple[int, int]]:
        return sorted(self.sides[side].items(), reverse=side == "bids")

    def checksum(self) -> int:
        return book_checksum(self.levels("asks"), self.levels("bids"))


def wire(levels: list[tuple[int, int]], decimals: tuple[int, int]) -> str:
    pairs = [(fixed_text(t, decimals[0]), fixed_text(s, decimals[1])) for t, s in levels]
    return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in pairs) + "]"


def message(kind: str, bids: str, asks: str, checksum: int) -> bytes:
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"A/B","bids":{bids},'
        f'"asks":{asks},"checksum":{checksum}}}]}}'
    ).encode()


def changes(lowest: int, highest: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    qty = st.one_of(st.just(0), st.integers(1, 10**11))
    return st.lists(st.tuples(st.integers(lowest, highest), qty), max_size=16)


MESSAGES = st.lists(
    st.tuples(st.booleans(), changes(1, 40), changes(30, 70)), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(MESSAGES, st.tuples(st.integers(0, 5), st.integers(0, 8)))
def test_any_sequence_of_messages_gives_the_naive_book(
    script: list[tuple[bool, list[tuple[int, int]], list[tuple[int, int]]]],
    decimals: tuple[int, int],
) -> None:
    book, naive = Book(DEPTH, *decimals), NaiveBook()
    for number, (again, bids, asks) in enumerate(script):
        snapshot = again or number == 0
        if snapshot:
            naive = NaiveBook()
        naive.apply("bids", bids)
        naive.apply("asks", asks)
        naive.truncate()
        kind = "snapshot" if snapshot else "update"
        raw = message(kind, wire(bids, decimals), wire(asks, decimals), naive.checksum())
        row = decode(raw).data[0]  # type: ignore[union-attr]
        result = book.apply(row, snapshot)  # type: ignore[arg-type]
        assert list(zip(*book.bids(DEPTH), strict=True)) == naive.levels("bids")
        assert list(zip(*book.asks(DEPTH), strict=True)) == naive.levels("asks")
        if not naive.sides["bids"] or not naive.sides["asks"]:
            assert result == OneSided()
        elif naive.levels("bids")[0][0] >= naive.levels("asks")[0][0]:
            assert isinstance(result, Crossed)
        else:
            assert result == Applied()


@settings(max_examples=100, deadline=None)
@given(changes(1, 40), changes(30, 70), st.integers(1, 2**32 - 1))
def test_a_wrong_checksum_is_always_seen(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], off: int
) -> None:
    naive = NaiveBook()
    naive.apply("bids", bids)
    naive.apply("asks", asks)
    naive.truncate()
    raw = message(
        "snapshot", wire(bids, (1, 8)), wire(asks, (1, 8)), (naive.checksum() + off) % 2**32
    )
    row = decode(raw).data[0]  # type: ignore[union-attr]
    assert isinstance(Book(DEPTH, 1, 8).apply(row, snapshot=True), Mismatch)  # type: ignore[arg-type]


@settings(max_examples=500, deadline=None)
@given(st.integers(1, EXACT_BELOW - 1), st.integers(0, 15))
def test_floats_of_up_to_fifteen_digits_round_to_what_was_written(
    count: int, decimals: int
) -> None:
    text = fixed_text(count, decimals)
    assert int(float(text) * 10.0**decimals + 0.5) == count
    assert Decimal(text).scaleb(decimals) == count


@settings(max_examples=100, deadline=None)
@given(st.integers(EXACT_BELOW * 2, 10**18), st.integers(1, 10**12))
def test_longer_numbers_are_read_again_and_kept_exactly(ticks: int, sats: int) -> None:
    asks, bids = [(ticks, sats)], [(ticks - 1, sats)]
    checksum = book_checksum(asks, bids)
    raw = message("snapshot", wire(bids, (3, 8)), wire(asks, (3, 8)), checksum)
    book = Book(DEPTH, 3, 8)
    assert book.apply(decode(raw).data[0], snapshot=True) == Imprecise()  # type: ignore[union-attr,arg-type]
    exact = decode_exact(raw)
    assert book.apply_exact(exact.data[0], snapshot=True) == Applied()  # type: ignore[union-attr]
    assert book.asks(1) == ((ticks,), (sats,))


def test_an_update_row_can_be_built_without_the_wire() -> None:
    row = BookRow("A/B", 0, [Level(1.0, 0.0)], [])
    assert Book(DEPTH, 1, 8).apply(row, snapshot=False) == OneSided()
