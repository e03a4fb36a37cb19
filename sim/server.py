"""The simulated exchange on two ports of this machine: WebSockets and REST, public and private."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from heapq import heappop, heappush
from typing import Final, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from shared import log
from shared.clock import Clock
from shared.process import on_stop
from shared.units import MILLISECOND, Ns
from shared.watchdog import Watchdog
from sim.engine.instruments import ASSETS
from sim.engine.values import Refused, System
from sim.kraken.venue import HANG_UP, Host, Venue
from sim.kraken.wire import read_ask, refusal
from sim.script import Fault, Script, ScriptError, read

LOOPBACK: Final = "127.0.0.1"
_MOST_WAITING: Final = 20_000  # frames that a slow reader may owe us before he is dropped
_LARGEST_FRAME: Final = 1 << 20
_LARGEST_BODY: Final = 1 << 20
_LONGEST_NAP_S: Final = 0.5
_SHORTEST_NAP_S: Final = 0.0005


class PortTaken(Exception):  # noqa: N818 - a state of the machine
    """Somebody else listens where we should."""


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; PortTaken where that cannot be."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((LOOPBACK, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise PortTaken(f"port {port} of {LOOPBACK}: {error.strerror}") from None
    found.setblocking(False)
    return found


Sockets = tuple[socket.socket, socket.socket]
"""Bound and listening: the public host's and the private host's."""


def told_to_stop() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT. Asked for before anybody is told that we are ready."""
    stop = asyncio.Event()
    on_stop(asyncio.get_running_loop().call_soon_threadsafe, lambda _: stop.set())
    return stop


async def serve(
    venue: Venue,
    clock: Clock,
    public: socket.socket,
    private: socket.socket,
    stop: asyncio.Event,
    watchdog: Watchdog | None = None,
    faults_token: str = "",
    woken: asyncio.Event | None = None,
) -> None:
    """Run the venue on both sockets until `stop` is set.

    faults_token: who sends it may script faults (docs/faults.md); "" = nobody. woken: set by
    whoever has told the market something.
    """
    floor = _Floor(venue, clock, watchdog, faults_token, woken or asyncio.Event())
    servers = [_server(floor, "public"), _server(floor, "private")]
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(server.serve(sockets=[sock]))
            for server, sock in zip(servers, (public, private), strict=True)
        ]
        pulse = group.create_task(floor.pulse())
        await stop.wait()
        for server in servers:
            server.should_exit = True
        await asyncio.wait(running)
        pulse.cancel()
    venue.close(clock.now())


class _Wire:
    """What one client is still to be sent."""

    def __init__(self, socket_: WebSocket) -> None:
        self.socket = socket_
        self.waiting: deque[str] = deque()
        self.ready = asyncio.Event()
        self.overrun = asyncio.Event()

    def put(self, text: str) -> None:
        if len(self.waiting) >= _MOST_WAITING:
            # Nothing may be left out silently: who cannot follow is cut off.
            self.overrun.set()
            return
        self.waiting.append(text)
        self.ready.set()

    async def write(self) -> None:
        """Send what waits until the line is to be closed."""
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self.ready.wait()
                self.ready.clear()
                while self.waiting:
                    text = self.waiting.popleft()
                    if text == HANG_UP:
                        await self.socket.close(1000)
                        return
                    await self.socket.send_text(text)


