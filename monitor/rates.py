"""Fetches the ECB's reference rates and hands each file over to the strategy, which books it.

Rule 1: the strategy says which days it knows; only what came since is asked for.
Rule 2: what is handed over is the file as it came, with the hash of its bytes; nothing is read in
it here.
Rule 3: a failure waits longer each time, at most as long as the usual pause; it stops nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import httpx
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from monitor.control import Control, new_id
from monitor.view import RatesSeen
from shared.backoff import Backoff
from shared.clock import machine_wall
from shared.config import Config
from shared.control import CONTROL_VERSION, RATES_LIMIT, AskRates, TakeRates
from shared.units import MINUTE, SECOND, Ns

ANSWER_S: Final = 30.0
STRATEGY_EACH_S: Final = 2.0
"""How often a strategy that does not answer yet is asked again."""

FIRST_DAYS: Final = 400
"""How far back is asked for where no rate is known: a holding period and some."""

WINDOW: Final = timedelta(days=90)
"""Of one question: six currencies make 22 KB of it."""

NOTHING_THERE: Final = 404
"""The data portal's answer to a period without a value: of a weekend, or before 16:00."""


class FetchError(Exception):
    """Why there is no file: one sentence."""


class Wanted(Struct, frozen=True):
    """The strategy's answer to AskRates: by currency the last day known, and which should be."""

    until: dict[str, date]
    due: date
    currencies: tuple[str, ...]

    def since(self) -> date:
        """The first day to be asked for. The last known one is asked for again, and compared."""
        begin = self.due - timedelta(days=FIRST_DAYS)
        return min(self.until.get(name, begin) for name in self.currencies)


def is_wanted(config: Config) -> bool:
    """Whether this house fetches rates: a demo whose money is all in euros has no use for them."""
    if config.tax.rates_fetch != "auto":
        return config.tax.rates_fetch == "on"
    return config.mode != "demo" or not all(name.endswith("/EUR") for name in config.symbols)


def address(url: str, currencies: tuple[str, ...], first: date, last: date) -> str:
    """Of the SDMX file of these daily reference rates (ECB data portal, dataflow EXR)."""
    key = f"D.{'+'.join(currencies)}.EUR.SP00.A"
    span = f"startPeriod={first}&endPeriod={last}"
    return f"{url.rstrip('/')}/{key}?format=csvdata&detail=dataonly&{span}"


class Fetcher:
    """Lives beside the pages; `tell` is told each time something changes."""

    def __init__(
        self,
        config: Config,
        control: Control,
        tell: Callable[[RatesSeen], None],
        log: FilteringBoundLogger,
    ) -> None:
        self._tax = config.tax
        self._control = control
        self._tell = tell
        self._log = log
        most = Ns(int(self._tax.rates_each_sec * SECOND))
        self._backoff = Backoff(min(MINUTE, most), most)
        self._seen = RatesSeen()

    async def run(self, stop: asyncio.Future[None]) -> None:
        """Until the monitor stops."""
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as http:
            while not stop.done():
                await asyncio.wait({stop}, timeout=await self._once(http))

    async def _once(self, http: httpx.AsyncClient) -> float:
        """Fetch what is missing; seconds until the next look."""
        wanted = await self._wanted()
        if wanted is None:
            return min(STRATEGY_EACH_S, self._tax.rates_each_sec)
        try:
            wanted = await self._catch_up(http, wanted)
        except (FetchError, httpx.HTTPError, OSError) as error:
            self._backoff = self._backoff.failed()
            why = str(error) or type(error).__name__
            wait_s = self._backoff.wait() / SECOND
            self._log.info("rates_not_fetched", why=why, again_s=round(wait_s))
            self._show(wanted, failures=self._backoff.failures, why=why)
            return wait_s
        self._backoff = self._backoff.calm()
        self._show(wanted, fetched=machine_wall())
        return self._tax.rates_each_sec

    async def _catch_up(self, http: httpx.AsyncClient, wanted: Wanted) -> Wanted:
        """Window after window until the day that should be known; what is known then."""
        first, before = wanted.since(), wanted.until
        while first <= wanted.due:
            last = min(first + WINDOW, wanted.due)
            url = address(self._tax.rates_url, wanted.currencies, first, last)
            data = await _read(http, url)
            if data:
                await self._hand_over(f"ECB EXR {first} {last}", data)
            first = last + timedelta(days=1)
        found = await self._wanted() or wanted
        if found.until != before:
            until = {name: day.isoformat() for name, day in found.until.items()}
            self._log.info("rates_fetched", until=until)
        return found

    async def _hand_over(self, name: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        request = TakeRates(CONTROL_VERSION, new_id(), name, digest, data)
        outcome = await self._control.ask(request)
        if not outcome.ok:
            raise FetchError(f"not taken: {outcome.text}")
        self._log.debug("rates_handed_over", file=name, said=outcome.text)

    async def _wanted(self) -> Wanted | None:
        told = await self._control.data(AskRates(CONTROL_VERSION, new_id()))
        return None if told is None else _read_wanted(told)

    def _show(
        self, wanted: Wanted, *, fetched: Ns | None = None, failures: int = 0, why: str = ""
    ) -> None:
        until = min(wanted.until.values(), default=None)
        self._seen = RatesSeen(
            until=until.isoformat() if until else "",
            due=wanted.due.isoformat(),
            days_behind=(wanted.due - until).days if until else None,
            fetched=self._seen.fetched if fetched is None else fetched,
            failures=failures,
            why=why,
        )
        self._tell(self._seen)


def _read_wanted(told: dict[str, Any]) -> Wanted | None:
    """None where the answer is of another version."""
    try:
        return Wanted(
            {str(name): date.fromisoformat(day) for name, day in told["until"].items()},
            date.fromisoformat(told["due"]),
            tuple(str(name) for name in told["currencies"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


async def _read(http: httpx.AsyncClient, url: str) -> bytes:
    """The file; empty where the portal has no value of the period. Raises FetchError."""
    found = bytearray()
    async with http.stream("GET", url) as answer:
        if answer.status_code == NOTHING_THERE:
            return b""
        if answer.status_code != httpx.codes.OK:
            raise FetchError(f"the ECB answers HTTP {answer.status_code}")
        async for piece in answer.aiter_bytes():
            found += piece
            if len(found) > RATES_LIMIT:
                raise FetchError(f"the ECB's file is larger than {RATES_LIMIT:,} bytes")
    return bytes(found)
