"""The telephone: what is told and asked, and the whole of it against a Bot API over HTTP."""

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
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.around import Around, ProcessSeen
from monitor.notices import Memory, Rules, notice
from monitor.outbox import (
    MESSAGE_CHARS,
    REPEAT_AFTER,
    WAITING_MOST,
    Notice,
    Outbox,
    is_quiet,
    put,
    refused,
    sent,
    take,
)
from monitor.phone import Asked, Code, Owner, Update, answer, asked, read_updates
from monitor.telegram import Talk, Telegram
from monitor.view import View, hear
from monitor.web import Outcome
from shared.config import Home, load
from shared.control import AnyRequest, Hold, Kill, Resume
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import NOW, WALL, alert, beat, book, fill, instrument, status
from tests.unit.monitor.test_page import AROUND

OWNER = Owner(42, (7,))
RULES = Rules("en", "20:00")


def after(*frames: Any, now: Ns = NOW, view: View | None = None) -> View:
    known = view or View()
    for frame in (instrument(), book(), beat(), *frames):
        known = hear(known, frame, now, WALL)
    return known


def told(before: View, then: View, around: Around = AROUND, wall: Ns = WALL) -> list[str]:
    memory, _ = notice(Memory(), before, AROUND, NOW, WALL, RULES)
    _, found = notice(memory, then, around, NOW, wall, RULES)
    return [each.text for each in found]


# What is told.


def test_the_first_look_tells_nothing_of_the_past() -> None:
    view = after(status(hold=True, pause="RISK_PAUSE_ACTIVE"), alert("x", level="critical"))
    assert notice(Memory(), view, AROUND, NOW, WALL, RULES)[1] == []


def test_a_fill_is_told_once() -> None:
    first = after(status())
    second = after(status(last_fills=(fill(1), fill(2, "sell"))), view=first)
    (text,) = told(first, second)
    assert "Sold 0.00591716 BTC/EUR at <b>84500.0</b>, fee 0.60000 EUR" in text
    assert told(second, second) == []


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"pause": "RISK_PAUSE_ACTIVE", "drawdown_pct": 0.16}, "RISK_PAUSE_ACTIVE</b> (16.0 %)"),
        ({"hold": True, "waits_for": ("on hold: tea",)}, "On hold: on hold: tea"),
        ({"phase": "halted", "waits_for": ("too many <rejects>",)}, "too many &lt;rejects&gt;"),
        ({"tick_us": 400_000.0}, "one tick took 400 ms"),
    ],
)
def test_changes_of_the_strategy_are_told(said: dict[str, Any], text: str) -> None:
    found = told(after(status()), after(status(**said)))
    assert len(found) == 1
    assert text in found[0]


def test_silence_and_return_are_told() -> None:
    view = after(status())
    memory, _ = notice(Memory(), view, AROUND, NOW, WALL, RULES)
    later = Ns(NOW + 60 * SECOND)
    memory, found = notice(memory, view, AROUND, later, WALL, RULES)
    assert [each.level for each in found] == ["critical", "critical"]
    _, found = notice(memory, after(status(), now=later), AROUND, later, WALL, RULES)
    assert all("is back" in each.text for each in found)


def test_alarms_of_the_bus_and_of_memory_are_told() -> None:
    first = after(status())
    then = hear(first, alert("disk", "the disk is full", "error"), NOW, Ns(WALL + 1))
    then = hear(then, alert("chat", "nothing", "info"), NOW, Ns(WALL + 2))
    assert told(first, then) == ["<b>error</b>: the disk is full"]
    fat = replace(AROUND, processes=(ProcessSeen("feed", 1, 912.0),))
    assert told(first, first, fat) == ["<b>error</b>: feed uses much memory: 900 MB."]


def test_what_the_watchdog_found_is_told_once_until_it_has_been_well_again() -> None:
    view, fat = after(status()), replace(AROUND, processes=(ProcessSeen("feed", 1, 912.0),))
    memory, counts = Memory(), []
    for around in (fat, fat, AROUND, fat):
        memory, found = notice(memory, view, around, NOW, WALL, RULES)
        counts.append(len(found))
    assert counts == [1, 0, 0, 1]


