"""Telegram over HTTP: two tasks, one that asks for updates and one that sends what waits.

Rule 1: nothing here can stop or delay trading: it is another process, every request has a time
limit, every queue a bound, and no fault of Telegram ends the monitor.
Rule 2: the token is in the address of each request: no address is ever logged.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from monitor.around import Around
from monitor.control import new_id
from monitor.markup import t
from monitor.notices import Memory, Rules, notice
from monitor.outbox import Notice, Outbox, is_quiet, put, refused, sent, take
from monitor.phone import Asked, Code, Deed, Owner, answer, asked, keyboard, read_updates
from monitor.view import View
from monitor.web import Outcome
from monitor.words import words
from shared.control import CONTROL_VERSION, AnyRequest, Hold, Kill, Resume
from shared.settings_watch import Telegram as Settings
from shared.units import Ns

POLL_S: Final = 25
SEND_LIMIT_S: Final = 10.0
LOOK_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
CONFLICT_PAUSE_S: Final = 30.0
"""After 409: another program asks for this bot's updates. We go on trying, and say so."""

FAILURES_TOLD: Final = 3
CONFLICT: Final = "another program asks for this bot's messages: make a bot for this one alone"
NO_TOKEN: Final = "the token is not accepted"
UNREACHED: Final = "cannot be reached"

Look = Callable[[], tuple[View, Around, Ns, Ns]]


class Talk(Struct, frozen=True):
    """What the bot looks at and speaks to.

    ask: carries a request to the strategy. tell: is told what is the matter with the bot itself,
    "" while all is well.
    """

    look: Look
    ask: Callable[[AnyRequest], Awaitable[Outcome]]
    tell: Callable[[str], None]


class Telegram:
    """The bot. `stop` is done when the monitor ends."""

    def __init__(
        self,
        settings: Settings,
        token: str,
        talk: Talk,
        log: FilteringBoundLogger,
    ) -> None:
        self._settings = settings
        self._base = f"{settings.api_url}/bot{token}"
        self._look = talk.look
        self._ask = talk.ask
        self._tell = talk.tell
        self._log = log
        self._owner = Owner(int(settings.chat_id or 0), settings.allowed_user_ids)
        self._rules = Rules(settings.language, settings.summary_at)
        self._memory = Memory()
        self._box = Outbox()
        self._code = Code()
        self._offset = 0
        self._conflicts = 0

    async def run(self, stop: asyncio.Future[None]) -> None:
        """Until `stop`."""
        async with httpx.AsyncClient(trust_env=False) as self._http:
            tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._speak())]
            try:
                # A task ends only by a fault of ours, and that must end the monitor.
                done, _ = await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task in done:
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    # What is told.

    async def _speak(self) -> None:
        while True:
            view, around, now, wall = self._look()
            self._memory, fresh = notice(self._memory, view, around, now, wall, self._rules)
            self._box = put(self._box, fresh, now)
            self._box, text = take(self._box, now, quiet=is_quiet(self._settings.quiet_hours, wall))
            if text:
                code, pause_s = await self._send(self._owner.chat_id, text)
                if code == 400:
                    # A text it will never take: better lost than in the way of all others.
                    self._log.error("telegram_refused", size=len(text))
                    code = 200
                if code == 200:
                    self._box = sent(self._box, now, self._settings.per_minute)
                else:
                    self._box = refused(self._box, text, now, pause_s)
                    self._log.warning("telegram_send", code=code, pause_s=pause_s)
            await asyncio.sleep(LOOK_S)

    async def _send(self, chat_id: int, text: str) -> tuple[int, float]:
        """The answer's code (0: none came) and the pause that it asks for."""
        body = {
            "chat_id": chat_id,
            "text": text,
            "parse_mode": "HTML",
            "reply_markup": keyboard(),
            "link_preview_options": {"is_disabled": True},
        }
        code, raw = await self._call("sendMessage", body, SEND_LIMIT_S)
        return code, _retry_after(raw)

    # What is asked.

    async def _listen(self) -> None:
        failures = 0
        while True:
            body = {
                "offset": self._offset,
                "timeout": POLL_S,
                "allowed_updates": ["message", "callback_query"],
            }
            code, raw = await self._call("getUpdates", body, POLL_S + SEND_LIMIT_S)
            found = read_updates(raw) if code == 200 else None
            if found is None:
                failures += 1
                await asyncio.sleep(self._pause(code, raw, failures))
                continue
            failures = self._conflicts = 0
            self._tell("")
            updates, offset = found
            self._offset = max(self._offset, offset)
            for update in updates:
                request = asked(update, self._owner, self._look()[3])
                if request is not None:
                    await self._answer(request)
                elif update.message is not None or update.callback_query is not None:
                    self._log.warning("telegram_ignored", update=update.update_id)

    def _pause(self, code: int, raw: bytes, failures: int) -> float:
        if code == 409:
            self._conflicts += 1
            self._tell(CONFLICT)
            if self._conflicts == 1:
                self._log.error("telegram_conflict", text=CONFLICT)
            return CONFLICT_PAUSE_S
        if failures == 1:
            self._log.warning("telegram_listen", code=code)
        if code in (401, 404):
            self._tell(NO_TOKEN)
        elif failures >= FAILURES_TOLD:
            self._tell(UNREACHED)
        return min(LONGEST_PAUSE_S, max(_retry_after(raw), 0.5 * 2.0 ** min(failures, 10)))

    async def _answer(self, request: Asked) -> None:
        if request.press:
            await self._call("answerCallbackQuery", {"callback_query_id": request.press}, 5.0)
        view, around, now, _ = self._look()
        fresh = f"{secrets.randbelow(10_000):04}"
        moment = (now, fresh, self._settings.language)
        found = answer(request, self._code, view, around, moment)
        self._code = found.code
        text = found.text
        if found.deed is not None:
            self._log.warning("telegram_deed", deed=found.deed, chat=request.chat_id)
            outcome = await self._ask(_request(found.deed))
            text = (
                f"{'✅' if outcome.ok else '❌'} {t(words(self._settings.language)(outcome.text))}"
            )
        code, _ = await self._send(request.chat_id, text)
        if code not in (200, 400):
            self._log.warning("telegram_answer", code=code)
            if request.chat_id == self._owner.chat_id:
                # What was done must be told: it waits like any other notice.
                again = Notice(f"answer:{fresh}", "error", text)
                self._box = put(self._box, [again], now)

    async def _call(self, method: str, body: dict[str, Any], limit_s: float) -> tuple[int, bytes]:
        try:
            answer = await self._http.post(f"{self._base}/{method}", json=body, timeout=limit_s)
        except (httpx.HTTPError, OSError):
            return 0, b""
        return answer.status_code, answer.content


def _request(deed: Deed) -> AnyRequest:
    reason, number = "telegram", new_id()
    match deed:
        case "hold":
            return Hold(CONTROL_VERSION, number, reason=reason)
        case "resume":
            return Resume(CONTROL_VERSION, number, reason=reason)
        case "kill":
            return Kill(CONTROL_VERSION, number, reason=reason, word="kill")


def _retry_after(raw: bytes) -> float:
    """The pause a 429 asks for, seconds; 0 where it asks for none."""
    try:
        found = msgspec.json.decode(raw)
        return min(LONGEST_PAUSE_S, float(found["parameters"]["retry_after"]))
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, UnicodeDecodeError):
        return 0.0
