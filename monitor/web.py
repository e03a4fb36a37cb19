"""What the monitor answers over HTTP: the dashboard, its data, the metrics. Loopback only.

Rule 1: GET has no effect but a cookie. What acts is a POST of our own form: signed in by cookie,
of this very origin, with the form's secret, and with the word typed. It becomes a request to the
strategy, which decides and writes it into its audit trail.
Rule 2: nothing is answered before Host and token are right; metrics need no token and tell none.
Rule 3: scripts come from here alone; nothing else that is answered is one (nosniff, its own type).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from monitor import actions
from monitor.access import COOKIE_AGE_S, Access, Tries, is_ours, is_own_origin, is_same_origin
from monitor.api import summary
from monitor.charts import figures, library_at
from monitor.metrics import Metrics
from monitor.page import Look, login_page, page, parts, result_page
from monitor.style import POLICY
from monitor.visitor import failed, visitor
from monitor.words import Language, choose, words
from shared.charts import script_file
from shared.control import AnyRequest

Value = TypeVar("Value")

FORM_BYTES: Final = 4_096
STREAMS: Final = 16
"""Pages that are kept fresh at the same time; further ones still show, without being pushed to."""

SMALLER: Final = Middleware(GZipMiddleware, compresslevel=6)
"""The chart library comes once a version, perhaps through a thin tunnel: a third of its 4.8 MB."""

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with that a browser sends our own forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Outcome(Struct, frozen=True):
    """What became of a request to the strategy; text for people."""

    ok: bool
    text: str


Barred = tuple[str, int]
"""Why somebody sees nothing: a text for him ("" where he has shown nothing), and the HTTP code."""


class Desk(Struct, frozen=True):
    """What the site needs of its shell.

    ask: carries a request to the strategy. tick: returns at the next push, False when the monitor
    stops. new_id: a request id that was never used.
    """

    look: Look
    ask: Callable[[AnyRequest], Awaitable[Outcome]]
    tick: Callable[[], Awaitable[bool]]
    new_id: Callable[[], str]


def status_app(desk: Desk, access: Access, token_file: str, language: str = "auto") -> Starlette:
    """The page at /, its changing parts at /events, its data at /api/status, actions at /act/NAME.

    token_file: where the token stands, in words for who has not shown it. ChartsError where the
    chart library is missing.
    """
    site = _Site(desk, access, token_file, language)
    return Starlette(
        routes=[
            Route("/", site.login, methods=["POST"]),
            Route("/", site.show),
            Route("/events", site.events),
            Route(library_at(), site.library, middleware=[SMALLER]),
            Route("/api/status", site.data),
            Route("/act/{name}", site.act, methods=["POST"]),
            Route("/logout", site.logout, methods=["POST"]),
        ]
    )


def metrics_app(metrics: Metrics) -> Starlette:
    """Prometheus's text at /metrics."""

    async def scrape(request: Request) -> Response:
        if not is_ours(request.headers.get("host")):
            return _plain("this name is not served here", 421)
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return Response(metrics.text(), media_type=kind, headers={"Cache-Control": "no-store"})

    return Starlette(routes=[Route("/metrics", scrape)])


