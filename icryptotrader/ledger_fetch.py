"""`icryptotrader ledger import --rest`: the account's past by Kraken's REST, kept as files.

Rule 1: only questions are asked (Ledgers, TradesHistory, BalanceEx); the key is never shown.
Rule 2: every page is asked for up to one moment, so rows that come meanwhile shift none.
Rule 3: the exchange's counter is kept here too, so that its limit is met rarely, and waited out
where it is. Nothing is half fetched: the files appear when the last page is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
from msgspec import Struct
from rich.console import Console
from rich.progress import Progress, TaskID

from icryptotrader.files import write_whole
from icryptotrader.ledger_import import STRATEGY_LOCK
from icryptotrader.lots import LEDGER
from shared.clock import Clock, machine_wall
from shared.config import Config, ConfigError, Home, account_key
from shared.keys import GUEST_KEY, demo_key
from shared.kraken.answers import Failure, answer
from shared.kraken.rest import PAGE, Call, Signer, make_signer, request_of
from shared.orders import Verdict
from shared.process import holder
from shared.units import SECOND
from strategy.ledger.kraken_rest import page_of, written
from strategy.ledger.records import LedgerError, open_readonly

Tell = Callable[[str], None]

ANSWER_S: Final = 30.0
TRIES: Final = 6
"""Of one page; a line that is down is waited for 1, 2, 4, 8, 16 seconds."""

LIMIT_S: Final = 3.0
"""How long is waited first where the exchange says that its limit is reached, then twice that."""

LIMIT_TRIES: Final = 8
MOST_PAGES: Final = 20_000
NONCE_FACT: Final = "nonce"
METHODS: Final = ("Ledgers", "TradesHistory", "BalanceEx")

TIERS: Final = {"starter": (15.0, 0.33), "intermediate": (20.0, 0.5), "pro": (20.0, 1.0)}
"""Kraken REST, rate limits: the counter's most, and how much of it a second takes off."""


class FetchError(Exception):
    """Why the past cannot be had: one sentence, with the remedy."""


class Door(Struct, frozen=True):
    """Where the account is, and what opens it. nonce: the last one that was used."""

    url: str
    signer: Signer
    nonce: int

    def __repr__(self) -> str:
        return f"Door({self.url})"


