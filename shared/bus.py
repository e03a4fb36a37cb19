"""ZeroMQ between our processes: publish, subscribe, ask, answer. Bytes in, bytes out.

Rule 1: a lock is taken before a bind. A second binder of an ipc path would take it over silently.
Rule 2: nothing waits. Sending drops where a queue is full; receiving drains what is there and
returns to the loop. What a full queue dropped is seen by the subscriber, as a gap (shared/gaps.py).
Rule 3: what arrives may be anything. It is dropped and counted, or handed on as bytes to decode.

Sockets are watched with `loop.add_reader` on their file descriptor, which is edge-triggered: each
drain ends at the answer "nothing more", and follows registering and each send.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket as unix
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import zmq

from shared.gaps import Arrival as Arrival
from shared.gaps import Gaps as Gaps
from shared.process import lock

QUEUE_FRAMES: Final = 1_000
"""Frames a socket holds for each peer, on each side. A burst of half of it may be too much:
the two sides tell each other what was taken only now and then."""

DRAIN_LIMIT: Final = 500
"""Messages taken in one turn of the loop; then others have theirs."""

FRAME_BYTES: Final = 1_000_000
CONTROL_BYTES: Final = 65_536
CONTROL_QUEUE: Final = 100
CONTROL_OPTIONS: Final[dict[int, int]] = {
    zmq.MAXMSGSIZE: CONTROL_BYTES,
    zmq.RCVHWM: CONTROL_QUEUE,
    zmq.SNDHWM: CONTROL_QUEUE,
    zmq.HANDSHAKE_IVL: 2_000,  # ms for a connection to say that it speaks ZMTP
}
RECONNECT_MS: Final = (50, 1_000)
ASK_TIMEOUT_S: Final = 2.0

SUN_PATH_LIMIT: Final = 107
"""Bytes of a Unix socket's path (unix(7), sun_path less its final zero)."""


class BusError(Exception):
    """The bus cannot do what was asked; the text says why and what to do."""


class NotRunning(BusError):  # noqa: N818 - a state of the other side, not a mistake
    """Nobody listens at this path."""


class NoAnswer(BusError):  # noqa: N818 - a state of the other side, not a mistake
    """Somebody listens but did not answer in time."""


Topic = bytes
OnFrame = Callable[[Topic, bytes], None]
Reply = Callable[[bytes], None]
OnRequest = Callable[[bytes, Reply], None]


class Publisher:
    """The only publisher of its path; LockHeld (shared/process.py) where there is another."""

    def __init__(self, path: str | Path, lock_path: Path) -> None:
        self._bound = _Bound(zmq.PUB, path, lock_path, {zmq.SNDHWM: QUEUE_FRAMES})
        self._socket = self._bound.socket
        self.sent = 0

    def send(self, topic: Topic, payload: bytes) -> None:
        """To whoever subscribes; never waits for one who is slow."""
        self._socket.send(topic, zmq.NOBLOCK | zmq.SNDMORE)
        self._socket.send(payload, zmq.NOBLOCK)
        self.sent += 1

    def close(self) -> None:
        self._bound.close()


class Subscriber:
    """Frames of one or more publishers, which may come and go at any time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        paths: Sequence[str | Path],
        prefixes: Sequence[Topic],
        on_frame: OnFrame,
    ) -> None:
        """on_frame(topic, payload) is called in the loop; what it raises is the loop's to handle.

        prefixes: topics begin with one of them; b"" is everything.
        """
        self._on_frame = on_frame
        self.received = 0
        self.dropped = 0  # messages that are not a topic and a payload
        self._socket = _open(zmq.SUB, zmq.Context.instance())
        self._socket.set(zmq.RCVHWM, QUEUE_FRAMES)
        self._socket.set(zmq.MAXMSGSIZE, FRAME_BYTES)
        self._socket.set(zmq.RECONNECT_IVL, RECONNECT_MS[0])
        self._socket.set(zmq.RECONNECT_IVL_MAX, RECONNECT_MS[1])
        for prefix in prefixes:
            self._socket.subscribe(prefix)
        for path in paths:
            self._socket.connect(address(path))
        self._watch = _Watch(loop, self._socket, self._hear)

    def close(self) -> None:
        self._watch.close()

    def _hear(self, parts: list[bytes]) -> None:
        if len(parts) != 2:
            self.dropped += 1
            return
        self.received += 1
        self._on_frame(parts[0], parts[1])


class ControlServer:
    """Answers requests: one request, one reply, now or later. Locks `<path>.lock`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, path: str | Path, on_request: OnRequest
    ) -> None:
        """on_request(request, reply) may be handed any bytes of up to 64 KB.

        It calls reply(answer) once, at any later time, or never: then the client gives up.
        """
        self._on_request = on_request
        self.dropped = 0  # messages that are no request
        self._bound = _Bound(zmq.ROUTER, path, Path(f"{path}.lock"), CONTROL_OPTIONS)
        self._socket = self._bound.socket
        self._watch = _Watch(loop, self._socket, self._hear)

    def close(self) -> None:
        self._watch.close()
        self._bound.close()

    def _hear(self, parts: list[bytes]) -> None:
        # A correlated REQ sends: who, request id, empty part, payload. A plain one has no id.
        if len(parts) not in (3, 4) or parts[-2] != b"" or b"" in parts[:-2]:
            self.dropped += 1
            return
        envelope = [*parts[:-1]]

        def reply(answer: bytes) -> None:
            if envelope and not self._socket.closed:
                message = [*envelope, answer]
                envelope.clear()
                self._send(message)

        self._on_request(parts[-1], reply)

    def _send(self, message: list[bytes]) -> None:
        try:
            self._socket.send_multipart(message, zmq.NOBLOCK)
        except zmq.ZMQError:
            # Who asked has gone, or does not read: an answer nobody takes is dropped.
            self.dropped += 1
        self._watch.drain_soon()


