"""The monitor's shell: frames in from the bus, pages and metrics out over HTTP on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette
from structlog.typing import FilteringBoundLogger

from monitor.access import PASSWORD_LEAST, TOKEN_FILE, Access, TokenError, read_token
from monitor.advisor.advisor import Advisor
from monitor.advisor.providers import is_key
from monitor.advisor.seen import AdvisorSeen
from monitor.around import (
    FIDELITY_FILE,
    Around,
    LogFollower,
    keep_log,
    read_fidelity,
    read_processes,
)
from monitor.control import Control, new_id
from monitor.door import Door
from monitor.metrics import Metrics
from monitor.rates import Fetcher, is_wanted
from monitor.telegram import Talk, Telegram
from monitor.view import RatesSeen, View, hear
from monitor.web import Desk, metrics_app, status_app
from shared import log
from shared.bus import Arrival, Gaps, Subscriber
from shared.charts import ChartsError
from shared.clock import Clock
from shared.config import Config, ConfigError, Home, read_secret
from shared.frames import WIRE, decode
from shared.process import on_stop
from shared.units import SECOND, Ns
from shared.watchdog import Watchdog

PATHS: Final = ("run/feed.pub", "run/strategy.pub")
PET_S: Final = 1.0
PUSH_S: Final = 1.0
LOOK_S: Final = 1.0
TAX_SOON: Final = 20 * SECOND
TAX_LATE: Final = 300 * SECOND
"""Between two questions for the tax overview: after new fills, and without."""

HTTP_CONNECTIONS: Final = 512
"""Of a site; those that have not asked yet are fewer (monitor/door.py)."""

HTTP_BACKLOG: Final = 64
HTTP_HEAD_BYTES: Final = 16_384
HTTP_IDLE_S: Final = 10
HTTP_STOP_S: Final = 2


class RefusedError(Exception):
    """The monitor cannot start as configured; the text says what and how to change it."""


class Ears:
    """Keeps the newest view of what the bus tells."""

    def __init__(self, config: Config) -> None:
        self._clock = config.make_clock()
        self._gaps = Gaps()
        self.view = View()
        self.around = Around()
        self._telegram = ""

    def on_telegram(self, trouble: str) -> None:
        self._telegram = trouble

    def on_frame(self, topic: bytes, payload: bytes) -> None:
        frame = decode(payload)
        if frame is None:
            self._count(strange=1)
            return
        if self._gaps.check(topic, frame.boot, frame.seq) is Arrival.OLD:
            self._count()
            return
        self._count(frames=1)
        self.view = hear(self.view, frame, self._clock.now(), self._clock.wall())

    def on_rates(self, seen: RatesSeen) -> None:
        self.view = replace(self.view, rates=seen)

    def look(self) -> tuple[View, Around, Ns, Ns]:
        around = replace(self.around, telegram=self._telegram)
        return self.view, around, self._clock.now(), self._clock.wall()

    def on_advisor(self, seen: AdvisorSeen) -> None:
        self.view = replace(self.view, advisor=seen)

    def _count(self, frames: int = 0, strange: int = 0) -> None:
        wire = self.view.wire
        counted = replace(
            wire,
            frames=wire.frames + frames,
            strange=wire.strange + strange,
            missed=self._gaps.missed,
            old=self._gaps.old,
        )
        self.view = replace(self.view, wire=counted)


async def run(config: Config, home: Home, logger: FilteringBoundLogger, watchdog: Watchdog) -> None:
    """Watch until SIGTERM or SIGINT; RefusedError where a port or the token file is not to be had.

    The working folder is the home: the bus is reached from there.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()
    on_stop(loop.call_soon_threadsafe, lambda _: _settle(stop))
    loop.set_exception_handler(lambda _loop, told: _break(stop, told.get("exception")))
    ears = Ears(config)
    control = Control()
    bot_token = _bot_token(home, config)
    advisor = _advisor(home, config, ears, control)
    with contextlib.ExitStack() as opened:
        served = [
            (opened.enter_context(line), app)
            for line, app in _offers(config, home, Offer(ears, control, stop))
        ]
        subscriber = Subscriber(loop, PATHS, [f"{WIRE}/".encode()], ears.on_frame)
        opened.callback(subscriber.close)
        logger.info("monitor is up", ports=[line.getsockname()[1] for line, _ in served])
        async with asyncio.TaskGroup() as tasks:
            servers = [_server(app) for _, app in served]
            for server, (line, _) in zip(servers, served, strict=True):
                tasks.create_task(_serve(server, line))
            tasks.create_task(_pet(watchdog, stop))
            tasks.create_task(_look_around(ears, control, home, stop))
            if advisor is not None:
                tasks.create_task(advisor.run(stop))
            if config.telegram.enabled:
                talk = Talk(ears.look, control.ask, ears.on_telegram)
                bot = Telegram(config.telegram, bot_token, talk, logger)
                tasks.create_task(bot.run(stop))
            if is_wanted(config):
                fetcher = Fetcher(config, control, ears.on_rates, logger)
                tasks.create_task(fetcher.run(stop))
            await asyncio.wait({stop})
            for server in servers:
                server.should_exit = True
    stop.result()  # What a callback raised, where that was what ended us.
    logger.info("monitor is down")


class Offer(NamedTuple):
    """What the served sites look at and speak to."""

    ears: Ears
    control: Control
    stop: asyncio.Future[None]

    async def tick(self) -> bool:
        """A moment later: True while the monitor lives."""
        await asyncio.wait({self.stop}, timeout=PUSH_S)
        return not self.stop.done()