class _Site:
    """The routes of the dashboard."""

    def __init__(self, desk: Desk, access: Access, token_file: str, language: str) -> None:
        self._desk = desk
        self._access = access
        self._token_file = token_file
        self._language = language
        self._tries: dict[str, Tries] = {}
        self._streams = 0

    async def show(self, request: Request) -> Response:
        if not is_ours(request.headers.get("host")):
            return _plain("this name is not served here", 421)
        token = request.query_params.get("token")
        if token is not None:
            if request.headers.get("sec-fetch-site") == "cross-site":
                # An image on some page of the web that guesses in the owner's name.
                return self._refuse(request, "This is not right.", 403)
            # Out of the address bar and the history at once.
            return self._try("", token, request)
        if (barred := self._barred(request)) is not None:
            return self._refuse(request, *barred)
        asked = request.query_params.get("lang")
        language = choose(asked, "") if asked else self._spoken(request)
        view, around, now, wall = self._desk.look()
        text = page(view, around, now, wall, self._access.csrf, language)
        answer = HTMLResponse(text, headers=HEADERS)
        if asked:
            answer.set_cookie("language", language, samesite="strict", httponly=True)
        return answer

    async def login(self, request: Request) -> Response:
        form = await _read_form(request)
        if not is_ours(request.headers.get("host")):
            return _plain("this name is not served here", 421)
        if not is_own_origin(request.headers.get("origin")):
            return _plain("this form is not ours", 403)
        if form is None:
            return _plain("too much for a form", 413)
        return self._try(form.get("username", ""), form.get("token", "").strip(), request)

    async def logout(self, request: Request) -> Response:
        refusal, _ = await self._form(request)
        if refusal is not None:
            return refusal
        answer = RedirectResponse("/", status_code=303, headers=HEADERS)
        answer.delete_cookie(self._access.cookie_name)
        return answer

    async def act(self, request: Request) -> Response:
        refusal, form = await self._form(request)
        if refusal is not None:
            return refusal
        action = actions.BY_NAME.get(request.path_params["name"])
        if action is None:
            return _plain("there is no such action", 404)
        fault = actions.fault_of(action, form)
        if fault:
            done = Outcome(False, fault)
        else:
            new = self._desk.new_id()
            asked = actions.request_of(action.name, form.get("reason", ""), new, "dashboard")
            done = await self._desk.ask(asked)
        text = result_page(action.title, done.text, self._spoken(request), ok=done.ok)
        return HTMLResponse(text, status_code=200 if done.ok else 409, headers=HEADERS)

    async def events(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if self._streams >= STREAMS:
            return _plain("too many pages are open", 503)
        stream = self._stream(self._spoken(request))
        return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)

    async def library(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        kept = {"Cache-Control": f"private, max-age={COOKIE_AGE_S}, immutable"}
        return FileResponse(script_file(), media_type="text/javascript", headers=HEADERS | kept)

    async def _stream(self, language: Language) -> AsyncIterator[bytes]:
        """Each second the parts that changed; a slow reader gets fewer, never older ones."""
        self._streams += 1
        try:
            known: dict[str, str] = {}
            drawn: dict[str, msgspec.Raw] = {}
            while True:
                seen = self._desk.look()
                fresh = parts(*seen, language)
                yield _event("parts", _changed(known, fresh))
                known = fresh
                figured = {
                    name: msgspec.Raw(msgspec.json.encode(figure))
                    for name, figure in figures(seen[0], seen[1], words(language)).items()
                }
                if changed := _changed(drawn, figured):
                    yield _event("figures", changed)
                drawn = figured
                if not await self._desk.tick():
                    return
        finally:
            self._streams -= 1

    async def data(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        data = msgspec.json.encode(summary(*self._desk.look()))
        return Response(data, media_type="application/json", headers=HEADERS)

    async def _form(self, request: Request) -> tuple[Response | None, dict[str, str]]:
        """A POST that may act: the refusal, or None and the fields."""
        form = await _read_form(request)
        host = request.headers.get("host")
        if not is_ours(host):
            return _plain("this name is not served here", 421), {}
        if not self._access.admits_browser(request.cookies.get(self._access.cookie_name)):
            return _plain("sign in first", 401), {}
        if not is_same_origin(request.headers.get("origin"), host):
            return _plain("this form is not ours", 403), {}
        if form is None:
            return _plain("too much for a form", 413), {}
        if not self._access.is_our_form(form.get("csrf", "")):
            return _plain("this form is not ours", 403), {}
        return None, form

    def _refusal(self, request: Request) -> Response | None:
        if not is_ours(request.headers.get("host")):
            return _plain("this name is not served here", 421)
        if (barred := self._barred(request)) is not None:
            fault, code = barred
            told = f"show the token: Authorization: Bearer ... ({self._token_file})"
            return _plain(f"{fault} {told}".strip(), code)
        return None

    def _barred(self, request: Request) -> Barred | None:
        """Why this visitor sees nothing; None where he may."""
        if self._access.admits_browser(request.cookies.get(self._access.cookie_name)):
            return None
        shown = request.headers.get("authorization")
        if shown is None:
            return "", 401
        return self._judge(request, right=self._access.admits(None, shown))

    def _try(self, name: str, secret: str, request: Request) -> Response:
        barred = self._judge(request, right=self._access.lets_in(name, secret))
        if barred is not None:
            return self._refuse(request, *barred)
        answer = RedirectResponse("/", status_code=303, headers=HEADERS)
        answer.set_cookie(
            self._access.cookie_name,
            self._access.cookie,
            max_age=COOKIE_AGE_S,
            httponly=True,
            samesite="strict",
        )
        return answer

    def _judge(self, request: Request, *, right: bool) -> Barred | None:
        """Of a secret that was shown; None where it is right, and not too many were wrong."""
        now = self._desk.look()[2]
        who = visitor(request.client, request.scope.get("server"))
        if not self._tries.get(who, Tries()).allows(now):
            return "Too many tries. Wait a minute.", 429
        if right:
            return None
        self._tries = failed(self._tries, who, now)
        return "This is not right.", 401

    def _refuse(self, request: Request, fault: str, code: int = 401) -> Response:
        headers = HEADERS | {"WWW-Authenticate": "Bearer"}
        language = self._spoken(request)
        text = login_page(self._token_file, language, fault=fault, named=self._access.named)
        return HTMLResponse(text, status_code=code, headers=headers)

    def _spoken(self, request: Request) -> Language:
        chosen = request.cookies.get("language") or self._language
        return choose(chosen, request.headers.get("accept-language", ""))


def _changed(known: Mapping[str, Value], fresh: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in fresh.items() if known.get(name) != value}


def _event(name: str, data: Mapping[str, object]) -> bytes:
    return f"event: {name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


async def _read_form(request: Request) -> dict[str, str] | None:
    """The fields, each once; None where there is too much.

    To be read before anything is answered: a refusal that meets a body on its way is lost with the
    line.
    """
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > FORM_BYTES:
            return None
    fields = parse_qs(raw.decode(errors="replace"), max_num_fields=None)
    return {name: values[0] for name, values in fields.items()}


def _plain(text: str, code: int) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=code, headers=HEADERS)
