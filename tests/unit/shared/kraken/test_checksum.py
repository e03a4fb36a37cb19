"""The checksum against Kraken's documented example and a short book."""

from __future__ import annotations

import zlib

from shared.kraken.checksum import book_checksum, level_text, side_text

ASKS = [
    ("45285.2", "0.00100000"), ("45286.4", "1.54571953"), ("45286.6", "1.54571109"),
    ("45289.6", "1.54560911"), ("45290.2", "0.15890660"), ("45291.8", "1.54553491"),
    ("45294.7", "0.04454749"), ("45296.1", "0.35380000"), ("45297.5", "0.09945542"),
    ("45299.5", "0.18772827"),
]  # fmt: skip
BIDS = [
    ("45283.5", "0.10000000"), ("45283.4", "1.54582015"), ("45282.1", "0.10000000"),
    ("45281.0", "0.10000000"), ("45280.3", "1.54592586"), ("45279.0", "0.07990000"),
    ("45277.6", "0.03310103"), ("45277.5", "0.30000000"), ("45277.3", "1.54602737"),
    ("45276.6", "0.15445238"),
]  # fmt: skip


def counts(levels: list[tuple[str, str]]) -> list[tuple[int, int]]:
    return [(int(price.replace(".", "")), int(qty.replace(".", ""))) for price, qty in levels]


def test_the_documented_example_gives_the_documented_checksum() -> None:
    assert book_checksum(counts(ASKS), counts(BIDS)) == 3310070434


def test_the_text_of_a_side_is_the_documented_one() -> None:
    assert side_text(counts(ASKS)) == (
        "45285210000045286415457195345286615457110945289615456091145290215890660452918154553491"
        "452947445474945296135380000452975994554245299518772827"
    )


def test_bids_before_asks_is_another_checksum() -> None:
    assert book_checksum(counts(BIDS), counts(ASKS)) == 2704419326


def test_leading_zeros_of_small_prices_are_not_written() -> None:
    assert level_text(295, 2732232050993) == "2952732232050993"


def test_a_short_book_counts_what_there_is() -> None:
    asks, bids = [(1005, 1_000_000), (1010, 200_000_000)], [(1000, 50_000_000)]
    assert book_checksum(asks, bids) == 2767129102
    assert book_checksum([], []) == zlib.crc32(b"") == 0


def test_levels_beyond_the_tenth_do_not_count() -> None:
    asks = counts(ASKS)
    assert book_checksum([*asks, (10**9, 1)], counts(BIDS)) == 3310070434
