"""The monitor's way to the strategy, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from monitor.control import Control, new_id
from monitor.web import Outcome
from shared.bus import ControlServer
from shared.control import CONTROL_VERSION, AskLots, Reply, decode_request, encode_reply

Answer = Callable[[bytes, Callable[[bytes], None]], None]


def ask(folder: Path, answer: Answer | None, times: int = 1) -> list[Outcome]:
    async def run() -> list[Outcome]:
        path = folder / "strategy.ctl"
        server = None
        if answer is not None:
            server = ControlServer(asyncio.get_running_loop(), path, answer)
        control = Control(path)
        try:
            one = (control.ask(AskLots(CONTROL_VERSION, new_id())) for _ in range(times))
            return list(await asyncio.gather(*one))
        finally:
            if server is not None:
                server.close()

    return asyncio.run(run())


def echo(payload: bytes, reply: Callable[[bytes], None]) -> None:
    request = decode_request(payload)
    assert request is not None
    reply(encode_reply(Reply(request.request_id, False, f"no {request.request_id[:1]}")))


def test_many_questions_each_get_their_answer(tmp_path: Path) -> None:
    assert ask(tmp_path, echo, 20) == [Outcome(False, "no m")] * 20


def test_a_strategy_that_does_not_run_is_said_at_once(tmp_path: Path) -> None:
    assert ask(tmp_path, None) == [Outcome(False, "The strategy is not running.")]


def test_silence_and_strange_answers_are_no_answer(tmp_path: Path) -> None:
    (silent,) = ask(tmp_path, lambda payload, reply: None)
    (strange,) = ask(tmp_path, lambda payload, reply: reply(b"\xff"))
    (foreign,) = ask(tmp_path, lambda payload, reply: reply(encode_reply(Reply("x" * 9, True, ""))))
    for outcome in (silent, strange, foreign):
        assert not outcome.ok
        assert "did not answer" in outcome.text
