"""Kraken's REST answers as tables: the pages of Ledgers and TradesHistory, and BalanceEx.

A file holds one JSON text a line: first what was asked, then each answer as it came. Amounts and
moments are read as exact decimals.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from shared.units import SECOND, Ns
from strategy.ledger.kraken_csv import LARGEST, CsvError, LedgerRow, TradeRow, asset_of, pair_of

REST_LEDGERS: Final = "kraken-rest-ledgers"
REST_TRADES: Final = "kraken-rest-trades"
REST_BALANCES: Final = "kraken-rest-balances"

KINDS: Final = {"Ledgers": REST_LEDGERS, "TradesHistory": REST_TRADES, "BalanceEx": REST_BALANCES}
"""The method that was asked, and the kind of file its answers make."""

T = TypeVar("T")


class Head(Struct, frozen=True):
    """The first line. kraken: the method; until: the moment up to which rows were asked for, s."""

    kraken: str
    until: int


class _Ledger(Struct):
    refid: str
    time: Decimal
    type: str
    asset: str
    amount: Decimal
    subtype: str = ""
    fee: Decimal = Decimal(0)
    balance: Decimal | None = None


class _Trade(Struct):
    ordertxid: str
    pair: str
    time: Decimal
    type: str
    price: Decimal
    cost: Decimal
    fee: Decimal
    vol: Decimal
    margin: Decimal = Decimal(0)
    trade_id: int = 0
    maker: bool = False


class _Balance(Struct):
    balance: Decimal


class _Ledgers(Struct):
    ledger: dict[str, _Ledger]
    count: int = -1


class _Trades(Struct):
    trades: dict[str, _Trade]
    count: int = -1


class _Envelope(Struct):
    error: list[str] = []
    result: Raw = Raw(b"null")


class Page(Struct, frozen=True):
    """rows: how many an answer holds; count: of the whole history, -1 where it was not told."""

    rows: int
    count: int


def is_rest(text: str) -> bool:
    """Whether a file is one of these and no table."""
    return text.lstrip("\ufeff").startswith("{")


def kind_of_rest(text: str) -> str:
    """Which of them; CsvError where its first line says nothing that is known."""
    head = _decoded(text.partition("\n")[0].encode(), Head, 1)
    if head.kraken not in KINDS:
        raise CsvError(f"line 1: answers to {head.kraken!r} are not understood")
    return KINDS[head.kraken]


def written(method: str, until_s: int, answers: list[bytes]) -> bytes:
    """The file of these answers; a line break inside of one becomes a space, which JSON allows."""
    head = msgspec.json.encode(Head(method, until_s))
    return b"\n".join([head, *(body.strip().replace(b"\n", b" ") for body in answers), b""])


def page_of(method: str, body: bytes) -> Page:
    """How far an answer leads; CsvError where it is none."""
    result = _result(body, 1)
    if method == "Ledgers":
        ledgers = _decoded(result, _Ledgers, 1)
        return Page(len(ledgers.ledger), ledgers.count)
    if method == "TradesHistory":
        trades = _decoded(result, _Trades, 1)
        return Page(len(trades.trades), trades.count)
    return Page(len(_decoded(result, dict[str, _Balance], 1)), -1)


def rest_ledger_rows(text: str) -> list[LedgerRow]:
    """Every row, in the order of the answers; a row that came twice is there twice."""
    return [
        LedgerRow(
            txid=txid,
            refid=row.refid,
            wall=_wall(row.time, line),
            kind=row.type.lower(),
            subtype=row.subtype.lower(),
            asset=asset_of(row.asset),
            raw_asset=row.asset,
            wallet="",
            amount=_sane(row.amount, line),
            fee=_sane(row.fee, line),
            balance=None if row.balance is None else _sane(row.balance, line),
        )
        for line, result in _results(text)
        for txid, row in _decoded(result, _Ledgers, line).ledger.items()
    ]


def rest_trade_rows(text: str) -> list[TradeRow]:
    """Every trade, likewise."""
    found = []
    for line, result in _results(text):
        for txid, row in _decoded(result, _Trades, line).trades.items():
            base, quote = pair_of(row.pair, line)
            amounts = (row.price, row.cost, row.fee, row.vol, row.margin)
            price, cost, fee, vol, margin = (_sane(each, line) for each in amounts)
            found.append(
                TradeRow(
                    txid, row.ordertxid, base, quote, _wall(row.time, line), row.type.lower(),
                    price, cost, fee, vol, row.trade_id, row.maker, margin,
                )
            )  # fmt: skip
    return found


def rest_balances(text: str) -> dict[str, Decimal]:
    """By our name of the asset: all that the account holds of it, on whatever wallet."""
    found: dict[str, Decimal] = {}
    for line, result in _results(text):
        for name, row in _decoded(result, dict[str, _Balance], line).items():
            asset = asset_of(name)
            found[asset] = found.get(asset, Decimal(0)) + _sane(row.balance, line)
    return found


def _results(text: str) -> Iterator[tuple[int, bytes]]:
    for line, body in enumerate(text.encode().split(b"\n")[1:], 2):
        if body:
            yield line, _result(body, line)


def _result(body: bytes, line: int) -> bytes:
    envelope = _decoded(body, _Envelope, line)
    errors = [each for each in envelope.error if not each.startswith("W")]
    if errors:
        raise CsvError(f"line {line}: the exchange refused: {', '.join(errors)[:200]}")
    return bytes(envelope.result)


def _decoded(body: bytes, kind: type[T] | Any, line: int) -> T | Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        raise CsvError(f"line {line}: not an answer of the exchange ({error})") from error


def _sane(value: Decimal, line: int) -> Decimal:
    if not value.is_finite() or abs(value) >= LARGEST:
        raise CsvError(f"line {line}: {value} is not an amount")
    return value


def _wall(seconds: Decimal, line: int) -> Ns:
    if not seconds.is_finite() or not 0 < seconds < 7 * 10**9:
        raise CsvError(f"line {line}: {seconds} is not a time of this exchange")
    return Ns(int(seconds * SECOND))
