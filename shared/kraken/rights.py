"""What an API key of ours may and must be allowed to do, in the words of Kraken's GetApiKeyInfo.

Rule 1: what is neither needed nor harmless is refused, and so is a right that nobody knows: a
stolen key must not be able to move money.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NEEDED: Final = {
    "query-funds": "Query Funds",
    "query-open-trades": "Query Open Orders & Trades",
    "query-closed-trades": "Query Closed Orders & Trades",
    "modify-trades": "Create & Modify Orders",
    "close-trades": "Cancel & Close Orders",
    "create-ws-token": "WebSocket interface",
}
"""Kraken's word for each right, and what its page for making keys calls it."""

CANCELLING: Final = "close-trades"
"""All that the key of `bot-kill` needs."""

LEDGER: Final = "query-ledger"
"""Not needed to trade; with it withdrawals on their way are known (docs/tax.md)."""

HARMLESS: Final = (LEDGER,)


def excess(rights: Iterable[str]) -> list[str]:
    """Those that a trading key must not have."""
    return [right for right in rights if right not in NEEDED and right not in HARMLESS]


def beyond_cancelling(rights: Iterable[str]) -> list[str]:
    """Those that a key for emergencies has no use for, and a thief has."""
    return [right for right in rights if right != CANCELLING]


def missing(rights: Iterable[str]) -> list[str]:
    """Those that are needed and not there, as Kraken's page calls them."""
    has = list(rights)
    return [name for right, name in NEEDED.items() if right not in has]
