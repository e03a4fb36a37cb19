"""Kraken's exported tables and our table of manual lots: text to rows, columns found by name.

Known headers: ledgers.csv with and without `subclass`, `wallet`, `amountusd`; trades.csv with and
without `subclass`, `aclass`, `posttxid`, `trade_id`. Times are UTC where no offset is written. A
table that was saved again with semicolons or tabs is read too, decimal commas included.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from shared.kraken.values import asset_name
from shared.units import SECOND, Ns
from strategy.ledger.tax import BERLIN

LARGEST: Final = Decimal(10**15)

LEDGERS: Final = "kraken-ledgers"
TRADES: Final = "kraken-trades"
MANUAL: Final = "manual-lots"

MOST_DIGITS: Final = 18
_BETWEEN: Final = ",;\t"
_WITH_COMMA: Final = re.compile(r"^(-?\d+),(\d+)$")
_NEEDED: Final = {
    LEDGERS: ("txid", "refid", "time", "type", "asset", "amount", "fee", "balance"),
    TRADES: ("txid", "ordertxid", "pair", "time", "type", "price", "cost", "fee", "vol"),
    MANUAL: ("id", "asset", "qty", "acquired_at", "cost_eur"),
}


class CsvError(Exception):
    """A table cannot be read: one sentence with the line."""


class LedgerRow(Struct, frozen=True):
    """One line of ledgers.csv: `amount` as signed there, `fee` on top of it."""

    txid: str
    refid: str
    wall: Ns
    kind: str
    subtype: str
    asset: str  # our name, BTC or EUR
    raw_asset: str  # Kraken's, with its wallet suffix
    wallet: str
    amount: Decimal
    fee: Decimal
    balance: Decimal | None


class TradeRow(Struct, frozen=True):
    """One line of trades.csv."""

    txid: str
    order_id: str
    base: str
    quote: str
    wall: Ns
    side: str
    price: Decimal
    cost: Decimal
    fee: Decimal
    vol: Decimal
    trade_id: int
    maker: bool
    margin: Decimal


class ManualRow(Struct, frozen=True):
    """One line of the table of manual lots (docs/tax.md)."""

    id: str
    asset: str
    qty: Decimal
    acquired: Ns
    cost_eur: Decimal
    account: str
    arrived: Ns
    proves: str


def kind_of(text: str) -> str:
    """Which table this is; CsvError where its header is none we know."""
    names = _header(text)
    for kind, needed in _NEEDED.items():
        if all(name in names for name in needed):
            return kind
    raise CsvError(
        f"the columns {', '.join(names[:12]) or '(none)'} are neither Kraken's ledgers.csv or "
        "trades.csv nor a table of manual lots"
    )


def ledger_rows(text: str) -> list[LedgerRow]:
    """The lines of ledgers.csv, oldest first where they were newest first.

    Lines without txid announce what comes again later: left out.
    """
    found = [
        LedgerRow(
            txid=row["txid"],
            refid=row["refid"],
            wall=_wall(row["time"], line),
            kind=row["type"].lower(),
            subtype=row.get("subtype", "").lower(),
            asset=asset_of(row["asset"]),
            raw_asset=row["asset"],
            wallet=row.get("wallet", ""),
            amount=_number(row["amount"], line),
            fee=_number(row["fee"] or "0", line),
            balance=_number(row["balance"], line) if row["balance"] else None,
        )
        for line, row in _rows(text)
        if row["txid"]
    ]
    if found and found[0].wall > found[-1].wall:
        found.reverse()
    # For a while exports wrote what a fee takes with a minus; the balances tell.
    return [replace(row, fee=-row.fee) for row in found] if _is_fee_added(found) else found


def _is_fee_added(rows: list[LedgerRow]) -> bool:
    """Whether balances follow by amount + fee rather than amount - fee, on most rows with a fee."""
    before: dict[tuple[str, str], Decimal] = {}
    votes = 0
    for row in rows:
        key = (row.raw_asset, row.wallet)
        if row.balance is None:
            continue
        if row.fee and key in before:
            rest = row.balance - before[key] - row.amount
            votes += (rest == row.fee) - (rest == -row.fee)
        before[key] = row.balance
    return votes > 0


def trade_rows(text: str) -> list[TradeRow]:
    """The lines of trades.csv."""
    found = []
    for line, row in _rows(text):
        base, quote = pair_of(row["pair"], line)
        found.append(
            TradeRow(
                txid=row["txid"],
                order_id=row["ordertxid"],
                base=base,
                quote=quote,
                wall=_wall(row["time"], line),
                side=row["type"].lower(),
                price=_number(row["price"], line),
                cost=_number(row["cost"], line),
                fee=_number(row["fee"] or "0", line),
                vol=_number(row["vol"], line),
                trade_id=_count(row.get("trade_id", "")),
                maker="maker" in row.get("misc", "") or row.get("maker", "") in ("true", "1"),
                margin=_number(row.get("margin") or "0", line),
            )
        )
    return found


def manual_rows(text: str) -> list[ManualRow]:
    """The lines of a table of manual lots. A day without a time means its noon in Berlin."""
    found = []
    for line, row in _rows(text):
        acquired = _wall(row["acquired_at"], line, noon=True)
        arrived = row.get("arrived_at", "")
        manual = ManualRow(
            id=row["id"],
            asset=asset_of(row["asset"]),
            qty=_number(row["qty"], line),
            acquired=acquired,
            cost_eur=_number(row["cost_eur"], line),
            account=row.get("account", ""),
            arrived=_wall(arrived, line, noon=True) if arrived else acquired,
            proves=row.get("proves", ""),
        )
        if not manual.id or manual.qty <= 0 or manual.cost_eur < 0:
            raise CsvError(f"line {line}: needs an id, a qty above 0 and a cost_eur of 0 or more")
        if manual.arrived < manual.acquired:
            raise CsvError(f"line {line}: arrived_at is before acquired_at")
        found.append(manual)
    return found


def asset_of(raw: str) -> str:
    """Our name of a Kraken asset: XXBT, XBT.M and BTC are BTC, ZEUR and EUR.HOLD are EUR."""
    return asset_name(raw.partition(".")[0].upper())


def pair_of(raw: str, line: int) -> tuple[str, str]:
    """(base, quote) in our names of XXBTZEUR, XBTEUR, XBT/EUR or BTC/EUR."""
    base, slash, quote = raw.partition("/")
    if slash:
        return asset_of(base), asset_of(quote)
    if len(raw) == 8 and raw[0] in "XZ" and raw[4] in "XZ":
        return asset_of(raw[:4]), asset_of(raw[4:])
    for ending in (
        "USDT",
        "USDC",
        "EUR",
        "USD",
        "GBP",
        "CHF",
        "CAD",
        "JPY",
        "AUD",
        "XBT",
        "BTC",
        "ETH",
    ):
        if raw.endswith(ending) and len(raw) > len(ending):
            return asset_of(raw.removesuffix(ending)), asset_of(ending)
    raise CsvError(f"line {line}: the pair {raw!r} is not understood")


def _header(text: str) -> list[str]:
    try:
        return _names(next(_table(text)[0], []))
    except csv.Error as error:
        raise CsvError(f"line 1: {error}") from error


def _names(header: list[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _table(text: str) -> tuple[Any, str]:
    """A reader of the values, and what stands between them: what the header has most of."""
    text = text.lstrip("\ufeff")
    between = max(_BETWEEN, key=text.partition("\n")[0].count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=between), between


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, values by column), every value stripped and there."""
    table, between = _table(text)
    try:
        names = _names(next(table, []))
        for values in table:
            if any(value.strip() for value in values):
                if len(values) > len(names):
                    raise CsvError(f"line {table.line_num}: more values than columns")
                padded = [*values, *[""] * (len(names) - len(values))]
                told = [value.strip() for value in padded]
                if between != ",":
                    told = [_WITH_COMMA.sub(r"\1.\2", value) for value in told]
                yield table.line_num, dict(zip(names, told, strict=True))
    except csv.Error as error:
        raise CsvError(f"line {table.line_num}: {error}") from error


def _wall(text: str, line: int, *, noon: bool = False) -> Ns:
    """ns since 1970 of a time with an offset, or of UTC; or of a day's noon in Berlin."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CsvError(f"line {line}: {text!r} is not a time") from error
    if noon and len(text) == len("2024-01-01"):
        moment = moment.replace(hour=12, tzinfo=BERLIN)
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not 1990 < moment.year < 2200:
        raise CsvError(f"line {line}: {text!r} is not a time of this exchange")
    whole = int(moment.replace(microsecond=0).timestamp())
    return Ns(whole * SECOND + moment.microsecond * 1000)


def _number(text: str, line: int) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise CsvError(f"line {line}: {text!r} is not a number") from error
    if not value.is_finite() or abs(value) >= LARGEST:
        raise CsvError(f"line {line}: {text!r} is not an amount")
    return value


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 0