def test_the_daily_summary_comes_once_a_german_day() -> None:
    view = after(status())
    noon, evening = Ns(1_780_048_800 * SECOND), Ns(1_780_081_200 * SECOND)  # 12:00, 21:00 CEST
    memory, found = notice(Memory(), view, AROUND, NOW, noon, RULES)
    unlock = replace(AROUND, tax=replace(AROUND.tax, unlocks=(("2026-05-30", "0.5"),)))  # type: ignore[type-var]
    memory, found = notice(memory, view, unlock, NOW, evening, RULES)
    text = "\n".join(each.text for each in found)
    assert "Equity 24753.21" in text
    assert "after tax 812.34" in text
    assert "Free of tax from tomorrow: 0.5 BTC" in text
    assert notice(memory, view, unlock, NOW, evening, RULES)[1] == []


# What waits.


def test_the_same_is_told_once_and_again_after_a_while() -> None:
    one = Notice("k", "info", "text")
    box, text = take(put(Outbox(), [one, one], NOW), NOW, quiet=False)
    assert text == "text"
    assert put(box, [one], Ns(NOW + 1)).waiting == ()
    assert put(box, [one], Ns(NOW + REPEAT_AFTER)).waiting == (one,)
    assert put(box, [Notice("k", "info", "worse")], NOW).waiting[0].text == "worse"


def test_at_night_only_what_is_urgent_goes_out() -> None:
    box = put(Outbox(), [Notice("a", "info", "fill"), Notice("b", "critical", "fire")], NOW)
    box, text = take(box, NOW, quiet=True)
    assert text == "fire"
    assert take(box, NOW, quiet=True)[1] == ""
    assert take(box, NOW, quiet=False)[1] == "fill"


@pytest.mark.parametrize(
    ("span", "clock_utc_s", "quiet"),
    [
        ("22:00-07:00", 1_780_000_000, True),  # 22:26 in Berlin
        ("22:00-07:00", 1_780_048_800, False),
        ("12:00-13:00", 1_780_048_800, True),
        ("", 1_780_000_000, False),
    ],
)
def test_quiet_hours_are_german_ones(span: str, clock_utc_s: int, quiet: bool) -> None:
    assert is_quiet(span, Ns(clock_utc_s * SECOND)) is quiet


def test_limits_and_pauses_are_kept() -> None:
    box = put(Outbox(), [Notice("a", "info", "x")], NOW)
    box, text = take(box, NOW, quiet=False)
    box = refused(box, text, NOW, 17.0)
    assert take(box, Ns(NOW + 16 * SECOND), quiet=False)[1] == ""
    box, text = take(box, Ns(NOW + 17 * SECOND), quiet=False)
    assert text == "x"
    box = put(sent(box, NOW, 15), [Notice("b", "info", "y")], NOW)
    assert take(box, Ns(NOW + 3 * SECOND), quiet=False)[1] == ""
    assert take(box, Ns(NOW + 4 * SECOND), quiet=False)[1] == "y"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.sampled_from(["info", "error"]), st.integers(0, 900)),
        max_size=400,
    )
)
def test_nothing_is_unbounded_and_nothing_urgent_is_lost(rows: list[tuple[int, str, int]]) -> None:
    notices = [Notice(f"{n}", level, f"{n}:{'x' * size}") for n, level, size in rows]
    box = put(Outbox(), notices, NOW)
    assert len(box.waiting) <= WAITING_MOST
    urgent = {n.key: n.text for n in notices if n.level == "error"}
    said = ""
    for _ in range(2 * WAITING_MOST):
        box, text = take(box, NOW, quiet=False)
        assert len(text) <= MESSAGE_CHARS + 500
        said += text + "\n"
    assert box.waiting == ()
    if len(urgent) <= WAITING_MOST and not any(n.level == "info" for n in notices):
        assert all(text in said for text in urgent.values())


# What is asked.


