"""Trying those who watch: dashboard, metrics, telephone, and the model that is asked for advice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Final

import httpx

from monitor.advisor.advisor import Advisor
from monitor.advisor.pace import Fault, Pace, Usage, answered, day_of, failed, is_spent
from monitor.around import Around
from monitor.notices import Memory, notice
from monitor.outbox import Notice, Outbox, is_quiet, put, sent, take
from monitor.phone import asked
from monitor.shell import Ears, Offer, RefusedError, _advisor, _bot_token, _offers
from monitor.telegram import Talk, Telegram
from monitor.view import View, hear
from monitor.web import Outcome
from shared import log
from shared.config import Config, Home
from shared.control import AnyRequest
from shared.units import SECOND, Ns
from tests.keys.trying import Row, exactly, more
from tests.unit.monitor.advisor.fakes import GOOD, KEY, said
from tests.unit.monitor.advisor.test_advisor import LISTENS
from tests.unit.monitor.frames import NOW, WALL, after, beat, book, instrument, status
from tests.unit.monitor.test_page import AROUND
from tests.unit.monitor.test_phone import message

DAY_S: Final = 86_400


class Silent:
    """A strategy that agrees with all."""

    async def ask(self, _request: AnyRequest) -> Outcome:
        return Outcome(True, "so be it")


# What is served.


def served(config: Config, home: Home) -> dict[str, Any]:
    """Each site that the monitor serves: its place, and what a visitor sees there."""
    loop = asyncio.new_event_loop()
    try:
        offer = Offer(Ears(config), Silent(), loop.create_future())  # type: ignore[arg-type]
        return _served(config, home, offer)
    except RefusedError as error:
        return {"refused": str(error)}
    finally:
        loop.close()
        log.close()


def _served(config: Config, home: Home, offer: Offer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with ExitStack() as opened:
        for line, app in _offers(config, home, offer):
            opened.enter_context(line)
            host, port = line.getsockname()[:2]
            if any(getattr(route, "path", "") == "/metrics" for route in app.routes):
                text = asyncio.run(_ask(app, port, "GET", "/metrics")).text
                found["metrics"] = (port, text.partition("_")[0].split()[-1])
                continue
            form = {"username": "owner", "token": "twelve letters"}
            token = (home.data / "dashboard_token").read_text().strip()
            page = asyncio.run(_ask(app, port, "GET", "/", headers=_bearer(token)))
            login = asyncio.run(_ask(app, port, "POST", "/", data=form))
            found["web"] = {
                "host": host,
                "port": port,
                "language": page.text.partition('<html lang="')[2][:2],
                "login": login.status_code,
            }
    return found


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept-Language": "en"}


async def _ask(app: Any, port: int, method: str, path: str, **how: Any) -> httpx.Response:
    line = httpx.ASGITransport(app, client=("127.0.0.5", 50_000))
    async with httpx.AsyncClient(transport=line, base_url=f"http://127.0.0.1:{port}") as client:
        return await client.request(method, path, **how)


# The telephone.


def phone(config: Config) -> Telegram:
    async def ask(_request: AnyRequest) -> Outcome:
        return Outcome(True, "so be it")

    talk = Talk(lambda: (View(), Around(), NOW, WALL), ask, lambda _: None)
    return Telegram(config.telegram, "12:TOKEN", talk, log.get())


def bot_token(config: Config, home: Home) -> str:
    try:
        return _bot_token(home, config)
    except RefusedError as error:
        return str(error)


def obeys(chat: int, user: int) -> Any:
    def see(config: Config) -> bool:
        made = phone(config)
        return asked(message("/status", chat=chat, user=user), made._owner, WALL) is not None

    return see


def told(config: Config) -> str:
    """What the telephone is told when the bot is put on hold."""
    made = phone(config)
    memory, _ = notice(Memory(), after(status()), AROUND, NOW, WALL, made._rules)
    held = after(status(hold=True, waits_for=("tea",)))
    return "".join(n.text for n in notice(memory, held, AROUND, NOW, WALL, made._rules)[1])


def told_by_day(config: Config) -> str:
    """The hours (German time) of a day at which a summary is told."""
    made, hours, memory = phone(config), [], Memory()
    midnight = 1_780_005_600  # 2026-05-29 in Berlin
    for hour in range(24):
        wall = Ns((midnight + hour * 3600) * SECOND)
        memory, found = notice(memory, after(status()), AROUND, NOW, wall, made._rules)
        hours += [hour for each in found if "Equity" in each.text]
    return str(hours)


def told_at_night(config: Config) -> str:
    """What gets through at 22:26 in Berlin of a matter that can wait."""
    made = phone(config)
    box = put(Outbox(), [Notice("a", "info", "a fill")], NOW)
    quiet = is_quiet(made._settings.quiet_hours, Ns(1_780_000_000 * SECOND))
    return take(box, NOW, quiet=quiet)[1]


def seconds_between(config: Config) -> float:
    """From a message to the next."""
    box = put(
        sent(Outbox(), NOW, phone(config)._settings.per_minute), [Notice("b", "info", "y")], NOW
    )
    waits = (n for n in range(1, 61) if take(box, Ns(NOW + n * SECOND), quiet=False)[1])
    return next(waits)


def phone_address(config: Config) -> str:
    return phone(config)._base


# Advice of a model.


class Model:
    """A question and its answer, without a network."""

    def __init__(self, config: Config, home: Home, key: str = KEY) -> None:
        self.config, self.home, self.key = config, home, key
        self.asked: list[httpx.Request] = []
        self.usage = Usage()

    def look(self) -> tuple[View, Around, Ns, Ns]:
        view = View()
        for frame in (instrument(), book(), beat(), status(advice=LISTENS)):
            view = hear(view, frame, NOW, WALL)
        return view, Around(), NOW, WALL

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        body = said(self.config.ai_signal.provider, json.dumps(GOOD))
        return httpx.Response(200, stream=httpx.ByteStream(body))

    def turn(self) -> Advisor:
        advisor = Advisor(
            self.config, self.key, self.home.data, self.look,
            lambda seen: setattr(self, "usage", seen.usage),
            Silent(),  # type: ignore[arg-type]
        )  # fmt: skip
        asyncio.run(advisor.http.aclose())

        async def once() -> None:
            transport = httpx.MockTransport(self.answer)
            async with httpx.AsyncClient(transport=transport) as advisor.http:
                await advisor.turn()

        asyncio.run(once())
        return advisor


def question(config: Config, home: Home) -> dict[str, Any]:
    """The question as it goes over the wire."""
    model = Model(config, home)
    model.turn()
    (request,) = model.asked
    body = json.loads(request.content)
    form = body.get("generationConfig", body)
    return {
        "host": request.url.host,
        "path": request.url.path,
        "warmth": form.get("temperature"),
        "most": form.get("maxOutputTokens"),
        "usd": float(model.usage.usd),
    }


HOST, PATH, WARMTH, MOST, USD = (
    lambda config, home, name=name: question(config, home)[name]
    for name in ("host", "path", "warmth", "most", "usd")
)


def refused_without_key(config: Config, home: Home) -> str:
    try:
        made = _advisor(home, config, Ears(config), Silent())  # type: ignore[arg-type]
    except RefusedError as error:
        return str(error)
    assert made is not None
    asyncio.run(made.http.aclose())
    return str(made._headers)


def patience(config: Config, home: Home) -> float:
    """How long an answer is waited for, s."""
    made = Advisor(
        config, KEY, home.data, Model(config, home).look, lambda _: None,
        Silent(),  # type: ignore[arg-type]
    )  # fmt: skip
    asyncio.run(made.http.aclose())
    return float(made.http.timeout.read or 0.0)


def next_question(config: Config) -> float:
    return (answered(NOW, config.ai_signal).not_before - NOW) / SECOND


def failures_until_open(config: Config) -> int:
    pace, count = Pace(), 0
    while not pace.open:
        pace, count = failed(pace, Fault("server", "x"), NOW, config.ai_signal), count + 1
    return count


def open_for(config: Config) -> float:
    fault = Fault("key", "x", lasting=True)
    return (failed(Pace(), fault, NOW, config.ai_signal).not_before - NOW) / SECOND


def spent(config: Config) -> bool:
    """Whether half a dollar a day is too much."""
    usage = Usage(day=day_of(WALL), day_usd=Decimal("0.5"))
    return is_spent(usage, WALL, config.ai_signal)


def quiet_ports(count: int) -> list[int]:
    """Free ports below those that the kernel gives to whoever asks for any: nobody takes them."""
    found: list[int] = []
    port = 20_000 + os.getpid() % 10_000
    while len(found) < count:
        port += 1
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


PORTS: Final = quiet_ports(4)
WEB: Final = {"web.port": PORTS[0]}
METRICS: Final = WEB | {"metrics.enabled": True, "metrics.port": PORTS[1]}
NAMED: Final = WEB | {"web.username": "owner", "web.password": "twelve letters"}
CHAT: Final = {"telegram.chat_id": "42"}
ASKS: Final = {"ai_signal.enabled": True}


def less_one(given: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != key}


def web(name: str, value: Any) -> Any:
    """A predicate: what the dashboard's site shows has become this, and was not."""
    return lambda b, a: (b.get("web") or {}).get(name) != value == (a.get("web") or {}).get(name)


