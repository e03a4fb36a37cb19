"""The feed as a process: a small exchange on loopback, the bus, signals and exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from shared import frames
from shared.bus import Subscriber
from shared.kraken.checksum import book_checksum

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 20

STATUS = '{"channel":"status","type":"update","data":[{"system":"online","connection_id":1}]}'
INSTRUMENT = (
    '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"%s",'
    '"base":"BTC","quote":"EUR","status":"online","qty_precision":8,"qty_increment":1e-08,'
    '"price_precision":1,"price_increment":0.1,"cost_precision":5,"cost_min":0.50,'
    '"qty_min":0.00005000}]}}'
)
BOOK = (
    '{"channel":"book","type":"%s","data":[{"symbol":"%s","bids":[{"price":85000.0,'
    '"qty":0.10000000}],"asks":[{"price":85001.0,"qty":0.20000000}],"checksum":%d}]}'
)
CHECKSUM = book_checksum([(850_010, 20_000_000)], [(850_000, 10_000_000)])

Valid = Callable[[frames.AnyFrame], bool]


class Exchange:
    """Acknowledges everything, sends one snapshot for each book, and heartbeats."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.requests: list[dict[str, Any]] = []

    async def talk(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        await connection.send(STATUS)
        beating = asyncio.ensure_future(self._beat(connection))
        try:
            async for raw in connection:
                request = json.loads(raw)
                self.requests.append(request)
                if request["method"] in ("subscribe", "unsubscribe"):
                    await self._answer(connection, request)
        finally:
            beating.cancel()

    async def _answer(self, connection: ServerConnection, request: dict[str, Any]) -> None:
        channel = request["params"]["channel"]
        for symbol in request["params"].get("symbol", [""]):
            result = {"channel": channel} | ({"symbol": symbol} if symbol else {})
            answer = {"method": request["method"], "req_id": request["req_id"], "result": result}
            await connection.send(json.dumps(answer | {"success": True}))
            if request["method"] == "subscribe" and channel == "book":
                await connection.send(BOOK % ("snapshot", symbol, CHECKSUM))
        if channel == "instrument":
            await connection.send(INSTRUMENT % "BTC/EUR")

    async def _beat(self, connection: ServerConnection) -> None:
        while True:
            await asyncio.sleep(1)
            await connection.send('{"channel":"heartbeat"}')


class House:
    """One feed process and everything it publishes."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.frames: asyncio.Queue[frames.AnyFrame] = asyncio.Queue()
        self.process: asyncio.subprocess.Process | None = None
        (home / "run").mkdir(mode=0o700)
        (home / "run" / "session.toml").write_text(
            f'pair = "BTC/EUR"\n[demo]\npublic_port = {port}\n'
        )

    async def start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "feed", "--home", str(self.home),
            cwd=ROOT, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def wait_for(self, wanted: Valid) -> Any:
        async with asyncio.timeout(LIMIT_S):
            while True:
                frame = await self.frames.get()
                if wanted(frame):
                    return frame


@contextlib.asynccontextmanager
async def running(home: Path, exchange: Exchange) -> AsyncIterator[House]:
    async with serve(exchange.talk, "127.0.0.1", 0) as server:
        house = House(home, next(iter(server.sockets)).getsockname()[1])

        def hear(_topic: bytes, payload: bytes) -> None:
            frame = frames.decode(payload)
            assert frame is not None
            house.frames.put_nowait(frame)

        subscriber = Subscriber(
            asyncio.get_running_loop(), [home / "run" / "feed.pub"], [b"1/"], hear
        )
        house.process = await house.start()
        try:
            yield house
        finally:
            if house.process.returncode is None:
                house.process.kill()
            await house.process.wait()
            subscriber.close()


def is_book(valid: bool) -> Valid:
    return lambda frame: isinstance(frame, frames.Book) and frame.valid is valid


def test_the_feed_publishes_recovers_from_faults_and_stops_when_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with running(tmp_path, exchange) as house:
            assert house.process is not None
            shown = await house.wait_for(is_book(True))
            assert (shown.pair, shown.bids, shown.asks) == ("BTC/EUR", (850_000,), (850_010,))

            # A wrong checksum: hidden, subscribed anew, shown again.
            await exchange.connections[-1].send(BOOK % ("update", "BTC/EUR", 7))
            hidden = await house.wait_for(is_book(False))
            assert hidden.why == "checksum mismatch"
            await house.wait_for(is_book(True))
            assert len(exchange.connections) == 1

            # A cut line: hidden, a new line, shown again.
            exchange.connections[-1].transport.abort()
            hidden = await house.wait_for(is_book(False))
            assert "line down" in hidden.why
            again = await house.wait_for(is_book(True))
            assert again.boot == shown.boot
            assert len(exchange.connections) == 2

            # A second feed of the same home is refused and says by whom.
            second = await house.start()
            _, said = await asyncio.wait_for(second.communicate(), LIMIT_S)
            assert second.returncode == 1
            assert str(house.process.pid) in said.decode()

            house.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(house.process.wait(), LIMIT_S) == 0
            assert house.process.stderr is not None
            assert await house.process.stderr.read() == b""
        logged = (tmp_path / "log" / "feed.jsonl").read_text()
        for event in (
            "feed_started",
            "book_desynced",
            "book_resynced",
            "line_lost",
            "feed_stopped",
        ):
            assert event in logged

    asyncio.run(scenario())


def test_a_feed_without_an_exchange_says_so_and_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with running(tmp_path, exchange) as house:
            assert house.process is not None
            house.process.kill()
            await house.process.wait()
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
                port = taken.getsockname()[1]
                (tmp_path / "run" / "session.toml").write_text(f"[demo]\npublic_port = {port}\n")
                house.process = await house.start()
                beat = await house.wait_for(
                    lambda f: isinstance(f, frames.Beat) and f.connects >= 3
                )
                assert beat.phase in ("waiting", "connecting")
                house.process.send_signal(signal.SIGINT)
                assert await asyncio.wait_for(house.process.wait(), LIMIT_S) == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", ["[feed]\ndepth = 11\n", "not toml ["])
def test_a_faulty_configuration_ends_with_78_and_one_line(fault: str, tmp_path: Path) -> None:
    async def scenario() -> tuple[int | None, str]:
        house = House(tmp_path, 1)
        (tmp_path / "run" / "session.toml").write_text(fault)
        process = await house.start()
        _, said = await asyncio.wait_for(process.communicate(), LIMIT_S)
        return process.returncode, said.decode()

    code, said = asyncio.run(scenario())
    assert code == os.EX_CONFIG == 78
    assert said.count("\n") == 1
    assert "configuration" in said
