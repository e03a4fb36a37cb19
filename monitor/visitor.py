"""Who a visitor is: on loopback all have one address, but the kernel knows whose process it is.

Rule 1: failed logins are counted for each visitor by himself: who guesses locks out nobody else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from monitor.access import Tries
from shared.units import Ns

Address = tuple[str, int]

VISITORS_KEPT: Final = 64
_LOCAL, _REMOTE, _USER = 1, 2, 7
"""Columns of /proc/net/tcp (man 5 proc)."""


def visitor(client: Address | None, server: Address | None, net: Path = Path("/proc/net")) -> str:
    """`user 1000` of a process of this machine, else the address; "" where neither is known."""
    if client is None or server is None:
        return ""
    name = "tcp6" if ":" in client[0] else "tcp"
    wanted = [_hex(client), _hex(server)]
    try:
        rows = (net / name).read_text().splitlines()
    except OSError:
        return client[0]
    for row in rows:
        cells = row.split()
        if len(cells) > _USER and [cells[_LOCAL], cells[_REMOTE]] == wanted:
            return f"user {cells[_USER]}"
    return client[0]


def failed(known: Mapping[str, Tries], who: str, now: Ns) -> dict[str, Tries]:
    """With one more failure of this visitor; who failed longest ago is forgotten beyond a bound."""
    others = {name: tries for name, tries in known.items() if name != who}
    if len(others) >= VISITORS_KEPT:
        del others[next(iter(others))]
    return {**others, who: known.get(who, Tries()).failed(now)}


def _hex(address: Address) -> str:
    """As the kernel prints it: 32-bit words in the machine's own order."""
    packed = ip_address(address[0]).packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    host = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{host}:{address[1]:04X}"
