"""The advisor: asks a model now and then, and hands its opinion to the strategy as a request.

Rule 1: nothing here can stop or delay trading: it is another process, every question has a time
limit, every answer a bound, and no fault of a model ends the monitor.
Rule 2: nothing that a model or its provider wrote is logged, shown or passed on but an opinion
within its bounds.
Rule 3: it decides by itself when to ask, by the machine's clock: what is paced here is money, not
the market. The strategy says with each status whether it listens, and may refuse.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from monitor.advisor.opinion import Opinion, as_request, read_opinion
from monitor.advisor.pace import (
    Fault,
    Usage,
    answered,
    asking,
    begin,
    charged,
    failed,
    fault_of,
    is_spent,
)
from monitor.advisor.providers import PROVIDERS, read_answer
from monitor.advisor.question import INSTRUCTION, SCHEMA, question
from monitor.advisor.seen import AdvisorSeen
from monitor.around import Around
from monitor.control import Control, new_id
from monitor.view import View
from shared import log
from shared.clock import Clock
from shared.config import Config
from shared.units import Ns

LOOK_S: Final = 1.0
ANSWER_BYTES: Final = 65_536
"""An answer has a few kilobytes at most; what is longer is not read to its end."""

USAGE_FILE: Final = "advisor.json"

Look = Callable[[], tuple[View, Around, Ns, Ns]]
"""The view, what is around it, and house time now: since boot, and on the wall."""

Tell = Callable[[AdvisorSeen], None]


class Heard(Struct, frozen=True):
    """What came over HTTP. code: 0 where nothing whole came; fault: why."""

    code: int
    body: bytes = b""
    wait_s: float = 0.0
    fault: Fault | None = None


class Advisor:
    """Asks while it runs; `tell` is told what people are shown, each time it changes."""

    def __init__(
        self,
        config: Config,
        key: str,
        data: Path,
        look: Look,
        tell: Tell,
        control: Control,
    ) -> None:
        """data: the folder that keeps what was spent."""
        self._config, self._cfg = config, config.ai_signal
        self._provider = PROVIDERS[self._cfg.provider]
        base = self._cfg.api_url.rstrip("/") or self._provider.base
        self._url = base + self._provider.path(self._cfg.model)
        self._headers = self._provider.headers(key)
        # A redirect would carry the key elsewhere; the environment names no proxy for it.
        self.http = httpx.AsyncClient(
            trust_env=False, follow_redirects=False, timeout=self._cfg.timeout_sec
        )
        self._file = data / USAGE_FILE
        self._look, self._tell, self._control = look, tell, control
        self._log = log.get()
        self._clock = Clock()
        usage = read_usage(self._file)
        self._pace = begin(usage, self._clock.now(), self._clock.wall(), self._cfg)
        self._seen = AdvisorSeen(self._cfg.provider, self._cfg.model, usage=usage)
        tell(self._seen)

    async def run(self, stop: asyncio.Future[None]) -> None:
        """Until `stop`."""
        async with self.http:
            while not stop.done():
                await _unless(stop, self.turn())
                await asyncio.wait({stop}, timeout=LOOK_S)

    async def turn(self) -> None:
        """Ask, where it is time to; `http` must be open."""
        view, _, now, wall = self._look()
        why = self._why_not(view, now)
        if why:
            paused = self._pace.open and self._clock.now() < self._pace.not_before
            self._show(state="paused" if paused else "waits", why=why)
            return
        figures = question(view, self._config.symbols, wall)
        if not figures:
            self._show(state="waits", why="no market to speak of")
            return
        self._show(state="asking", why="")
        self._keep(asking(self._seen.usage, self._clock.wall()))
        found = self._judge(await self._ask(figures))
        fault = await self._hand_over(found) if isinstance(found, Opinion) else found
        if fault is None:
            self._pace = answered(self._clock.now(), self._cfg)
        else:
            self._note(fault)

    def _why_not(self, view: View, now: Ns) -> str:
        """Why no question is asked now, in words; "" where one is due."""
        status, cfg = view.status, self._cfg
        if status is None or not view.strategy.up(now):
            return "the strategy is silent"
        if status.advice.off:
            return "switched off by strategy-ctl advice off"
        if status.phase != "trading" or status.hold:
            return "the strategy does not trade"
        if not any(self._listens(pair.regime) for pair in status.pairs):
            return "the market's regime does not listen to advice"
        if is_spent(self._seen.usage, self._clock.wall(), cfg):
            return "the day's budget is used up"
        left = self._pace.not_before - self._clock.now()
        if left > 0:
            return "the breaker is open" if self._pace.open else "the cooldown runs"
        return ""

    def _listens(self, regime: str) -> bool:
        values = {
            "range_bound": self._config.regime.range_bound,
            "trending_up": self._config.regime.trending_up,
            "trending_down": self._config.regime.trending_down,
            "chaos": self._config.regime.chaos,
        }
        return regime in values and values[regime].signal_enabled

    async def _ask(self, figures: str) -> Heard:
        """One question; whatever goes wrong on the way is a fault with a name."""
        body = self._provider.body(self._cfg, INSTRUCTION, figures, SCHEMA)
        headers = self._headers | {
            "Content-Type": "application/json",
            "Accept": "application/json",
            # What is packed could be any size: it is asked for, and read, as it is.
            "Accept-Encoding": "identity",
        }
        try:
            async with (
                asyncio.timeout(self._cfg.timeout_sec),
                self.http.stream(
                    "POST", self._url, content=msgspec.json.encode(body), headers=headers
                ) as answer,
            ):
                wait_s = _retry_after(answer.headers.get("retry-after", ""))
                if answer.status_code != 200:
                    return Heard(answer.status_code, wait_s=wait_s)
                return await _read(answer)
        except TimeoutError:
            return Heard(0, fault=Fault("timeout", f"no answer in {self._cfg.timeout_sec:g} s"))
        except httpx.TimeoutException:
            return Heard(0, fault=Fault("timeout", f"no answer in {self._cfg.timeout_sec:g} s"))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # Its text may hold an address: its kind says enough.
            return Heard(0, fault=Fault("line", f"no connection: {type(error).__name__}"))

    def _judge(self, heard: Heard) -> Opinion | Fault:
        """The opinion in what came; tokens are counted whatever it says."""
        if heard.fault is not None:
            return heard.fault
        if heard.code != 200:
            return fault_of(heard.code, heard.wait_s, self._cfg)
        said = read_answer(self._provider, heard.body)
        if said is None:
            return Fault("garbage", f"the answer is none of {self._cfg.provider}'s")
        self._keep(charged(self._seen.usage, said, self._cfg))
        opinion = read_opinion(said.text)
        return opinion or Fault("garbage", "the answer holds no opinion within its bounds")

    async def _hand_over(self, opinion: Opinion) -> Fault | None:
        """Tell the strategy, which decides what it is worth."""
        source = f"{self._cfg.provider}/{self._cfg.model}"
        outcome = await self._control.ask(as_request(opinion, new_id(), source))
        self._log.info(
            "advice",
            verdict=opinion.verdict,
            confidence=opinion.confidence,
            bias_bps=opinion.bias_bps,
            regime_hint=opinion.regime_hint,
            ok=outcome.ok,
            strategy=outcome.text,
            usd=str(self._seen.usage.usd),
        )
        if not outcome.ok:
            return Fault("strategy", f"the strategy refused it: {outcome.text}")
        self._keep(replace(self._seen.usage, opinions=self._seen.usage.opinions + 1))
        self._show(opinion=opinion, opinion_wall=self._clock.wall(), told=outcome.text)
        return None

    def _note(self, fault: Fault) -> None:
        before = self._pace
        self._pace = failed(before, fault, self._clock.now(), self._cfg)
        counts = dict(self._seen.faults)
        counts[fault.kind] = counts.get(fault.kind, 0) + 1
        self._show(last_fault=fault.text, faults=tuple(counts.items()))
        say = self._log.error if self._pace.open and not before.open else self._log.warning
        say("advice_failed", kind=fault.kind, why=fault.text, in_a_row=self._pace.failures)

    def _keep(self, usage: Usage) -> None:
        self._show(usage=usage)
        try:
            write_usage(self._file, usage)
        except OSError as error:
            self._log.error("advice_usage_not_kept", why=error.strerror)

    def _show(self, **changed: Any) -> None:
        fresh = replace(self._seen, **changed)
        if fresh != self._seen:
            self._seen = fresh
            self._tell(fresh)


async def _unless(stop: asyncio.Future[None], work: Awaitable[None]) -> None:
    """The work, given up where we stop meanwhile; a fault of ours in it ends the monitor."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _read(answer: httpx.Response) -> Heard:
    """The body of a 200, as far as it is within its bound."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        return Heard(0, fault=Fault("size", "the answer is packed, which was not asked for"))
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > ANSWER_BYTES:
            return Heard(0, fault=Fault("size", f"the answer has above {ANSWER_BYTES} bytes"))
    return Heard(200, bytes(body))


def _retry_after(text: str) -> float:
    """Seconds; 0 where the header is absent or a date."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def read_usage(path: Path) -> Usage:
    """What was spent so far; a file that is missing or broken is begun anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Usage)
    except (OSError, msgspec.MsgspecError, UnicodeError, ArithmeticError, RecursionError):
        return Usage()


def write_usage(path: Path, usage: Usage) -> None:
    """Replaced whole, mode 0600; OSError where the disk refuses."""
    draft = path.with_suffix(".json.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(usage))
    draft.replace(path)
