"""What REST must tell at the start and now and then: pairs, the key's permissions, fees, prices.

Rule 1: a key that may do more than trade is refused (shared/kraken/rights.py).
Rule 2: no line is opened before the pairs are read and the key is checked.
"""

from __future__ import annotations

from typing import Final

from shared.backoff import Backoff
from shared.kraken import rest, rights
from shared.kraken.answers import (
    Failure,
    answer,
    by_name,
    parse_fees,
    parse_key_info,
    parse_pairs,
    parse_ticker,
)
from shared.kraken.withdrawals import parse_ledger_refs, parse_withdrawals
from shared.orders import LedgerPage, Pairs, SecondPrice, Verdict, Withdrawals
from shared.units import DAY, MINUTE, SECOND, Ns, Pair
from strategy.session.desk import NEVER, Errand, Purpose
from strategy.session.mail import Fatal, Note, SessionOut

EVERY: Final = {
    Purpose.PAIRS: DAY,  # precisions and minima move
    Purpose.KEY: NEVER,  # once: what a key may do is settled when it is made
    Purpose.FEES: Ns(60 * MINUTE),  # the tier counts the last thirty days
    Purpose.TICKER: Ns(10 * SECOND),  # a price that the public line has no part in
    Purpose.WITHDRAWALS: MINUTE,  # what is on its way out may not be sold as free of tax
    Purpose.LEDGER: NEVER,  # where a withdrawal has left whose row was not seen
}

BY_NAME: Final = (Purpose.FEES, Purpose.TICKER, Purpose.WITHDRAWALS, Purpose.LEDGER)
"""What is asked by the names that the exchange's list of pairs gave."""

WAITING: Final = (Purpose.WITHDRAWALS, Purpose.LEDGER)
"""What is asked once something else was heard: that the key may, that a row is missing."""

ROW_TRIES: Final = 10
"""How often the ledger is asked for a withdrawal's row before it is left to an import."""