def message(text: str, chat: int = 42, user: int = 42, date: int = WALL // SECOND) -> Update:
    raw = {"update_id": 1, "message": {"chat": {"id": chat}, "from": {"id": user},
           "date": date, "text": text}}  # fmt: skip
    found = read_updates(json.dumps({"ok": True, "result": [raw]}).encode())
    assert found
    return found[0][0]


@pytest.mark.parametrize(
    ("update", "word"),
    [
        (message("/status"), "status"),
        (message("/Resume@my_bot 1234"), "resume"),
        (message("/status", chat=99, user=7), "status"),
        (message("/status", chat=99, user=99), None),
        (message("/status", chat=42, user=99), None),
        (message("status"), None),
        (message("/kill 1", date=WALL // SECOND - 600), None),
    ],
)
def test_only_who_may_is_obeyed_and_only_now(update: Update, word: str | None) -> None:
    found = asked(update, OWNER, WALL)
    assert (found.word if found else None) == word


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"ok":false}', b'{"ok":1}', b"\xff"])
def test_strange_answers_are_no_updates(raw: bytes) -> None:
    assert read_updates(raw) is None


def test_a_strange_update_is_passed_over_and_not_asked_for_again() -> None:
    raw = json.dumps({"ok": True, "result": [{"update_id": 8, "message": 3}, "x"]}).encode()
    assert read_updates(raw) == ([], 9)


@pytest.mark.parametrize("word", ["resume", "kill"])
def test_what_starts_or_cannot_be_undone_needs_the_fresh_code(word: str) -> None:
    view = after(status())

    def say(rest: str, code: Code, now: Ns = NOW) -> Any:
        return answer(Asked(42, word, rest), code, view, AROUND, (now, "4711", "en"))

    first = say("", Code())
    assert first.deed is None
    assert f"/{word} 4711" in first.text
    assert say("4711", first.code).deed == word
    assert say("4711", first.code).code == Code()
    for rest, code, now in (
        ("4712", first.code, NOW),
        ("4711", Code(), NOW),
        ("4711", first.code, Ns(NOW + 121 * SECOND)),
        ("4711", replace(first.code, deed="other"), NOW),
        ("", first.code, NOW),
    ):
        assert say(rest, code, now).deed is None


def test_questions_are_answered_from_the_view() -> None:
    view = after(status())
    for word, text in (
        ("status", "🟢"), ("orders", "84753.5"), ("lots", "12.5 BTC"), ("tax", "879.90"),
        ("nonsense", "/status"),
    ):  # fmt: skip
        assert text in answer(Asked(42, word), Code(), view, AROUND, (NOW, "1", "de")).text
    for word in ("status", "orders", "lots", "tax"):
        assert answer(Asked(42, word), Code(), View(), Around(), (NOW, "1", "en")).text


def test_a_german_telephone_is_told_german() -> None:
    view, later = after(status()), Ns(NOW + 60 * SECOND)
    for word, text in (
        ("orders", "Letzter bekannter Stand; er ist alt."), ("lots", "steuerfrei ab"),
        ("tax", "Gewinn der Verkäufe dieses Jahr, vor Steuer: <b>812.34 EUR</b>"),
        ("status", "Die Strategie schweigt"), ("kill", "innerhalb von zwei Minuten"),
    ):  # fmt: skip
        assert text in answer(Asked(42, word), Code(), view, AROUND, (later, "1", "de")).text
    told = answer(Asked(42, "orders"), Code(), view, AROUND, (NOW, "1", "de")).text
    assert told.index("85493.7") < told.index("85246.5") < told.index("84753.5")


# The whole of it, over HTTP.


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


def test_a_pause_that_telegram_asks_for_is_kept_on_its_clock() -> None:
    """retry_after is the outbox's not_before, exactly: nothing goes out before it is over."""
    box = put(Outbox(), [Notice("a", "error", "one")], NOW)
    box, said = take(box, NOW, quiet=False)
    box = refused(box, said, NOW, 37.0)
    assert take(box, Ns(NOW + 37 * SECOND - 1), quiet=False)[1] == ""
    assert take(box, Ns(NOW + 37 * SECOND), quiet=False)[1] == "one"


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
