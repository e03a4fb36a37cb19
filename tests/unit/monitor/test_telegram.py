"""The telephone: the whole of it against a Bot API over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from monitor.around import Around
from monitor.telegram import Talk, Telegram
from monitor.view import View
from monitor.web import Outcome
from shared.config import Home, load
from shared.control import AnyRequest, Hold, Kill, Resume
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import NOW, WALL, after, status
from tests.unit.monitor.test_page import AROUND


class Api(ThreadingHTTPServer):
    """A Bot API on loopback: hands out updates, keeps messages, fails as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.updates: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.pressed: list[str] = []
        self.fail: list[tuple[str, int, dict[str, Any]]] = []
        self.paths: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        return  # A client that hung up at the end of a test.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = self.path.rpartition("/")[2]
        self.server.paths.append(self.path)
        for place, (name, code, extra) in enumerate(self.server.fail):
            if name == method:
                self.server.fail.pop(place)
                self.reply(code, {"ok": False} | extra)
                return
        result: Any = True
        if method == "getUpdates":
            time.sleep(0.05)
            result = [u for u in self.server.updates if u["update_id"] >= body["offset"]]
        elif method == "sendMessage":
            self.server.messages.append(body["text"])
        elif method == "answerCallbackQuery":
            self.server.pressed.append(body["callback_query_id"])
        self.reply(200, {"ok": True, "result": result})

    def reply(self, code: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


class Bot:
    """The strategy's end of the control socket."""

    def __init__(self) -> None:
        self.asked: list[AnyRequest] = []

    async def ask(self, request: AnyRequest) -> Outcome:
        self.asked.append(request)
        return Outcome(True, "so be it")


class House:
    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self.now = NOW
        self.looks = 0
        self.troubles: list[str] = []

    def look(self) -> tuple[View, Around, Ns, Ns]:
        self.looks += 1
        self.now = Ns(self.now + 10 * SECOND)
        return after(status(**self.said), now=self.now), AROUND, self.now, WALL


def live(api: Api, until: Any, house: House | None = None, bot: Bot | None = None) -> None:
    """The bot against the API until a condition holds."""
    config = load(Home(load.__globals__["ROOT"] / "no-such-home")).telegram
    config = replace(config, enabled=True, chat_id="42", api_url=api.url, summary_at="")
    seen, control = house or House(), bot or Bot()

    async def run() -> None:
        stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        talk = Talk(seen.look, control.ask, seen.troubles.append)
        made = Telegram(config, "12:TOKEN", talk, structlog.get_logger())
        task = asyncio.ensure_future(made.run(stop))
        async with asyncio.timeout(30):
            while not until():
                assert not task.done()
                await asyncio.sleep(0.02)
        stop.set_result(None)
        await task

    asyncio.run(run())


def text(number: int, words: str, chat: int = 42) -> dict[str, Any]:
    return {"update_id": number, "message": {"chat": {"id": chat}, "from": {"id": chat},
            "date": WALL // SECOND, "text": words}}  # fmt: skip


def press(number: int, data: str, user: int = 42) -> dict[str, Any]:
    return {"update_id": number, "callback_query": {"id": f"p{number}", "from": {"id": user},
            "data": data, "message": {"chat": {"id": user}, "date": 0}}}  # fmt: skip


def test_commands_and_buttons_reach_the_strategy(api: Api) -> None:
    bot = Bot()
    api.updates = [text(1, "/status"), press(2, "hold"), text(3, "/hold", chat=666),
                   press(4, "kill", user=666), text(5, "/resume")]  # fmt: skip
    live(api, lambda: len(api.messages) >= 3, bot=bot)
    assert api.pressed == ["p2"]
    assert [type(request) for request in bot.asked] == [Hold]
    assert "🟢" in api.messages[0]
    assert "✅ so be it" in api.messages[1]
    code = api.messages[2].partition("/resume ")[2][:4]
    assert code.isdigit()
    assert all(path.startswith("/bot12:TOKEN/") for path in api.paths)


def test_resume_and_kill_by_the_code_that_was_sent(api: Api) -> None:
    for deed, kind in (("resume", Resume), ("kill", Kill)):
        bot = Bot()
        api.messages.clear()
        api.updates = [text(1, f"/{deed}")]

        def done(bot: Bot = bot, deed: str = deed) -> bool:
            if len(api.messages) == 1 and len(api.updates) == 1:
                code = api.messages[0].partition(f"/{deed} ")[2][:4]
                api.updates.append(text(2, f"/{deed} {code}"))
            return bool(bot.asked) and len(api.messages) >= 2

        live(api, done, bot=bot)
        assert [type(request) for request in bot.asked] == [kind]


def test_conflict_limits_and_broken_answers_are_waited_out(api: Api) -> None:
    house = House()
    api.fail = [
        ("getUpdates", 502, {}),
        ("getUpdates", 200, {"ok": "maybe"}),
        ("sendMessage", 429, {"parameters": {"retry_after": 3}}),
        ("sendMessage", 500, {}),
    ]
    api.updates = [text(1, "/orders")]

    def done() -> bool:
        if house.looks > 2:
            house.said = {"hold": True, "waits_for": ("tea",)}
        return any("On hold: tea" in m for m in api.messages) and any(
            "84753.5" in m for m in api.messages
        )

    api.fail.append(("answerCallbackQuery", 400, {}))
    live(api, done, house)
    assert sum("On hold: tea" in m for m in api.messages) == 1


def test_another_program_on_the_same_bot_is_reported(api: Api) -> None:
    house = House()
    api.fail = [("getUpdates", 409, {"description": "Conflict"})]
    live(api, lambda: bool(house.troubles), house)
    assert "another program asks" in house.troubles[0]


def test_a_token_that_is_not_accepted_is_reported_until_it_is(api: Api) -> None:
    house = House()
    api.fail = [("getUpdates", 401, {})]
    live(api, lambda: "" in house.troubles, house)
    assert house.troubles[0] == "the token is not accepted"


def test_a_text_it_will_never_take_is_not_in_the_way(api: Api) -> None:
    house = House()
    api.fail = [("sendMessage", 400, {"description": "can't parse entities"})]

    def done() -> bool:
        if house.looks > 2:
            house.said = {"hold": bool(api.fail)}
        return any("Quoting again" in m for m in api.messages)

    live(api, done, house)
