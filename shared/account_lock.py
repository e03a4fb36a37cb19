"""One strategy for one account on this machine, whatever home it works in.

The lock is a name in the kernel (an abstract unix socket), not a file: nobody can delete it, and it
is gone with its holder, however that ends. The name is drawn from the key and does not tell it.
"""

from __future__ import annotations

import errno
import hashlib
import socket
import struct
from typing import Final

from shared.secret import ApiKey

_CALLERS: Final = 128
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid


class AccountTaken(Exception):  # noqa: N818 - it is a state of the world, not a mistake
    """Another process of this machine trades with this key."""

    def __init__(self, pid: int) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{who} on this machine trades with this key already, in whatever home: only one may, "
            "for the dead man's switch and the rate limit are the account's"
        )
        self.pid = pid


def take(key: ApiKey) -> socket.socket:
    """Hold it until the socket is closed or the process ends; AccountTaken where somebody does."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        held.bind(_name(key))
        held.listen(_CALLERS)
    except OSError as error:
        held.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise AccountTaken(holder(key) or 0) from None
    return held


def holder(key: ApiKey) -> int | None:
    """The pid of who trades with this key; 0 where it cannot be told, None where nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as caller:
        try:
            caller.connect(_name(key))
        except OSError as error:
            # Nobody answers these calls: after many of them there is no room for another one.
            return None if error.errno in (errno.ECONNREFUSED, errno.ENOENT) else 0
        found = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid: int = _CREDENTIALS.unpack(found)[0]
        return pid


def _name(key: ApiKey) -> bytes:
    return b"\0icryptotrader/" + hashlib.sha256(key.key.encode()).hexdigest().encode()
