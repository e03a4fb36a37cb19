"""Slow clients against the server as the monitor runs it: limits hold, others are served."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor import door, shell
from monitor.access import LOGIN_TRIES
from monitor.visitor import VISITORS_KEPT, failed, visitor
from shared.units import Ns

PATIENCE_S = 60
HALF = b"GET / HTTP/1.1\r\nHost: loc"
WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
LONG = 40_000_000


async def _hello(request: Request) -> Response:
    return PlainTextResponse(f"heard {len(await request.body())}")


ANSWERS: dict[str, Callable[[], AsyncIterator[bytes]]] = {}


async def _long(_: Request) -> Response:
    return StreamingResponse(ANSWERS["long"]())


async def _ticks(_: Request) -> Response:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"tick"
            await asyncio.sleep(0.1)

    return StreamingResponse(slowly())


SITE = Starlette(
    routes=[
        Route("/", _hello, methods=["GET", "POST"]),
        Route("/long", _long),
        Route("/ticks", _ticks),
    ]
)

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Attack = Callable[[Callable[[], Awaitable[Line]]], Awaitable[None]]


def against_the_door(attack: Attack) -> None:
    """Serve, let it happen, stop."""

    async def run() -> None:
        listening = shell._listen("web.port", "127.0.0.1", 0)
        port = listening.getsockname()[1]
        server = shell._server(SITE)
        serving = asyncio.ensure_future(shell._serve(server, listening))

        opened: list[Line] = []

        async def knock() -> Line:
            opened.append(await asyncio.open_connection("127.0.0.1", port))
            return opened[-1]

        try:
            async with asyncio.timeout(PATIENCE_S):
                await attack(knock)
        finally:
            for _, writer in opened:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()
            server.should_exit = True
            await serving
            listening.close()

    asyncio.run(run())


async def _until(what: Callable[[], bool]) -> None:
    for _ in range(100 * PATIENCE_S):
        if what():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def _ask(line: Line, text: bytes = WHOLE) -> bytes:
    line[1].write(text)
    head = await line[0].readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head[:12] + b" " + await line[0].readexactly(length)


async def _drip(line: Line, begin: bytes, what: bytes) -> int:
    """Bytes that it took until the line was closed."""
    line[1].write(begin)
    sent = 0
    with suppress(ConnectionError):
        while not line[0].at_eof():
            line[1].write(what)
            await line[1].drain()
            sent += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(line[0].read(1), 0.05)
    return sent


@pytest.mark.parametrize(
    ("begin", "what"), [(HALF, b"a"), (b"", b"\r\n"), (BODY, b"b"), (WHOLE + HALF, b"c")]
)
def test_bytes_that_drip_buy_no_time(
    begin: bytes, what: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REQUEST_S", 0.5)

    async def attack(knock: Callable[[], Awaitable[Line]]) -> None:
        assert await _drip(await knock(), begin, what) > 1
        monkeypatch.setattr(door, "REQUEST_S", 10.0)
        assert (await _ask(await knock())).endswith(b"200 heard 0")

    against_the_door(attack)


def test_lines_that_never_ask_displace_each_other_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "WAITING_MOST", 8)

    async def attack(knock: Callable[[], Awaitable[Line]]) -> None:
        lines = []
        for _ in range(40):
            line = await knock()
            line[1].write(HALF)
            lines.append(line)
            if len(lines) % 10 == 0:
                assert (await _ask(await knock())).endswith(b"200 heard 0")
        for reader, _ in lines[:30]:
            with suppress(ConnectionError):
                assert await reader.read() == b""

    against_the_door(attack)


def test_who_does_not_take_his_answer_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "TAKE_S", 0.3)
    cut: list[bool] = []

    async def much() -> AsyncIterator[bytes]:
        try:
            for _ in range(LONG // 100_000):
                yield b"x" * 100_000
        finally:
            cut.append(True)

    monkeypatch.setitem(ANSWERS, "long", much)

    async def attack(knock: Callable[[], Awaitable[Line]]) -> None:
        reader, writer = await knock()
        writer.write(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await _until(lambda: cut)  # Takes nothing until he is shown out.
        got = 0
        with suppress(ConnectionError):
            while piece := await reader.read(100_000):
                got += len(piece)
        assert got < LONG
        assert (await _ask(await knock())).endswith(b"200 heard 0")

    against_the_door(attack)


def test_who_has_asked_waits_in_no_queue() -> None:
    """A stream is not timed; a line is used again, and waits only between two questions."""

    async def attack(knock: Callable[[], Awaitable[Line]]) -> None:
        reader, writer = await knock()
        writer.write(b"GET /ticks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"tick")
        assert not door.Door._waiting
        line = await knock()
        for _ in range(3):
            assert (await _ask(line)).endswith(b"200 heard 0")
        assert (await _ask(line, BODY + b"x" * 100_000)).endswith(b"200 heard 100000")
        await _until(lambda: len(door.Door._waiting) == 1)
        assert (await reader.read()).count(b"tick") == 7

    against_the_door(attack)


def test_a_visitor_is_known_by_the_user_whose_process_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        with socket.create_connection(place) as client:
            assert visitor(client.getsockname(), place) == f"user {os.getuid()}"
    assert visitor(("127.0.0.9", 9), ("127.0.0.1", 9)) == "127.0.0.9"
    assert visitor(None, None) == ""


def test_the_kernels_table_is_read_for_both_families(tmp_path: Path) -> None:
    row = "  0: {} {} 01 00000000:00000000 00:00000000 00000000  1234        0 1 1\n"
    head = "  sl  local_address rem_address st\n"
    (tmp_path / "tcp").write_text(head + row.format("0100007F:C000", "0100007F:1F90"))
    one = "00000000000000000000000001000000"
    (tmp_path / "tcp6").write_text(head + row.format(f"{one}:C000", f"{one}:1F90"))
    for host in ("127.0.0.1", "::1"):
        assert visitor((host, 0xC000), (host, 8080), tmp_path) == "user 1234"
        assert visitor((host, 0xC001), (host, 8080), tmp_path) == host
        assert visitor((host, 0xC000), (host, 8080), tmp_path / "nothing") == host


def test_failures_are_counted_for_each_visitor_and_bounded() -> None:
    known = failed({}, "owner", Ns(1))
    for number in range(LOGIN_TRIES):
        known = failed(known, "guesser", Ns(number))
    assert known["owner"].allows(Ns(5))
    assert not known["guesser"].allows(Ns(5))
    for number in range(2 * VISITORS_KEPT):
        known = failed(known, f"{number}", Ns(9))
    assert len(known) == VISITORS_KEPT