class _Floor:
    """Carries texts between the sockets and the venue, and lets its time pass."""

    def __init__(
        self, venue: Venue, clock: Clock, watchdog: Watchdog | None, faults_token: str,
        woken: asyncio.Event,
    ) -> None:  # fmt: skip
        self._script = Script()
        self._token = faults_token
        self._late: list[tuple[Ns, int, int, str]] = []  # frames that a fault delays
        self._counted = 0
        self._stalled_until = Ns(0)
        venue.tamper = self._tamper
        self._venue = venue
        self._clock = clock
        self._watchdog = watchdog
        self._wires: dict[int, _Wire] = {}
        self._woken = woken
        self._fault: BaseException | None = None  # of ours, while a client was being served

    async def pulse(self) -> None:
        """Advance the venue whenever something is due."""
        while True:
            if self._fault is not None:
                # uvicorn logs what a handler raises and goes on; a broken engine must not.
                raise self._fault
            now = self._clock.now()
            self._venue.advance(now, self._clock.wall())
            self._break_what_is_due(now)
            self._deliver()
            self._announce_end()
            if self._watchdog is not None:
                self._watchdog.pet()
            wake_at = min([self._venue.wake_at(), *(at for at, *_ in self._late[:1])])
            left = self._clock.real_seconds(wake_at - self._clock.now())
            self._woken.clear()
            with suppress(TimeoutError):
                nap = min(max(left, _SHORTEST_NAP_S), _LONGEST_NAP_S)
                await asyncio.wait_for(self._woken.wait(), nap)

    async def talk(self, socket_: WebSocket, host: Host) -> None:
        """One client, from its arrival to its end."""
        await socket_.accept()
        conn = self._venue.connect(host, self._clock.now(), self._clock.wall())
        wire = self._wires[conn] = _Wire(socket_)
        self._deliver()
        tasks = [
            asyncio.create_task(self._listen(conn, socket_)),
            asyncio.create_task(wire.write()),
            asyncio.create_task(wire.overrun.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (fault := task.exception()) is not None:
                    self._break(fault)
        finally:
            if wire.overrun.is_set():
                log.get().warning("slow_reader_dropped", host=host, waiting=len(wire.waiting))
            self._venue.disconnect(conn)
            del self._wires[conn]
            for task in tasks:
                task.cancel()

    async def _listen(self, conn: int, socket_: WebSocket) -> None:
        """What one client says, until he hangs up."""
        while (message := await socket_.receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode(errors="replace")
            if not self._intercepted(conn, text):
                self._venue.receive(conn, text, self._clock.now(), self._clock.wall())
            self._deliver()
            self._woken.set()

    async def rest(self, request: Request) -> Response:
        """One HTTP request; a private answer takes as long as the exchange is said to take."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY:
                return Response(status_code=413)
        query = f"?{request.url.query}" if request.url.query else ""
        path = request.scope["raw_path"].decode("ascii", errors="replace").split("?")[0] + query
        now = self._clock.now()
        wall = self._clock.wall()
        headers = dict(request.headers)
        said = (request.method, path, headers, body)
        if (broken := await self._rest_fault(said)) is not None:
            return broken
        try:
            status, answer = self._venue.rest(request.method, path, headers, body, now, wall)
        except Exception as fault:
            self._break(fault)
            raise
        self._deliver()
        self._woken.set()
        return Response(answer, status, media_type="application/json")

    def _break(self, fault: BaseException) -> None:
        """Let the pulse end the process: what broke here may have broken the account."""
        self._fault = self._fault or fault
        self._woken.set()

    # Faults from outside.

    async def faults(self, request: Request) -> Response:
        """POST a script, GET what is active, DELETE all of it; with the token, else 403."""
        said = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self._token or not hmac.compare_digest(said.encode(), self._token.encode()):
            return Response(status_code=403)
        try:
            if request.method == "POST":
                faults = read(await request.body())
                self._script.add(faults, self._clock.now())
                log.get().warning("faults_scripted", faults=[fault.do for fault in faults])
            elif request.method == "DELETE":
                self._script.clear()
                self._stalled_until = Ns(0)
        except ScriptError as error:
            return Response(json.dumps({"error": str(error)}), 400, media_type="application/json")
        self._woken.set()
        active = [{"do": p.fault.do, "about": p.fault.about} for p in self._script.plans]
        told = {"active": active, "done": self._script.done}
        return Response(json.dumps(told), media_type="application/json")

    def _tamper(self, conn: int, text: str) -> list[str]:
        if text == HANG_UP:
            return [text]
        now, at_once = self._clock.now(), []
        for wait, found in self._script.outgoing(self._venue.host(conn), text, now):
            if wait:
                self._counted += 1
                heappush(self._late, (Ns(now + wait), self._counted, conn, found))
            else:
                at_once.append(found)
        return at_once

    def _intercepted(self, conn: int, text: str) -> bool:
        """Whether a request is lost, or refused without the engine's having seen it."""
        fault = self._script.incoming(self._venue.host(conn), text, self._clock.now())
        if fault is None:
            return False
        if fault.do == "reject":
            wall = self._clock.wall()
            with suppress(Refused):
                self._wires[conn].put(refusal(read_ask(text, wall), wall, fault.error))
        return True

    async def _rest_fault(self, said: tuple[str, str, dict[str, str], bytes]) -> Response | None:
        """The answer that a fault gives; None where the engine answers, sooner or later."""
        if (left := self._stalled_until - self._clock.now()) > 0:
            await asyncio.sleep(self._clock.real_seconds(left))
        host = "private" if "/private/" in said[1] else "public"
        fault = self._script.rest(host, said[1], self._clock.now())
        match fault:
            case None:
                return None
            case Fault(do="rest_error"):
                body = json.dumps({"error": [fault.error]})
                return Response(body, media_type="application/json")
            case Fault(do="rest_status"):
                return Response("<html>Bad Gateway</html>", int(fault.status))
            case Fault(do="rest_lose"):
                # Carried out, and nobody hears of it: the client's own patience ends first.
                self._venue.rest(*said, self._clock.now(), self._clock.wall())
                self._deliver()
                await asyncio.sleep(60)
                return Response(status_code=504)
        await asyncio.sleep(self._clock.real_seconds(fault.delay_ms * MILLISECOND))
        return None

    def _break_what_is_due(self, now: Ns) -> None:
        for fault in self._script.at_once(now):
            match fault.do:
                case "mode":
                    self._venue.set_system(cast(System, fault.status), now, self._clock.wall())
                case "stall":
                    self._stalled_until = Ns(now + fault.for_ms * MILLISECOND)
                case "transfer" | "withdraw":
                    self._move(fault, now)
                case _:
                    for conn, wire in self._wires.items():
                        if fault.on in (self._venue.host(conn), "both"):
                            wire.put(HANG_UP)

    def _move(self, fault: Fault, now: Ns) -> None:
        asset, venue, wall = fault.asset, self._venue, self._clock.wall()
        units = int(fault.amount.scaleb(ASSETS[asset].decimals)) if asset else 0
        try:
            if fault.do == "withdraw":
                venue.withdraw(fault.status, asset, units, now, wall)
            else:
                venue.transfer(asset, units, now, wall)
        except Refused as refused:
            log.get().warning("fault_refused", do=fault.do, why=refused.text)

    def _deliver(self) -> None:
        now = self._clock.now()
        if now < self._stalled_until:
            return
        while self._late and self._late[0][0] <= now:
            _, _, conn, text = heappop(self._late)
            if (late := self._wires.get(conn)) is not None:
                late.put(text)
        for conn, text in self._venue.outbox():
            wire = self._wires.get(conn)
            if wire is not None:
                wire.put(text)

    def _announce_end(self) -> None:
        for market in self._venue.exchange.markets.values():
            if not market.ended and market.source.next_at() is None:
                market.ended = True
                log.get().info("tape_ended", pair=market.pair.symbol, note="quiet from here on")


class _Server(uvicorn.Server):
    """uvicorn without its own idea of signals: there are two of them, and one `serve`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(floor: _Floor, host: Host) -> _Server:
    async def talk(socket_: WebSocket) -> None:
        await floor.talk(socket_, host)

    public = host == "public"
    app = Starlette(
        routes=[
            WebSocketRoute("/v2", talk),
            *([Route("/faults", floor.faults, methods=["GET", "POST", "DELETE"])] * public),
            Route("/{path:path}", floor.rest, methods=["GET", "POST"]),
        ]
    )
    return _Server(
        uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=_LARGEST_FRAME,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
