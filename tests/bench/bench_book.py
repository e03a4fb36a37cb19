"""Raw bytes to a verified book: ours beside its floor and beside what one would write first.

Run it with `python tests/bench/bench_book.py`. The three take turns on the same messages, so that a
slow moment of the machine meets all of them; figures are medians.
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import zlib
from collections.abc import Callable
from decimal import Decimal

import msgspec

from feed.book import APPLIED, Book
from shared.clock import perf
from shared.kraken import public
from shared.kraken.checksum import book_checksum
from shared.units import fixed_text

DECIMALS = (1, 8)
MESSAGES = 4_000
ROUNDS = 9
MID = 628_000


def main() -> None:
    print(f"Python {platform.python_version()}, msgspec {msgspec.__version__}; ns per message")
    header = ("depth", "ours", "decode alone", "ours/floor", "json+Decimal+sort", "ours/naive")
    print("  ".join(f"{name:>18}" for name in header))
    for depth in (10, 25, 100, 1000):
        messages = make_messages(depth, MESSAGES)
        ours, floor, naive = compare(depth, messages)
        numbers = (depth, ours, floor, ours / floor, naive, ours / naive)
        print("  ".join(f"{n:>18.2f}" if n < 100 else f"{n:>18.0f}" for n in numbers))


def compare(depth: int, messages: list[bytes]) -> tuple[float, float, float]:
    """Medians of ns per message: ours, the floor, the naive one."""
    runners = (run_ours, run_floor, run_naive)
    times: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for number, runner in enumerate(runners):
            begun = perf()
            runner(depth, messages)
            times[number].append((perf() - begun) / len(messages))
    ours, floor, naive = (statistics.median(each) for each in times)
    return ours, floor, naive


def run_ours(depth: int, messages: list[bytes]) -> None:
    book = Book(depth, *DECIMALS)
    decode: Callable[[bytes], public.Message] = public.decode
    for raw in messages:
        message = decode(raw)
        assert isinstance(message, public.BookMessage)
        assert book.apply(message.data[0], message.type == "snapshot") is APPLIED


def run_floor(_depth: int, messages: list[bytes]) -> None:
    decode = msgspec.json.Decoder(public.BookMessage[float]).decode
    for raw in messages:
        decode(raw)


def run_naive(depth: int, messages: list[bytes]) -> None:
    """Kraken's own guide, followed to the letter."""
    sides: dict[str, dict[Decimal, Decimal]] = {"asks": {}, "bids": {}}
    for raw in messages:
        message = json.loads(raw, parse_float=Decimal)
        row = message["data"][0]
        if message["type"] == "snapshot":
            sides = {"asks": {}, "bids": {}}
        text = ""
        for name, falling in (("asks", False), ("bids", True)):
            for level in row[name]:
                if level["qty"]:
                    sides[name][level["price"]] = level["qty"]
                else:
                    sides[name].pop(level["price"], None)
            best = sorted(sides[name].items(), reverse=falling)[:depth]
            sides[name] = dict(best)
            for price, qty in best[:10]:
                text += f"{price:.1f}".replace(".", "").lstrip("0")
                text += f"{qty:.8f}".replace(".", "").lstrip("0")
        assert zlib.crc32(text.encode()) == row["checksum"]


def make_messages(depth: int, count: int) -> list[bytes]:
    """A snapshot and updates as Kraken's are: 1.35 levels a message, a fifth of them deletions."""
    chance = random.Random(7)
    asks = {MID + 1 + i: chance.randrange(1, 10**9) for i in range(depth)}
    bids = {MID - i: chance.randrange(1, 10**9) for i in range(depth)}
    messages = [_message("snapshot", asks, bids, asks, bids)]
    for _ in range(count - 1):
        changes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(chance.choices((1, 2, 4, 9), (75, 18, 6, 1))[0]):
            side = chance.randrange(2)
            _change(chance, (asks, bids)[side], changes[side], 1 - 2 * side, depth)
        messages.append(_message("update", *changes, asks, bids))
    return messages


def _change(
    chance: random.Random, held: dict[int, int], changes: dict[int, int], sign: int, depth: int
) -> None:
    """Near the touch most of the time; what is deleted makes room for a level further out."""
    prices = sorted(held, key=lambda price: price * sign)
    price = prices[min(int(chance.expovariate(0.3)), depth - 1)]
    if chance.random() < 0.2:
        further = prices[-1] + sign * chance.randrange(1, 5)
        changes[price] = 0
        changes[further] = held[further] = chance.randrange(1, 10**9)
        del held[price]
    else:
        changes[price] = held[price] = chance.randrange(1, 10**9)


def _message(
    kind: str,
    new_asks: dict[int, int],
    new_bids: dict[int, int],
    asks: dict[int, int],
    bids: dict[int, int],
) -> bytes:
    checksum = book_checksum(sorted(asks.items()), sorted(bids.items(), reverse=True))
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{_wire(new_bids)}],'
        f'"asks":[{_wire(new_asks)}],"checksum":{checksum},'
        '"timestamp":"2026-09-25T17:48:26.844359Z"}]}'
    ).encode()


def _wire(levels: dict[int, int]) -> str:
    texts = [(fixed_text(t, DECIMALS[0]), fixed_text(s, DECIMALS[1])) for t, s in levels.items()]
    return ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in texts)


if __name__ == "__main__":
    main()
