"""The exchange's ledger of withdrawals as booked events: by the same reading as an import's."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shared.units import SECOND, Ns
from strategy.ledger.events import Departed
from strategy.ledger.history import read_history
from strategy.ledger.kraken_csv import CsvError
from strategy.ledger.kraken_rest import REST_LEDGERS, rest_ledger_rows, written

NAME: Final = "withdrawals.json"
KIND: Final = REST_LEDGERS


class Left(Struct, frozen=True):
    """ref_id: the withdrawal's, as its status names it; the event bears its ledger row's id."""

    ref_id: str
    event: Departed


def read(body: bytes, asset: str, wall: Ns) -> tuple[bytes, list[Left]]:
    """The answer as a file to keep, and the departures of an asset that it names, oldest first.

    No departure where the answer cannot be read: it is asked for again.
    """
    data = written("Ledgers", wall // SECOND, [body])
    try:
        text = data.decode()
        refs = {row.txid: row.refid for row in rest_ledger_rows(text)}
        events = read_history({NAME: text}).events
    except (CsvError, UnicodeDecodeError):
        return data, []
    return data, [
        Left(refs[event.id], event)
        for event in events
        if isinstance(event, Departed) and event.asset == asset
    ]