class Chores:
    def __init__(self, symbols: tuple[str, ...]) -> None:
        """symbols: v2 names of the pairs that are traded."""
        self.pairs: dict[str, Pair] = {}  # by every name that REST or the line may use
        self.rest_names: dict[str, str] = {}  # symbol -> the name that REST takes
        self.refused = ""
        self._symbols = symbols
        self._keys: tuple[str, ...] = ()
        self._key_checked = False
        self._coin = ("", "")  # its own name, and the one that REST takes
        self._row_tries: dict[str, int] = {}  # ref_id of a withdrawal that has left -> asked
        self._rows_from = Ns(0)
        self._due: dict[Purpose, Ns] = {each: NEVER if each in WAITING else Ns(0) for each in EVERY}
        self._backoff: dict[Purpose, Backoff] = dict.fromkeys(EVERY, Backoff())

    @property
    def ready(self) -> bool:
        return bool(self.pairs) and self._key_checked

    def due(self, now: Ns) -> list[Errand]:
        """What to ask now; each is due again only when it was answered or has failed."""
        errands: list[Errand] = []
        if now < min(self._due.values()):
            return errands
        for purpose in EVERY:
            if now >= self._due[purpose] and (purpose not in BY_NAME or self._keys):
                self._due[purpose] = NEVER
                errands.append(Errand(purpose, self._call(purpose)))
        return errands

    def wake_at(self) -> Ns:
        # Some wait for the pairs; what brings these wakes us anyway.
        return min(at for each, at in self._due.items() if each not in BY_NAME or self._keys)

    def hear(self, purpose: Purpose, status: int, body: bytes, now: Ns) -> list[SessionOut]:
        match purpose:
            case Purpose.PAIRS:
                outs = self._hear_pairs(status, body)
            case Purpose.KEY:
                outs = self._hear_key(status, body)
            case Purpose.TICKER:
                outs = self._hear_ticker(status, body, now)
            case Purpose.WITHDRAWALS:
                outs = self._hear_withdrawals(status, body, now)
            case Purpose.LEDGER:
                outs = self._hear_ledger(status, body)
            case _:
                outs = self._hear_fees(status, body)
        if isinstance(outs, Failure):
            return [self.failed(purpose, outs.error, now)]
        self._backoff[purpose] = Backoff()
        self._due[purpose] = Ns(min(now + EVERY[purpose], NEVER))
        return outs

    def failed(self, purpose: Purpose, why: str, now: Ns) -> Note:
        backoff = self._backoff[purpose] = self._backoff[purpose].failed()
        self._due[purpose] = Ns(now + backoff.wait())
        wait_s = backoff.wait() // SECOND
        fields: dict[str, str | int | float] = {"what": purpose.value, "why": why, "wait_s": wait_s}
        return Note("warning", "rest_failed", fields)

    def _call(self, purpose: Purpose) -> rest.Call:
        match purpose:
            case Purpose.PAIRS:
                return rest.ASSET_PAIRS
            case Purpose.KEY:
                return rest.KEY_INFO
            case Purpose.TICKER:
                return rest.ticker(self._keys)
            case Purpose.WITHDRAWALS:
                return rest.withdraw_status(self._coin[1])
            case Purpose.LEDGER:
                return rest.ledger_of_withdrawals(self._coin[1], self._rows_from)
            case _:
                return rest.trade_volume(self._keys)

    def _hear_pairs(self, status: int, body: bytes) -> list[SessionOut] | Failure:
        listings = answer(status, body, parse_pairs)
        if isinstance(listings, Failure):
            return listings
        ours = {each.pair.symbol: each for each in listings if each.pair.symbol in self._symbols}
        missing = [symbol for symbol in self._symbols if symbol not in ours]
        if missing:
            return Failure(f"not listed: {', '.join(missing)}", Verdict.NOT_DONE)
        # In place: whoever reads rows looks pairs up here.
        self.pairs.clear()
        self.pairs.update(by_name(listings))
        self.rest_names = {symbol: ours[symbol].names[0] for symbol in self._symbols}
        self._keys = tuple(self.rest_names.values())
        first = ours[self._symbols[0]]
        # Kraken REST: assets have the names of `wsname`, XBT of XBT/EUR.
        self._coin = first.pair.base, first.names[2].partition("/")[0]
        return [Pairs(tuple(ours[symbol].pair for symbol in self._symbols))]

    def _hear_key(self, status: int, body: bytes) -> list[SessionOut] | Failure:
        info = answer(status, body, parse_key_info)
        if isinstance(info, Failure):
            return info
        if dangerous := rights.excess(info.permissions):
            self.refused = (
                f"the API key may do more than trade ({', '.join(dangerous)}): make one without "
                "this and put it into kraken.key_file"
            )
            return [Note("critical", "key_refused", {"why": self.refused}), Fatal(self.refused)]
        self._key_checked = True
        notes: list[SessionOut] = []
        if rights.LEDGER in info.permissions:
            self._due[Purpose.WITHDRAWALS] = Ns(0)
        else:
            remedy = "give the key 'Query ledger entries'; until then they are told by the balance"
            notes.append(Note("warning", "withdrawals_unknown", {"remedy": remedy}))
        if missing := rights.missing(info.permissions):
            notes.append(Note("warning", "key_lacks_permissions", {"missing": ", ".join(missing)}))
        return notes

    def _hear_withdrawals(self, status: int, body: bytes, now: Ns) -> list[SessionOut] | Failure:
        rows = answer(status, body, parse_withdrawals)
        if isinstance(rows, Failure):
            return rows
        unseen = [
            row for row in rows if row.left and self._row_tries.get(row.ref_id, 0) < ROW_TRIES
        ]
        if unseen and self._due[Purpose.LEDGER] == NEVER:
            for row in unseen:
                self._row_tries[row.ref_id] = self._row_tries.get(row.ref_id, 0) + 1
            self._rows_from = min(row.wall for row in unseen)
            self._due[Purpose.LEDGER] = now
        return [Withdrawals(self._coin[0], rows)]

    def _hear_ledger(self, status: int, body: bytes) -> list[SessionOut] | Failure:
        refs = answer(status, body, parse_ledger_refs)
        if isinstance(refs, Failure):
            return refs
        self._row_tries |= dict.fromkeys(refs, ROW_TRIES)
        return [LedgerPage(body)]

    def _hear_ticker(self, status: int, body: bytes, now: Ns) -> list[SessionOut] | Failure:
        found = answer(status, body, lambda result: parse_ticker(result, self.pairs))
        if isinstance(found, Failure):
            return found
        return [
            SecondPrice(symbol, bid, ask, now)
            for symbol, (bid, ask) in found.items()
            if symbol in self._symbols
        ]

    def _hear_fees(self, status: int, body: bytes) -> list[SessionOut] | Failure:
        fees = answer(status, body, lambda result: parse_fees(result, self.pairs))
        if isinstance(fees, Failure):
            return fees
        return [*(each for each in fees if each.pair in self._symbols)]
