"""The mailbox and the loop that drives a Machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.clock import Clock
from shared.drive import Mailbox, MailboxFullError, drive, end_on_error
from shared.units import SECOND, Ns


class Echo:
    """Answers each step with what it heard, and wants to be woken after `every` ns."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.steps: list[list[str]] = []
        self.now = Ns(0)

    def step(self, now: Ns, inbox: Sequence[str]) -> Sequence[str]:
        assert now >= self.now
        self.now = now
        self.steps.append(list(inbox))
        return list(inbox)

    def wake_at(self) -> Ns:
        return Ns(self.now + self.every)


def test_mail_arrives_in_order_and_all_at_once() -> None:
    async def run() -> list[str]:
        mailbox: Mailbox[str] = Mailbox()
        for text in ("a", "b", "c"):
            mailbox.put(text)
        return await mailbox.take(1.0)

    assert asyncio.run(run()) == ["a", "b", "c"]


def test_only_the_newest_of_a_key_is_kept_and_stands_where_it_arrived() -> None:
    async def run() -> list[str]:
        mailbox: Mailbox[str] = Mailbox()
        mailbox.put_latest("BTC/EUR", "book 1")
        mailbox.put("fill")
        mailbox.put_latest("BTC/USD", "other book")
        mailbox.put_latest("BTC/EUR", "book 2")
        return await mailbox.take(1.0)

    assert asyncio.run(run()) == ["fill", "other book", "book 2"]


def test_take_gives_up_after_its_time() -> None:
    assert asyncio.run(Mailbox[str]().take(0.01)) == []


def test_mail_that_comes_while_waiting_ends_the_wait() -> None:
    async def run() -> list[str]:
        mailbox: Mailbox[str] = Mailbox()
        asyncio.get_running_loop().call_later(0.01, mailbox.put, "late")
        return await mailbox.take(60.0)

    assert asyncio.run(run()) == ["late"]


def test_an_overflow_is_raised_where_it_ends_the_process() -> None:
    async def run() -> None:
        mailbox: Mailbox[str] = Mailbox(limit=2)
        for text in ("a", "b", "c"):
            mailbox.put(text)
        await mailbox.take(1.0)

    with pytest.raises(MailboxFullError, match="more than 2 items"):
        asyncio.run(run())


def test_replacing_a_book_in_a_full_mailbox_is_no_overflow() -> None:
    async def run() -> list[str]:
        mailbox: Mailbox[str] = Mailbox(limit=1)
        mailbox.put_latest("book", "old")
        mailbox.put_latest("book", "new")
        return await mailbox.take(0)

    assert asyncio.run(run()) == ["new"]


def test_the_machine_is_driven_until_done_and_its_outputs_posted_in_order() -> None:
    async def run() -> tuple[Echo, list[str]]:
        machine, mailbox, posted = Echo(SECOND), Mailbox[str](), list[str]()
        for text in ("a", "b"):
            mailbox.put(text)
        await drive(machine, mailbox, Clock(), lambda _, out: posted.append(out), lambda: True)
        assert machine.steps == []
        await drive(
            machine,
            mailbox,
            Clock(),
            lambda _, out: posted.append(out),
            lambda: bool(posted),
        )
        return machine, posted

    machine, posted = asyncio.run(run())
    assert posted == ["a", "b"]
    assert machine.steps == [["a", "b"]]


def test_a_machine_that_is_always_late_does_not_starve_the_loop() -> None:
    async def run() -> int:
        machine = Echo(-SECOND)

        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            writer.close()

        async def talk() -> None:
            server = await asyncio.start_server(greet, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b"hello"
            writer.close()
            server.close()

        talking = asyncio.create_task(talk())
        await drive(machine, Mailbox[str](), Clock(), lambda _n, _o: None, talking.done)
        await talking
        return len(machine.steps)

    assert 0 < asyncio.run(run()) < 5_000


def test_house_time_that_runs_faster_shortens_the_wait() -> None:
    async def run() -> int:
        machine = Echo(SECOND)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await drive(
            machine,
            Mailbox[str](),
            Clock(speed=20),
            lambda _n, _o: None,
            lambda: loop.time() - begin > 0.5,
        )
        return len(machine.steps)

    assert asyncio.run(run()) >= 3


def test_what_a_callback_raises_ends_the_drive() -> None:
    def broken() -> None:
        raise RuntimeError("a callback broke")

    async def run() -> None:
        mailbox: Mailbox[str] = Mailbox()
        loop = asyncio.get_running_loop()
        end_on_error(loop, mailbox)
        loop.call_later(0.01, broken)
        await drive(Echo(SECOND), mailbox, Clock(), lambda _n, _o: None)

    with pytest.raises(RuntimeError, match="a callback broke"):
        asyncio.run(run())