ROWS: Final = (
    Row("metrics.enabled", True, served, lambda b, a: "metrics" not in b and "metrics" in a,
        less_one(METRICS, "metrics.enabled"), homely=True),
    Row("metrics.port", PORTS[2], served,
        lambda b, a: b.get("metrics", (0,))[0] != PORTS[2] == a["metrics"][0],
        less_one(METRICS, "metrics.port"), homely=True),
    Row("metrics.prefix", "mybot", served, lambda b, a: (b["metrics"][1], a["metrics"][1])
        == ("icryptotrader", "mybot"), METRICS, homely=True),
    Row("web.enabled", False, served, lambda b, a: "web" in b and "web" not in a, WEB,
        homely=True),
    Row("web.port", PORTS[3], served, web("port", PORTS[3]), homely=True),
    Row("web.host", "::1", served,
        lambda b, a: b["web"]["host"] == "127.0.0.1"
        and ("::1" in a.get("refused", "") or a["web"]["host"] == "::1"), WEB, homely=True),
    Row("web.username", "owner", served,
        lambda b, a: "web.username: is needed" in b and a["web"]["login"] == 303,
        less_one(NAMED, "web.username"), homely=True),
    Row("web.password", "twelve letters", served,
        lambda b, a: "web.password: needs 12" in b["refused"] and a["web"]["login"] == 303,
        less_one(NAMED, "web.password"), homely=True),
    Row("web.language", "de", served, web("language", "de"), WEB, homely=True),
    Row("telegram.enabled", True, bot_token,
        lambda b, a: b == "" and "telegram.bot_token: is needed" in a, CHAT, homely=True),
    Row("telegram.bot_token", "12:TOKEN", bot_token,
        lambda b, a: "is needed" in b and a == "12:TOKEN", CHAT | {"telegram.enabled": True},
        homely=True),
    Row("telegram.chat_id", "42", obeys(42, 42), exactly(False, True)),
    Row("telegram.allowed_user_ids", [7], obeys(99, 7), exactly(False, True), CHAT),
    Row("telegram.language", "de", told, exactly("On hold: tea", "Angehalten: tea"), CHAT),
    Row("telegram.quiet_hours", "22:00-07:00", told_at_night, exactly("a fill", ""), CHAT),
    Row("telegram.summary_at", "07:00", told_by_day, exactly("[20]", "[7]"), CHAT),
    Row("telegram.per_minute", 5, seconds_between, exactly(4, 12), CHAT),
    Row("telegram.api_url", "https://api.example", phone_address,
        exactly("https://api.telegram.org/bot12:TOKEN", "https://api.example/bot12:TOKEN"), CHAT),
    Row("ai_signal.provider", "openai", HOST,
        exactly("generativelanguage.googleapis.com", "api.openai.com"), ASKS, homely=True),
    Row("ai_signal.api_key", "a-key-of-mine", refused_without_key,
        lambda b, a: "ai_signal.api_key: is needed" in b and "a-key-of-mine" in a, ASKS,
        homely=True),
    Row("ai_signal.api_url", "https://models.example", HOST,
        lambda b, a: a == "models.example" != b, ASKS, homely=True),
    Row("ai_signal.model", "another-model", PATH,
        lambda b, a: "gemini-2.0-flash" in b and "another-model" in a, ASKS, homely=True),
    Row("ai_signal.temperature", 0.7, WARMTH, exactly(0.2, 0.7), ASKS, homely=True),
    Row("ai_signal.max_tokens", 100, MOST, exactly(512, 100), ASKS, homely=True),
    Row("ai_signal.input_price_usd", "5", USD, more, ASKS, homely=True),
    Row("ai_signal.output_price_usd", "5", USD, more, ASKS, homely=True),
    Row("ai_signal.timeout_sec", 20, patience, exactly(10.0, 20.0), ASKS, homely=True),
    Row("ai_signal.cooldown_sec", 60, next_question, exactly(300.0, 60.0)),
    Row("ai_signal.breaker_failures", 2, failures_until_open, exactly(5, 2)),
    Row("ai_signal.breaker_pause_sec", 600, open_for, exactly(1800.0, 600.0)),
    Row("ai_signal.daily_budget_usd", "0.3", spent, exactly(False, True)),
)  # fmt: skip
