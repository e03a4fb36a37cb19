"""Publish, subscribe, ask, answer, over real sockets, on both event loops."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop
import zmq

from shared.bus import (
    CONTROL_BYTES,
    QUEUE_FRAMES,
    BusError,
    ControlClient,
    ControlServer,
    NoAnswer,
    NotRunning,
    Publisher,
    Reply,
    Subscriber,
    address,
)
from shared.process import LockHeld

Main = Coroutine[Any, Any, None]
Run = Callable[[Main], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def go(main: Main) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(main, 60))

    return go


def publisher(folder: Path) -> Publisher:
    return Publisher(folder / "feed.pub", folder / "feed.pub.lock")


def has(items: list[Any], count: int) -> bool:
    return len(items) >= count


async def until(true: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
    while not true():
        meanwhile()
        await asyncio.sleep(0.005)


def test_frames_arrive_in_order_and_only_those_asked_for(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        got: list[tuple[bytes, bytes]] = []
        pub = publisher(tmp_path)
        sub = Subscriber(
            asyncio.get_running_loop(),
            [tmp_path / "feed.pub"],
            [b"1/book", b"hello"],
            lambda topic, payload: got.append((topic, payload)),
        )
        await until(lambda: bool(got), lambda: pub.send(b"hello", b""))
        await asyncio.sleep(0.05)
        got.clear()
        for count in range(3_000):
            pub.send(b"2/book/BTC/EUR", b"another version")
            pub.send(b"1/book/BTC/EUR", b"%d" % count)
            if count % 100 == 0:
                await until(partial(has, got, count - 100))
        await until(lambda: len(got) == 3_000)
        assert got == [(b"1/book/BTC/EUR", b"%d" % count) for count in range(3_000)]
        sub.close()
        pub.close()

    run(main())


def test_a_subscriber_that_comes_first_hears_the_publisher_that_comes_later_and_again(
    run: Run, tmp_path: Path
) -> None:
    async def main() -> None:
        got: list[bytes] = []
        sub = Subscriber(
            asyncio.get_running_loop(),
            [tmp_path / "feed.pub", tmp_path / "strategy.pub"],
            [b""],
            lambda _topic, payload: got.append(payload),
        )
        for life in (b"first life", b"second life"):
            pub = publisher(tmp_path)
            while life not in got:
                pub.send(b"t", life)
                await asyncio.sleep(0.005)
            pub.close()
        sub.close()

    run(main())


def test_a_second_publisher_is_refused_and_the_first_goes_on(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        got: list[bytes] = []
        pub = publisher(tmp_path)
        with pytest.raises(LockHeld):
            publisher(tmp_path)
        sub = Subscriber(
            asyncio.get_running_loop(),
            [tmp_path / "feed.pub"],
            [b""],
            lambda _topic, payload: got.append(payload),
        )
        await until(lambda: bool(got), lambda: pub.send(b"t", b"still here"))
        sub.close()
        pub.close()

    run(main())


def test_a_subscriber_that_sleeps_neither_blocks_the_publisher_nor_the_others(
    run: Run, tmp_path: Path
) -> None:
    async def main() -> None:
        got: list[bytes] = []
        pub = publisher(tmp_path)
        sleeper: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        sleeper.set(zmq.RCVHWM, 10)
        sleeper.subscribe(b"")
        sleeper.connect(address(tmp_path / "feed.pub"))
        sub = Subscriber(
            asyncio.get_running_loop(),
            [tmp_path / "feed.pub"],
            [b""],
            lambda _topic, payload: got.append(payload),
        )
        await until(lambda: bool(got), lambda: pub.send(b"t", b"hello"))
        assert sleeper.poll(10_000)
        for _ in range(10 * QUEUE_FRAMES):
            pub.send(b"t", b"x" * 2_000)
        await until(lambda: got[-1] == b"last", lambda: pub.send(b"t", b"last"))
        sleeper.close(0)
        sub.close()
        pub.close()

    run(main())


def test_a_flood_leaves_the_loop_its_turns(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        turns = 0
        stop = threading.Event()
        pub = publisher(tmp_path)

        def flood() -> None:
            while not stop.is_set():
                pub.send(b"t", b"x")

        sub = Subscriber(
            asyncio.get_running_loop(), [tmp_path / "feed.pub"], [b""], lambda _t, _p: None
        )
        thread = threading.Thread(target=flood)
        thread.start()
        await until(lambda: sub.received > 100)
        while turns < 20:
            turns += 1
            await asyncio.sleep(0)
        stop.set()
        thread.join()
        sub.close()
        pub.close()

    run(main())


def test_messages_of_another_shape_are_dropped_and_counted(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        got: list[bytes] = []
        stranger: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
        stranger.bind(address(tmp_path / "feed.pub"))
        sub = Subscriber(
            asyncio.get_running_loop(),
            [tmp_path / "feed.pub"],
            [b""],
            lambda _topic, payload: got.append(payload),
        )

        def speak() -> None:
            stranger.send_multipart([b"alone"])
            stranger.send_multipart([b"t", b"good"])
            stranger.send_multipart([b"t", b"one", b"too many"])

        await until(lambda: len(got) > 2, speak)
        assert set(got) == {b"good"}
        assert sub.dropped >= 2
        stranger.close(0)
        sub.close()

    run(main())


def ask(path: Path, request: bytes, timeout_s: float = 10.0) -> Coroutine[Any, Any, bytes]:
    return asyncio.to_thread(ControlClient(path, timeout_s).ask, request)


def test_a_request_is_answered_now_or_later_and_once(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        path = tmp_path / "strategy.ctl"

        def handle(request: bytes, reply: Reply) -> None:
            if request == b"later":
                loop.call_later(0.05, reply, b"at last")
            else:
                reply(b"got " + request)
                reply(b"never sent")

        server = ControlServer(loop, path, handle)
        assert await ask(path, b"one") == b"got one"
        answers = await asyncio.gather(*(ask(path, b"%d" % n) for n in range(20)))
        assert answers == [b"got %d" % n for n in range(20)]
        assert await ask(path, b"later") == b"at last"
        server.close()
        with pytest.raises(NotRunning):
            await ask(path, b"gone")

    run(main())


def test_a_server_that_does_not_answer_is_told_from_none(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "strategy.ctl"
        with pytest.raises(NotRunning, match="nobody listens"):
            await ask(path, b"x")
        server = ControlServer(asyncio.get_running_loop(), path, lambda _request, _reply: None)
        with pytest.raises(NoAnswer, match="no answer for 50 ms"):
            await ask(path, b"x", 0.05)
        with pytest.raises(LockHeld):
            ControlServer(asyncio.get_running_loop(), path, lambda _request, _reply: None)
        server.close()

    run(main())


def test_the_socket_file_of_a_killed_server_is_no_server(tmp_path: Path) -> None:
    path = tmp_path / "strategy.ctl"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NotRunning):
        ControlClient(path).ask(b"x")


def test_a_reply_to_one_who_has_gone_is_dropped(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        replies: list[Reply] = []
        path = tmp_path / "strategy.ctl"

        def handle(request: bytes, reply: Reply) -> None:
            if request == b"again":
                reply(b"here")
            else:
                replies.append(reply)

        server = ControlServer(asyncio.get_running_loop(), path, handle)
        with pytest.raises(NoAnswer):
            await ask(path, b"x", 0.05)
        await until(lambda: bool(replies))
        replies[0](b"too late")
        assert await ask(path, b"again") == b"here"
        server.close()
        replies[0](b"after the end")

    run(main())


def test_a_request_that_is_too_long_is_refused_on_both_sides(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        heard: list[bytes] = []
        path = tmp_path / "strategy.ctl"

        def handle(request: bytes, reply: Reply) -> None:
            heard.append(request)
            reply(b"ok")

        server = ControlServer(asyncio.get_running_loop(), path, handle)
        with pytest.raises(BusError, match="a request may have"):
            await ask(path, b"x" * (CONTROL_BYTES + 1))
        giant: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        giant.set(zmq.LINGER, 0)
        giant.connect(address(path))
        giant.send_multipart([b"", b"x" * (CONTROL_BYTES + 1)])
        assert await ask(path, b"small") == b"ok"
        assert heard == [b"small"]
        giant.close(0)
        server.close()

    run(main())


def test_garbage_does_not_wedge_the_control_socket(run: Run, tmp_path: Path) -> None:
    chance = random.Random(7)
    greetings = (b"", b"\x01\x00", b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16))

    def throw(path: Path) -> None:
        for _ in range(150):
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(5)
                try:
                    line.connect(str(path))
                    line.sendall(chance.choice(greetings) + chance.randbytes(chance.randint(0, 99)))
                except OSError:
                    continue

    async def main() -> None:
        path = tmp_path / "strategy.ctl"

        def handle(request: bytes, reply: Reply) -> None:
            reply(b"got " + request)

        server = ControlServer(asyncio.get_running_loop(), path, handle)
        await asyncio.to_thread(throw, path)
        assert await ask(path, b"after it") == b"got after it"
        server.close()

    run(main())


def test_a_long_path_is_reached_from_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ("x" * 60) / ("y" * 60)
    (home / "run").mkdir(parents=True)
    with pytest.raises(BusError, match="too long for a socket"):
        address(home / "run" / "feed.pub")
    monkeypatch.chdir(home)
    assert address(home / "run" / "feed.pub") == "ipc://run/feed.pub"
    assert address("run/feed.pub") == "ipc://run/feed.pub"
    publisher(home / "run").close()


def test_a_folder_that_cannot_be_bound_in_is_said(tmp_path: Path) -> None:
    (tmp_path / "feed.pub").mkdir()
    (tmp_path / "feed.pub" / "file").touch()
    with pytest.raises(BusError, match=r"feed\.pub"):
        publisher(tmp_path)
    assert (tmp_path / "feed.pub" / "file").exists()