async def _look_around(
    ears: Ears, control: Control, home: Home, stop: asyncio.Future[None]
) -> None:
    """Keep what the bus does not tell: the log each second, processes and tax less often."""
    follower = LogFollower(home.log)
    asked_fills, asked_at = -1, Ns(0)
    clock = Clock()  # Of the machine: this is about work, not about the market.
    try:
        while not stop.done():
            around = ears.around
            log_lines = keep_log(around.log, follower.poll())
            measured = read_fidelity(home.data / FIDELITY_FILE)
            around = replace(
                around, log=log_lines, processes=read_processes(home.run), fidelity=measured
            )
            fills = ears.view.status.fills if ears.view.status else -1
            waited = clock.now() - asked_at
            if fills >= 0 and waited >= (TAX_SOON if fills != asked_fills else TAX_LATE):
                asked_fills, asked_at = fills, clock.now()
                if (tax := await control.tax()) is not None:
                    around = replace(around, tax=tax, tax_at=ears.look()[3])
            ears.around = replace(around, rates=ears.view.rates)
            await asyncio.wait({stop}, timeout=LOOK_S)
    finally:
        follower.close()


def _offers(config: Config, home: Home, offer: Offer) -> Iterator[tuple[socket.socket, Starlette]]:
    """What is served, each with its listening socket, which is the taker's to close."""
    ears = offer.ears
    if config.metrics.enabled:
        metrics = Metrics(config.metrics.prefix, ears.look)
        yield _listen("metrics.port", "127.0.0.1", config.metrics.port), metrics_app(metrics)
    if config.web.enabled:
        password = _password(home, config)
        token = _token(home.data)
        access = Access(token, config.web.port, config.web.username, password)
        desk = Desk(ears.look, offer.control.ask, offer.tick, new_id)
        token_file = str(home.data / TOKEN_FILE)
        try:
            site = status_app(desk, access, token_file, config.web.language)
        except ChartsError as error:
            raise RefusedError(str(error)) from None
        yield _listen("web.port", config.web.host, config.web.port), site


def _password(home: Home, config: Config) -> str:
    """The password of web.username; RefusedError where it is too short to be one."""
    if not config.web.username:
        return ""
    try:
        password = read_secret(home, "web.password")
    except ConfigError as error:
        raise RefusedError("; ".join(error.faults)) from None
    log.redact(password)
    if len(password) < PASSWORD_LEAST:
        raise RefusedError(f"web.password: needs {PASSWORD_LEAST} characters at least")
    return password


def _bot_token(home: Home, config: Config) -> str:
    """The token of the Telegram bot; RefusedError where it is enabled and there is none."""
    if not config.telegram.enabled:
        return ""
    try:
        token = read_secret(home, "telegram.bot_token")
    except ConfigError as error:
        raise RefusedError("; ".join(error.faults)) from None
    if not token:
        raise RefusedError("telegram.bot_token: is needed where telegram.enabled is true")
    log.redact(token)
    return token


def _advisor(home: Home, config: Config, ears: Ears, control: Control) -> Advisor | None:
    """None where no model shall be asked; RefusedError where it shall and there is no key."""
    if not config.ai_signal.enabled:
        return None
    try:
        key = read_secret(home, "ai_signal.api_key")
    except ConfigError as error:
        raise RefusedError("; ".join(error.faults)) from None
    log.redact(key)
    if not is_key(key):
        raise RefusedError(
            "ai_signal.api_key: is needed where ai_signal.enabled is true, in one word, as the "
            "provider gave it, in a user.toml of mode 0600 or a credential"
        )
    return Advisor(config, key, home.data, ears.look, ears.on_advisor, control)


def _token(data: Path) -> str:
    try:
        token = read_token(data)
    except (TokenError, OSError) as error:
        raise RefusedError(str(error)) from None
    log.redact(token)
    return token


def _listen(key: str, host: str, port: int) -> socket.socket:
    """A listening socket; RefusedError with the key to change where the port is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    line = socket.socket(family, socket.SOCK_STREAM)
    try:
        # After a kill the port is still remembered by the kernel for a minute.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.bind((host, port))
        line.listen(HTTP_BACKLOG)
    except OSError as error:
        line.close()
        text = f"{key}: port {port} of {host} cannot be used ({error.strerror}); choose another"
        raise RefusedError(text) from None
    line.setblocking(False)
    return line


def _server(app: Starlette) -> uvicorn.Server:
    settings = uvicorn.Config(
        app,
        http=Door,
        backlog=HTTP_BACKLOG,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=HTTP_CONNECTIONS,
        h11_max_incomplete_event_size=HTTP_HEAD_BYTES,
        timeout_keep_alive=HTTP_IDLE_S,
        timeout_graceful_shutdown=HTTP_STOP_S,
    )
    return uvicorn.Server(settings)


async def _serve(server: uvicorn.Server, line: socket.socket) -> None:
    # Server.serve would take the process's signals, which are ours; this is the rest of it.
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[line])
    await server.main_loop()
    await server.shutdown(sockets=[line])


async def _pet(watchdog: Watchdog, stop: asyncio.Future[None]) -> None:
    while not stop.done():
        watchdog.pet()
        await asyncio.wait({stop}, timeout=PET_S)


def _settle(stop: asyncio.Future[None]) -> None:
    if not stop.done():
        stop.set_result(None)


def _break(stop: asyncio.Future[None], error: BaseException | None) -> None:
    """Crash-only: what a callback raises ends the process. An OSError is a visitor's line."""
    if error is not None and not isinstance(error, OSError) and not stop.done():
        stop.set_exception(error)
