"""One hop over the bus: ours beside its floor and beside what one would write first.

Run it with `python tests/bench/bench_bus.py`. A process publishes a ten-level book each 0.5 ms; the
receivers take turns at it, so that a slow moment of the machine meets all of them. The time is
from before the encoding to after the decoding. The floor is a thread that does nothing but wait.
"""

from __future__ import annotations

import asyncio
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import msgspec
import uvloop
import zmq
import zmq.asyncio

from shared.bus import Publisher, Subscriber, address
from shared.clock import perf
from shared.frames import Book, decode, encode, topic
from shared.units import Ns

FRAMES = 1_000
WARM = 100
ROUNDS = 5
PACE_S = 0.0005
CODEC_TURNS = 20_000

Receiver = Callable[[str], list[int]]


def main() -> None:
    if len(sys.argv) > 1:
        publish(Path(sys.argv[1]))
        return
    print(
        f"Python {platform.python_version()}, pyzmq {zmq.__version__}, libzmq {zmq.zmq_version()}, "
        f"uvloop {version('uvloop')}, msgspec {msgspec.__version__}"
    )
    codec()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, folder]
        with subprocess.Popen(command) as sender:
            try:
                times = hop(str(Path(folder) / "feed.pub"))
            finally:
                sender.terminate()
    floor = [_at(times["blocking recv (floor)"], part) for part in (0.5, 0.99)]
    print(f"{'hop of a frame, us':>28}  {'p50':>8}  {'p99':>8}  {'p50/floor':>9}  {'p99/floor':>9}")
    for name, taken in times.items():
        p50, p99 = _at(taken, 0.5), _at(taken, 0.99)
        ratios = f"{p50 / floor[0]:>9.2f}  {p99 / floor[1]:>9.2f}"
        print(f"{name:>28}  {p50 / 1e3:>8.1f}  {p99 / 1e3:>8.1f}  {ratios}")


def hop(path: str) -> dict[str, list[int]]:
    """ns of each frame, by receiver."""
    receivers: dict[str, Receiver] = {
        "blocking recv (floor)": receive_blocking,
        "ours, uvloop": receive_ours_uvloop,
        "ours, asyncio": receive_ours_asyncio,
        "zmq.asyncio, uvloop": receive_zmq_asyncio,
    }
    times: dict[str, list[int]] = {name: [] for name in receivers}
    for _ in range(ROUNDS):
        for name, receive in receivers.items():
            times[name] += receive(path)[WARM:]
    return times


def publish(folder: Path) -> None:
    publisher = Publisher(folder / "feed.pub", folder / "feed.lock")
    while True:
        publisher.send(topic("book", "BTC/EUR"), encode(book(Ns(perf()))))
        time.sleep(PACE_S)


def book(sent: Ns) -> Book:
    prices = tuple(range(849_900, 849_910))
    qtys = tuple(range(100_000_000, 100_000_010))
    return Book(Ns(1), 2, sent, sent, "BTC/EUR", True, "", prices, qtys, prices, qtys, sent)


def age_of(payload: bytes) -> int:
    frame = decode(payload)
    assert isinstance(frame, Book)
    return perf() - frame.changed_at


def receive_blocking(path: str) -> list[int]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(address(path))
    times = [age_of(socket.recv_multipart()[1]) for _ in range(FRAMES)]
    socket.close(0)
    return times


def receive_ours_uvloop(path: str) -> list[int]:
    return uvloop.run(_receive_ours(path))


def receive_ours_asyncio(path: str) -> list[int]:
    return asyncio.run(_receive_ours(path))


async def _receive_ours(path: str) -> list[int]:
    times: list[int] = []
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def on_frame(_topic: bytes, payload: bytes) -> None:
        times.append(age_of(payload))
        if len(times) == FRAMES:
            done.set_result(None)

    subscriber = Subscriber(loop, [path], [b""], on_frame)
    await done
    subscriber.close()
    return times[:FRAMES]


def receive_zmq_asyncio(path: str) -> list[int]:
    async def receive() -> list[int]:
        socket = zmq.asyncio.Context.instance().socket(zmq.SUB)
        socket.subscribe(b"")
        socket.connect(address(path))
        times = [age_of((await socket.recv_multipart())[1]) for _ in range(FRAMES)]
        socket.close(0)
        return times

    return uvloop.run(receive())


def codec() -> None:
    """ns to encode and to decode a book of ten levels, and its size."""
    frame = book(Ns(1))
    payload = encode(frame)
    turns = (lambda: encode(frame), lambda: decode(payload))
    medians = []
    for turn in turns:
        rounds = []
        for _ in range(ROUNDS):
            begun = perf()
            for _ in range(CODEC_TURNS):
                turn()
            rounds.append((perf() - begun) / CODEC_TURNS)
        medians.append(statistics.median(rounds))
    print(
        f"book frame: {len(payload)} bytes, encode {medians[0]:.0f} ns, decode {medians[1]:.0f} ns"
    )


def _at(values: list[int], part: float) -> int:
    return sorted(values)[int(len(values) * part)]


if __name__ == "__main__":
    main()
