"""What the monitor answers over HTTP: the status page, its data, the metrics. Loopback only.

Rule 1: GET has no effect but a cookie; there is nothing here that trades.
Rule 2: nothing is answered before Host and token are right; metrics need no token and tell none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from monitor.access import COOKIE_AGE_S, Access, is_ours, is_own_origin
from monitor.metrics import Metrics
from monitor.page import POLICY, body, login_page, page
from monitor.summary import summary
from monitor.view import View
from shared.units import Ns

LOGIN_BYTES: Final = 4_096

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Look = Callable[[], tuple[View, Ns, Ns]]
"""The view, and house time now: since boot, and on the wall."""


def status_app(look: Look, access: Access, token_file: str) -> Starlette:
    """The page at /, its changing part at /part, its data at /api/status.

    token_file: where the token stands, in words for who has not shown it.
    """
    site = _Site(look, access, token_file)
    return Starlette(
        routes=[
            Route("/", site.login, methods=["POST"]),
            Route("/", site.show),
            Route("/part", site.part),
            Route("/api/status", site.data),
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
    """The routes of the status page."""

    def __init__(self, look: Look, access: Access, token_file: str) -> None:
        self._look = look
        self._access = access
        self._token_file = token_file

    async def show(self, request: Request) -> Response:
        if not is_ours(request.headers.get("host")):
            return _plain("this name is not served here", 421)
        token = request.query_params.get("token")
        if token is not None:
            # Out of the address bar and the history at once.
            return self._admit() if self._access.knows(token) else self._refuse(refused=True)
        if not self._admitted(request):
            return self._refuse(refused=False)
        return HTMLResponse(page(*self._look()), headers=HEADERS)

    async def login(self, request: Request) -> Response:
        if not is_ours(request.headers.get("host")):
            return _plain("this name is not served here", 421)
        if not is_own_origin(request.headers.get("origin")):
            return _plain("this form is not ours", 403)
        form = b""
        async for part in request.stream():
            form += part
            if len(form) > LOGIN_BYTES:
                return _plain("too much for a token", 413)
        told = parse_qs(form.decode(errors="replace")).get("token", [""])[0].strip()
        return self._admit() if self._access.knows(told) else self._refuse(refused=True)

    async def part(self, request: Request) -> Response:
        refusal = self._refusal(request)
        return refusal or HTMLResponse(body(*self._look()), headers=HEADERS)

    async def data(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        data = msgspec.json.encode(summary(*self._look()))
        return Response(data, media_type="application/json", headers=HEADERS)

    def _refusal(self, request: Request) -> Response | None:
        if not is_ours(request.headers.get("host")):
            return _plain("this name is not served here", 421)
        if not self._admitted(request):
            return _plain(f"show the token: Authorization: Bearer ... ({self._token_file})", 401)
        return None

    def _admitted(self, request: Request) -> bool:
        cookie = request.cookies.get(self._access.cookie_name)
        return self._access.admits(cookie, request.headers.get("authorization"))

    def _admit(self) -> Response:
        answer = RedirectResponse("/", status_code=303, headers=HEADERS)
        answer.set_cookie(
            self._access.cookie_name,
            self._access.cookie,
            max_age=COOKIE_AGE_S,
            httponly=True,
            samesite="strict",
        )
        return answer

    def _refuse(self, *, refused: bool) -> Response:
        headers = HEADERS | {"WWW-Authenticate": "Bearer"}
        text = login_page(self._token_file, refused=refused)
        return HTMLResponse(text, status_code=401, headers=headers)


def _plain(text: str, code: int) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=code, headers=HEADERS)
