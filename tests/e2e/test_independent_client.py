"""A client that we did not write must be able to use the simulated exchange."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAIR = "BTC/EUR"

kraken_spot = pytest.importorskip("kraken.spot", reason="python-kraken-sdk is not installed")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class House:
    """The exchange as a process of its own, in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.public, self.private = _free_port(), _free_port()
        self.config = home / "test.toml"
        self.config.write_text(
            f"[demo]\npublic_port = {self.public}\nprivate_port = {self.private}\n"
            "latency_ms = 0\nspeed = 5\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["-m", "sim", "--home", str(self.home), "--config", str(self.config)]
        self.process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT)
        deadline = time.monotonic() + 20
        while True:
            assert self.process.poll() is None, "the exchange did not stay up"
            assert time.monotonic() < deadline, "the exchange did not come up"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.private)) == 0:
                    return
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    @property
    def key(self) -> dict[str, Any]:
        return tomllib.loads((self.home / "data" / "demo_key.toml").read_text())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    found.start()
    yield found
    if found.process is not None and found.process.poll() is None:
        found.stop(signal.SIGKILL)


class Heard:
    """Messages in order, with waiting for one that fits."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    async def take(self, message: Any) -> None:
        self.messages.append(message)
        self._news.set()

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                for message in self.messages:
                    if fits(message):
                        return message
                self._news.clear()
                await self._news.wait()

    async def execution(self, exec_type: str) -> dict[str, Any]:
        def fits(message: dict[str, Any]) -> bool:
            rows = message.get("data", [])
            return message.get("channel") == "executions" and any(
                row.get("exec_type") == exec_type for row in rows if message["type"] == "update"
            )

        row: dict[str, Any] = (await self.until(fits))["data"][0]
        return row

    def rows(self, channel: str, exec_type: str | None) -> list[dict[str, Any]]:
        """All rows that a channel has told since its snapshot."""
        told = [m for m in self.messages if m.get("channel") == channel and m["type"] == "update"]
        rows = [row for message in told for row in message["data"]]
        return [row for row in rows if row.get("exec_type") == exec_type]

    async def ack(self, method: str) -> dict[str, Any]:
        return await self.until(lambda message: message.get("method") == method)


def _run(house: House, talk: Callable[[Any, Heard], Awaitable[None]]) -> None:
    async def main() -> None:
        heard = Heard()
        client = kraken_spot.SpotWSClient(
            key=house.key["api_key"],
            secret=house.key["api_secret"],
            callback=heard.take,
            no_public=True,
            rest_url=f"http://127.0.0.1:{house.private}",
            ws_url=f"ws://127.0.0.1:{house.public}",
            auth_ws_url=f"ws://127.0.0.1:{house.private}",
        )
        async with client:
            await talk(client, heard)

    asyncio.run(main())


def test_its_order_book_passes_its_own_checksum_for_many_updates(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = f"http://127.0.0.1:{house.public}"
    monkeypatch.setattr(kraken_spot.SpotClient, "URL", rest)
    monkeypatch.setattr(kraken_spot.SpotAsyncClient, "URL", rest)
    monkeypatch.setattr(kraken_spot.SpotWSClient, "WS_URL", f"ws://127.0.0.1:{house.public}")

    async def main(depth: int) -> None:
        updates = 0
        enough = asyncio.Event()

        async def see(pair: str, message: dict[str, Any]) -> None:
            nonlocal updates
            assert "error" not in message, message
            book = client.get(pair=pair)
            assert book["valid"]
            assert len(book["bid"]) == len(book["ask"]) == depth
            updates += 1
            if updates > 100:
                enough.set()

        client = kraken_spot.SpotOrderBookClient(depth=depth, callback=see)
        await client.start()
        await client.add_book(pairs=[PAIR])
        async with asyncio.timeout(40):
            await enough.wait()
        await client.close()
        assert not client.exception_occur

    asyncio.run(main(10))
    asyncio.run(main(100))


def test_it_places_amends_and_cancels_an_order_and_hears_of_it(house: House) -> None:
    async def talk(client: Any, heard: Heard) -> None:
        await client.subscribe(
            params={"channel": "executions", "snap_orders": True, "snap_trades": True}
        )
        snapshot = await heard.until(
            lambda m: m.get("channel") == "executions" and m["type"] == "snapshot"
        )
        assert snapshot["sequence"] == 1
        assert len(snapshot["data"]) == 4, "the opening lots are past trades"
        order = {
            "order_type": "limit",
            "side": "buy",
            "order_qty": 0.001,
            "symbol": PAIR,
            "limit_price": 70000.0,
            "cl_ord_id": "sdk1",
            "post_only": True,
        }
        await client.send_message({"method": "add_order", "params": order})
        placed = await heard.ack("add_order")
        assert placed["success"]
        assert (await heard.execution("new"))["order_id"] == placed["result"]["order_id"]
        change = {"cl_ord_id": "sdk1", "limit_price": 70010.0, "order_qty": 0.0011}
        await client.send_message({"method": "amend_order", "params": change})
        assert (await heard.ack("amend_order"))["success"]
        amended = await heard.execution("amended")
        assert (amended["limit_price"], amended["order_qty"]) == (70010.0, 0.0011)
        await client.send_message({"method": "cancel_order", "params": {"cl_ord_id": ["sdk1"]}})
        assert (await heard.ack("cancel_order"))["success"]
        assert (await heard.execution("canceled"))["reason"] == "User requested"

    _run(house, talk)


def test_a_taking_order_is_filled_and_booked(house: House) -> None:
    async def talk(client: Any, heard: Heard) -> None:
        await client.subscribe(params={"channel": "executions", "snap_trades": False})
        await client.subscribe(params={"channel": "balances"})
        await heard.until(lambda m: m.get("channel") == "balances" and m["type"] == "snapshot")
        order = {"order_type": "market", "side": "sell", "order_qty": 0.001, "symbol": PAIR}
        await client.send_message({"method": "add_order", "params": order})
        await heard.execution("filled")
        # A thin best level makes two fills of one order.
        fills = heard.rows("executions", "trade")
        for fill in fills:
            assert fill["liquidity_ind"] == "t"
            assert fill["fees"] == [{"asset": "EUR", "qty": fill["fee_usd_equiv"]}]
        assert sum(fill["last_qty"] for fill in fills) == pytest.approx(0.001)
        rows = heard.rows("balances", None)
        assert [row["asset"] for row in rows] == ["BTC", "EUR"] * len(fills)
        assert {row["ref_id"] for row in rows} == {fill["exec_id"] for fill in fills}

    _run(house, talk)
    user = kraken_spot.User(
        key=house.key["api_key"],
        secret=house.key["api_secret"],
        url=f"http://127.0.0.1:{house.private}",
    )
    history = user.get_trades_history()
    trades = list(history["trades"].values())
    assert (trades[0]["type"], trades[0]["maker"]) == ("sell", False), "newest first"
    assert user.get_open_orders() == {"open": {}}
    signed = [float(t["vol"]) * (1 if t["type"] == "buy" else -1) for t in trades]
    assert float(user.get_account_balance()["XXBT"]) == pytest.approx(sum(signed))


def test_a_killed_exchange_comes_back_with_orders_trades_and_money(house: House) -> None:
    async def talk(client: Any, heard: Heard) -> None:
        await client.subscribe(params={"channel": "executions"})
        for name, side, price in (("a1", "buy", 70000.0), ("a2", "sell", 99000.0)):
            order = {"order_type": "limit", "side": side, "order_qty": 0.001, "symbol": PAIR}
            order |= {"limit_price": price, "cl_ord_id": name, "post_only": True}
            await client.send_message({"method": "add_order", "params": order})
        market = {"order_type": "market", "side": "buy", "order_qty": 0.002, "symbol": PAIR}
        await client.send_message({"method": "add_order", "params": market})
        await heard.execution("filled")
        assert house.process is not None
        os.kill(house.process.pid, signal.SIGKILL)

    def account() -> tuple[Any, ...]:
        user = kraken_spot.User(
            key=house.key["api_key"],
            secret=house.key["api_secret"],
            url=f"http://127.0.0.1:{house.private}",
        )
        return (
            user.get_account_balance(),
            user.get_open_orders()["open"],
            user.get_trades_history(),
            user.get_ledgers_info(),
        )

    _run(house, talk)
    assert house.stop(signal.SIGKILL) == -signal.SIGKILL
    house.start()
    before = account()
    assert {order["cl_ord_id"] for order in before[1].values()} == {"a1", "a2"}
    assert before[2]["count"] >= 5
    assert house.stop() == 0
    house.start()
    assert account() == before


def test_who_never_reads_is_dropped_and_the_others_are_served(house: House) -> None:
    ping = b'{"method":"ping"}'
    frame = b"\x81" + bytes([0x80 | len(ping)]) + bytes(4) + ping
    with socket.create_connection(("127.0.0.1", house.public)) as deaf:
        deaf.settimeout(30)
        deaf.sendall(
            b"GET /v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        dropped = house.home / "log" / "exchange.jsonl"
        deadline = time.monotonic() + 60
        while b"slow_reader_dropped" not in dropped.read_bytes():
            assert time.monotonic() < deadline
            with contextlib.suppress(OSError):
                deaf.sendall(frame * 2_000)
        market = kraken_spot.Market(url=f"http://127.0.0.1:{house.public}")
        assert market.get_system_status()["status"] == "online"


def test_a_port_in_use_is_said_in_one_line_and_ends_with_78(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    arguments = ["-m", "sim", "--home", str(other), "--config", str(house.config)]
    found = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert found.returncode == 78
    assert found.stderr.decode().splitlines() == [
        f"exchange: port {house.public} of 127.0.0.1: Address already in use"
    ]
