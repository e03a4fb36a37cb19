"""Withdrawals as the gate and the audit see them: what of the coins is spoken for.

Units are Sats of the coin. `lack` is what the exchange's balance has less than the ledger.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Final

from msgspec import Struct

from shared.orders import Leaving
from shared.units import Ns

MOST_COMBINED: Final = 10
"""Of so many withdrawals at once every combination is tried; nobody has more under way."""


class Outgoing(Struct, frozen=True):
    """rows: those that are under way, or have left and are not booked. booked: whose rows are.

    since: wall from which on they count (ledger and account agreed first); 0 = not yet. heard_at:
    boot time of the exchange's last word, 0 = never. page: its ledger of withdrawals, as it came.
    """

    since: Ns = Ns(0)
    rows: tuple[Leaving, ...] = ()
    booked: tuple[str, ...] = ()
    heard_at: Ns = Ns(0)
    page: bytes = b""
    tried: int = 0  # at which lack the page was read last, to no avail

    def kept(self) -> int:
        """All that is not booked, as far as was known last: for who knows no balance."""
        return sum(sats_of(row.qty) for row in self.rows)

    def on_the_way(self) -> int:
        """What has been asked for and has not left yet."""
        return sum(sats_of(row.qty) for row in self.rows if not row.left)

    def reserved(self, lack: int) -> int:
        """What takes the oldest coins with it and is not booked: of what has left, what lacks."""
        if not self.rows:
            return 0
        left = sum(sats_of(row.qty) for row in self.rows if row.left)
        return self.on_the_way() + min(left, max(0, lack))

    def explains(self, lack: int) -> bool:
        """Whether some of these make up exactly what the balance lacks, with or without fees."""
        sums = {0: None}
        for row in self.rows[:MOST_COMBINED]:
            each = dict.fromkeys((sats_of(row.qty), sats_of(row.qty - row.fee)))
            sums |= dict.fromkeys(known + more for known in sums for more in each)
        return lack > 0 and lack in sums


def sats_of(qty: Decimal) -> int:
    """Whole Sats, rounded up: what a fee of a finer unit takes is spoken for, too."""
    return int(qty.scaleb(8).to_integral_value(ROUND_CEILING))
