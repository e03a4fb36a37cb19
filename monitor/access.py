"""Who may see the status page: whoever can read the token file of this installation.

Rule 1: a request is answered only if its Host is a name of this machine (DNS rebinding).
Rule 2: secrets are compared in constant time, and the cookie is not the token.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from msgspec import Struct

from shared.units import SECOND, Ns

TOKEN_FILE: Final = "dashboard_token"
TOKEN_BYTES: Final = 32
TOKEN_LEAST: Final = 16
"""Characters of a token that somebody wrote by hand, at least."""

COOKIE_AGE_S: Final = 30 * 86_400
LOGIN_TRIES: Final = 5
LOGIN_EACH: Final = 12 * SECOND
PASSWORD_LEAST: Final = 12
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class TokenError(Exception):
    """The token file is not safe to use; the text says what to do."""


def read_token(data: Path) -> str:
    """The token of data/dashboard_token, made at the first start (mode 0600)."""
    path = data / TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(descriptor, "w") as file:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        file.write(f"{token}\n")
    return token


def _read(path: Path) -> str:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise TokenError(f"{path}: others may read this file; run: chmod 600 {path}")
    token = path.read_text(errors="replace").strip()
    if len(token) < TOKEN_LEAST:
        raise TokenError(f"{path}: shorter than {TOKEN_LEAST} characters; delete it, it is remade")
    return token


class Access:
    """Knows the token (and a name with a password), and whether a request shows it."""

    def __init__(self, token: str, port: int, name: str = "", password: str = "") -> None:
        self._token = token.encode()
        self._name = name.encode()
        self._password = password.encode()
        self.named = bool(name)
        # A new password ends what was opened with the old one.
        self._cookie = self._derive(b"status page" + self._name + b"\0" + self._password)
        self.csrf = self._derive(b"forms" + self._password)
        # Cookies are not kept apart by port: two houses on one machine would log each other out.
        self.cookie_name = f"icryptotrader_{port}"

    @property
    def cookie(self) -> str:
        return self._cookie

    def knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)

    def lets_in(self, name: str, secret: str) -> bool:
        """The token, or the password beside its name."""
        if self.knows(secret):
            return True
        right_name = hmac.compare_digest(name.encode(), self._name)
        right_word = hmac.compare_digest(secret.encode(), self._password)
        return self.named and right_name and right_word

    def admits(self, cookie: str | None, authorization: str | None) -> bool:
        """A cookie that was given after the token was shown, or `Authorization: Bearer TOKEN`."""
        if self.admits_browser(cookie):
            return True
        kind, _, value = (authorization or "").partition(" ")
        return kind.lower() == "bearer" and self.knows(value.strip())

    def admits_browser(self, cookie: str | None) -> bool:
        return bool(cookie) and hmac.compare_digest((cookie or "").encode(), self._cookie.encode())

    def is_our_form(self, csrf: str) -> bool:
        return hmac.compare_digest(csrf.encode(), self.csrf.encode())

    def _derive(self, what: bytes) -> str:
        return hmac.new(self._token, what, hashlib.sha256).hexdigest()


class Tries(Struct, frozen=True):
    """Failed logins of one visitor: a bucket of LOGIN_TRIES that drains by one each LOGIN_EACH."""

    level: float = 0.0
    at: Ns = Ns(0)

    def now(self, now: Ns) -> float:
        return max(0.0, self.level - (now - self.at) / LOGIN_EACH)

    def allows(self, now: Ns) -> bool:
        return self.now(now) <= LOGIN_TRIES - 1

    def failed(self, now: Ns) -> Tries:
        return Tries(self.now(now) + 1, now)


def is_ours(host: str | None) -> bool:
    """A Host header (or the authority of an Origin) that names this machine, at any port."""
    if not host:
        return False
    name = host[: host.find("]")].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower() in LOOPBACK


def is_own_origin(origin: str | None) -> bool:
    """No Origin at all (no browser, or a plain navigation), or one of this machine."""
    return origin is None or is_ours(origin.removeprefix("http://"))


def is_same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a form was sent by the very page it is sent to."""
    return bool(origin) and bool(host) and origin == f"http://{host}"