class ControlClient:
    """Asks a ControlServer, from outside any event loop."""

    def __init__(self, path: str | Path, timeout_s: float = ASK_TIMEOUT_S) -> None:
        self._path = path
        self._timeout_ms = int(timeout_s * 1000)

    def ask(self, request: bytes) -> bytes:
        """The reply; NotRunning at once where nobody listens, NoAnswer after the timeout."""
        if len(request) > CONTROL_BYTES:
            raise BusError(f"a request may have {CONTROL_BYTES} bytes, this one has {len(request)}")
        _knock(self._path)
        socket = _open(zmq.REQ, zmq.Context.instance())
        try:
            socket.set(zmq.REQ_RELAXED, 1)
            socket.set(zmq.REQ_CORRELATE, 1)
            socket.set(zmq.MAXMSGSIZE, FRAME_BYTES)
            socket.connect(address(self._path))
            socket.send(request)
            if not socket.poll(self._timeout_ms, zmq.POLLIN):
                _knock(self._path)  # It may have ended meanwhile.
                raise NoAnswer(f"{Path(self._path).name}: no answer for {self._timeout_ms} ms")
            return socket.recv(zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise BusError(f"{Path(self._path).name}: {error}") from None
        finally:
            socket.close(0)


async def ask(path: str | Path, request: bytes, timeout_s: float = ASK_TIMEOUT_S) -> bytes:
    """As ControlClient.ask, from inside an event loop, which goes on meanwhile."""
    _knock(path)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()

    def hear(parts: list[bytes]) -> None:
        if not answer.done():
            answer.set_result(parts[-1])

    # A DEALER speaks as a REQ does, and may be looked at again after the answer.
    socket = _open(zmq.DEALER, zmq.Context.instance())
    socket.set(zmq.MAXMSGSIZE, FRAME_BYTES)
    watch = None
    try:
        socket.connect(address(path))
        socket.send_multipart([b"", request], zmq.NOBLOCK)
        watch = _Watch(loop, socket, hear)
        async with asyncio.timeout(timeout_s):
            return await answer
    except TimeoutError:
        raise NoAnswer(f"{Path(path).name}: no answer for {timeout_s} s") from None
    except zmq.ZMQError as error:
        raise BusError(f"{Path(path).name}: {error}") from None
    finally:
        if watch is None:
            socket.close(0)
        else:
            watch.close()


def address(path: str | Path) -> str:
    """`ipc://` and the path, or the path from the working folder where that is what fits."""
    for chosen in (str(path), os.path.relpath(path)):
        if len(os.fsencode(chosen)) <= SUN_PATH_LIMIT:
            return f"ipc://{chosen}"
    raise BusError(f"{path}: too long for a socket; a path may have {SUN_PATH_LIMIT} bytes")


class _Bound:
    """A socket that is bound to a path, alone."""

    def __init__(
        self, kind: zmq.SocketType, path: str | Path, lock_path: Path, options: dict[int, int]
    ) -> None:
        self._lock = lock(lock_path)
        self._context = zmq.Context()
        self.socket = _open(kind, self._context)
        try:
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for option, value in options.items():
                self.socket.set(option, value)
            self.socket.bind(address(path))
        except (zmq.ZMQError, OSError, BusError) as error:
            self.close()
            raise BusError(f"{path}: {error}") from None

    def close(self) -> None:
        self.socket.close(0)
        # A closed socket unlinks its path at a later moment, by then perhaps the path of the next
        # one. The end of its context waits for that, and for nothing else: LINGER is 0.
        self._context.term()
        self._lock.release()


class _Watch:
    """A socket in an event loop: calls `hear` with the parts of each message."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        socket: zmq.Socket[bytes],
        hear: Callable[[list[bytes]], None],
    ) -> None:
        self._loop = loop
        self._socket = socket
        self._hear = hear
        self._descriptor = int(socket.get(zmq.FD))
        loop.add_reader(self._descriptor, self._drain)
        self.drain_soon()

    def drain_soon(self) -> None:
        self._loop.call_soon(self._drain)

    def close(self) -> None:
        if not self._socket.closed:
            self._loop.remove_reader(self._descriptor)
            self._socket.close(0)

    def _drain(self) -> None:
        for _ in range(DRAIN_LIMIT):
            if self._socket.closed:
                return
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._hear(parts)
        self.drain_soon()


def _open(kind: zmq.SocketType, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.set(zmq.LINGER, 0)
    return socket


def _knock(path: str | Path) -> None:
    """NotRunning where nobody listens: a connect of ZeroMQ itself would wait for one to come."""
    with unix.socket(unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_NONBLOCK) as probe:
        code = probe.connect_ex(address(path).removeprefix("ipc://"))
    if code in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR):
        raise NotRunning(f"{Path(path).name}: nobody listens")
    if code not in (0, errno.EAGAIN, errno.EINPROGRESS):
        raise BusError(f"{path}: {os.strerror(code)}")