def fetch(home: Home, config: Config, tier: str, tell: Tell) -> list[Path]:
    """Ask for the whole past and keep it in imports/; the files. FetchError, with its remedy."""
    door = _door(home, config)
    until_s = machine_wall() // SECOND
    if config.mode == "demo":
        until_s = config.make_clock().wall() // SECOND
    with Progress(console=Console(stderr=True), transient=True) as progress:
        found = asyncio.run(_Asker(door, TIERS[tier], until_s).all(progress))
    folder = home.path / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(machine_wall() // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    files = []
    for method, data in found.items():
        path = folder / f"kraken-{method.lower()}-{stamp}.jsonl"
        write_whole(path, data)
        files.append(path)
        tell(f"{path}: {len(data):,} bytes")
    return files


def _door(home: Home, config: Config) -> Door:
    """The account of the configuration; its own exchange's guest in the demo."""
    live = config.mode == "live"
    if live and holder(home.run / STRATEGY_LOCK):
        raise FetchError(
            "the strategy runs with this key: stop it first, or its nonces would clash"
        )
    try:
        key = account_key(home, config) if live else demo_key(home.data, GUEST_KEY)
        signer = make_signer(key.key, key.secret)
    except ConfigError as error:
        raise FetchError("; ".join(error.faults)) from None
    except (ValueError, OSError) as error:
        raise FetchError(str(error)) from None
    url = config.kraken.rest_url if live else f"http://127.0.0.1:{config.demo.private_port}"
    return Door(url, signer, _last_nonce(home) if live else 0)


def _last_nonce(home: Home) -> int:
    """What the strategy remembers of this key: a clock that was set back must not cost a call."""
    path = home.data / LEDGER
    if not path.exists():
        return 0
    try:
        return int(open_readonly(path, last=0).facts.get(NONCE_FACT, "0"))
    except LedgerError as error:
        raise FetchError(str(error)) from None


class _Asker:
    """One dialogue with the exchange: a question at a time, within its limits."""

    def __init__(self, door: Door, limit: tuple[float, float], until_s: int) -> None:
        self._door = door
        self._most, self._decay = limit
        self._until_s = until_s
        self._nonce = door.nonce
        self._answered = False
        self._clock = Clock()
        self._counter, self._counted_at = 0.0, self._clock.now()

    async def all(self, progress: Progress) -> dict[str, bytes]:
        """By method, the file of its answers."""
        found = {}
        async with httpx.AsyncClient(
            base_url=self._door.url, timeout=ANSWER_S, trust_env=False
        ) as http:
            for method in METHODS:
                bar = progress.add_task(method, total=None)
                answers = await self._pages(http, method, progress, bar)
                found[method] = written(method, self._until_s, answers)
        return found

    async def _pages(
        self, http: httpx.AsyncClient, method: str, progress: Progress, bar: TaskID
    ) -> list[bytes]:
        if method == "BalanceEx":
            return [await self._ask(http, Call(method))]
        answers: list[bytes] = []
        rows = 0
        for _ in range(MOST_PAGES):
            span = (("end", str(self._until_s)), ("ofs", str(rows)))
            # Fills of a taker merged into one row would have other ids than the ledger has.
            more = (("consolidate_taker", "false"),) if method == "TradesHistory" else ()
            body = await self._ask(http, Call(method, (*span, *more), weight=2))
            page = page_of(method, body)
            answers.append(body)
            rows += page.rows
            progress.update(bar, completed=rows, total=max(page.count, rows))
            if page.rows == 0 or rows >= page.count >= 0 or (page.count < 0 and page.rows < PAGE):
                return answers
        raise FetchError(f"{method}: more than {MOST_PAGES * PAGE:,} rows: use Kraken's export")

    async def _ask(self, http: httpx.AsyncClient, call: Call) -> bytes:
        """The body of an answer that is one."""
        limits = 0
        for tries in range(TRIES + LIMIT_TRIES):
            await self._within_limits(call.weight)
            body, failure = await self._once(http, call)
            if failure is None:
                self._answered = True
                return body
            if "imit exceeded" in failure.error or "Too many requests" in failure.error:
                limits += 1
                if limits < LIMIT_TRIES:
                    await asyncio.sleep(LIMIT_S * 2 ** (limits - 1))
                    continue
            elif "Invalid nonce" in failure.error and tries < TRIES:
                continue  # Another program of this key was quicker; the next one is higher.
            elif (
                self._answered
                and failure.verdict is Verdict.UNKNOWN
                and (tries - limits < TRIES - 1)
            ):
                # A line that was up comes back; one that never was is a matter for a person.
                await asyncio.sleep(2.0 ** (tries - limits))
                continue
            raise FetchError(f"{call.name}: {_remedy(failure.error)}")
        raise FetchError(f"{call.name}: the exchange does not answer: try again later")

    async def _once(self, http: httpx.AsyncClient, call: Call) -> tuple[bytes, Failure | None]:
        self._nonce = max(self._nonce + 1, machine_wall() // 1_000)
        request = request_of(call, self._door.signer, self._nonce)
        try:
            found = await http.request(
                request.method, request.path, content=request.body, headers=dict(request.headers)
            )
        except (httpx.HTTPError, OSError) as error:
            return b"", Failure(f"HTTP 0: {type(error).__name__}", Verdict.UNKNOWN)
        told: bytes | Failure = answer(found.status_code, found.content, bytes)
        return found.content, told if isinstance(told, Failure) else None

    async def _within_limits(self, weight: int) -> None:
        """Wait until the exchange's counter, as it is reckoned here, has room for one more."""
        now = self._clock.now()
        gone = (now - self._counted_at) / SECOND * self._decay
        self._counter, self._counted_at = max(0.0, self._counter - gone), now
        over = self._counter + weight - self._most
        if over > 0:
            await asyncio.sleep(over / self._decay)
        self._counter += weight


def _remedy(error: str) -> str:
    """The exchange's text, and what to do about it."""
    for word, remedy in (
        ("Permission denied", 'give the key "Query ledger entries" and "Query closed orders"'),
        ("Invalid key", "copy the key again: icryptotrader setup"),
        ("Invalid signature", "copy the secret again: icryptotrader setup"),
        ("HTTP 0", "is the network up? In the demo: does icryptotrader run?"),
    ):
        if word in error:
            return f"{error}; {remedy}"
    return error
