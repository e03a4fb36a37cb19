"""WebSocket tokens: made by REST, used within 15 minutes, good while a connection uses them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from msgspec import Struct

from shared.units import SECOND
from sim.engine.values import Refused

INVALID_SESSION: Final = "ESession:Invalid session"
LIFETIME_S: Final = 900
_MOST: Final = 256


class Token(Struct):
    issued: int  # wall ns
    users: dict[int, None] = {}


class Tokens:
    """All tokens of the account's key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._tokens: dict[str, Token] = {}
        self._count = 0

    def issue(self, wall: int) -> str:
        """A new token; nobody without the key's secret can guess it."""
        self._count += 1
        seed = f"token/{self._count}/{wall}".encode()
        raw = hmac.new(self._secret, seed, hashlib.sha256).digest()
        token = base64.b64encode(raw, b"ab").decode().rstrip("=")
        if len(self._tokens) >= _MOST:
            idle = (name for name, found in self._tokens.items() if not found.users)
            del self._tokens[next(idle, next(iter(self._tokens)))]
        self._tokens[token] = Token(wall)
        return token

    def check(self, token: object, conn: int, wall: int) -> None:
        """Refused unless the token is one of ours, and in use or young enough."""
        if token is None:
            raise Refused("Token(s) not found")
        found = self._tokens.get(token) if isinstance(token, str) else None
        if found is None:
            raise Refused(INVALID_SESSION)
        if not found.users and wall - found.issued > LIFETIME_S * SECOND:
            raise Refused(INVALID_SESSION)

    def enter(self, token: str, conn: int) -> None:
        """A connection subscribed with this token."""
        self._tokens[token].users[conn] = None

    def leave(self, conn: int) -> None:
        """A connection is gone."""
        for found in self._tokens.values():
            found.users.pop(conn, None)

    def revoke(self) -> None:
        """Forget all tokens, as an upgrade of the server does."""
        self._tokens.clear()
