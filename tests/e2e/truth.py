"""The ledger and the strategy's view held against what the exchange itself says."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from shared.config import load
from shared.units import Sats, Ticks, price_text, qty_text
from sim.engine.instruments import ASSETS, LISTINGS, cost_text
from sim.engine.values import Order, Trade
from strategy.ledger.records import LedgerError
from strategy.ledger.store import Store
from tests.e2e.harness import House

Money = tuple[str, str, Decimal, Decimal, Decimal, bool]
"""Of a fill: client order id, side, quantity, cost, fee, maker."""

RESTING = ("live", "amend_pending", "cancel_pending")


def as_told(trades: Mapping[str, Any]) -> dict[str, Money]:
    """The exchange's TradesHistory in the form of `as_booked`."""
    return {
        exec_id: (
            row.get("cl_ord_id", ""),
            row["type"],
            Decimal(row["vol"]),
            Decimal(row["cost"]),
            Decimal(row["fee"]),
            row["maker"],
        )
        for exec_id, row in trades.items()
    }


def as_kept(house: House) -> dict[str, Money]:
    """The trades in the exchange's own file: it need not run, and nobody's nonce is used up."""
    rows = _read(house.home.data / "exchange.sqlite", "SELECT body FROM trades")
    trades = [msgspec.json.decode(body, type=Trade) for (body,) in rows]
    return {
        trade.exec_id: (
            trade.cl_ord_id,
            trade.side,
            Decimal(trade.qty).scaleb(-8),
            # As it is told: rounded, and the ledger books what it was told.
            Decimal(cost_text(LISTINGS[trade.pair].pair, trade.cost)),
            Decimal(trade.fee).scaleb(-ASSETS[LISTINGS[trade.pair].pair.quote].decimals),
            trade.maker,
        )
        for trade in trades
    }


def as_booked(house: House) -> dict[str, Money]:
    """Every row of the ledger's file by exec_id."""
    asked = "SELECT exec_id, cl_ord_id, side, qty, cost, fees, maker FROM fill"
    return {
        exec_id: (
            cl_ord_id,
            side,
            Decimal(qty).scaleb(-8),
            Decimal(cost),
            sum((Decimal(amount) for _, amount in json.loads(fees)), Decimal(0)),
            bool(maker),
        )
        for exec_id, cl_ord_id, side, qty, cost, fees, maker in _read(
            house.home.data / "ledger.sqlite", asked
        )
    }


def books_differ(booked: Mapping[str, Money], told: Mapping[str, Money]) -> list[str]:
    """Each trade that is not booked as the exchange tells it, as a sentence."""
    found = [f"{name} is not booked" for name in told if name not in booked]
    found += [f"{name} is booked and is no trade" for name in booked if name not in told]
    found += [
        f"{name} is booked as {booked[name]}, not as {told[name]}"
        for name in told
        if name in booked and booked[name] != told[name]
    ]
    return found


def differences(house: House, look: Callable[[], Mapping[str, Any]]) -> list[str]:
    """Where slots and ledger are not as the exchange has it; look: the strategy's status.

    The exchange is read before and after, so that what happens meanwhile is no difference: an
    order counts as resting where it did both times, a trade as one to be booked where it was known
    before, and nobody may believe in what neither look has seen.
    """
    orders, trades = resting(house), as_kept(house)
    slots = look().get("slots", ())
    booked = as_booked(house)
    later, all_trades = resting(house), as_kept(house)
    found = books_differ(booked, trades | {n: t for n, t in all_trades.items() if n in booked})
    return found + slots_differ(slots, orders, later)


def slots_differ(
    slots: Sequence[Mapping[str, str]], before: Sequence[Order], after: Sequence[Order]
) -> list[str]:
    """Each order that rests without a slot, and each slot whose order does not rest as it says.

    before, after: what rested before and after the slots were told.
    """
    earlier = {order.cl_ord_id: order for order in before}
    later = {order.cl_ord_id: order for order in after}
    named = {slot["cl_ord_id"]: slot for slot in slots}
    found = [
        f"{name} rests and no slot owns it"
        for name in earlier
        if name in later and name not in named
    ]
    for name, slot in named.items():
        if slot["state"] not in RESTING:
            continue
        terms = [_terms(orders[name]) for orders in (earlier, later) if name in orders]
        if not terms:
            found.append(f"{slot['slot']} believes in {name}, which does not rest")
        elif len(set(terms)) == 1 and (slot["price"], slot["qty"]) != terms[0]:
            found.append(f"{slot['slot']}: {name} rests as {terms[0]}, not as {slot}")
    return found


def _terms(order: Order) -> tuple[str, str]:
    pair = LISTINGS[order.pair].pair
    return price_text(pair, Ticks(order.price)), qty_text(pair, Sats(order.qty))


def ledger_faults(house: House, told: Mapping[str, Money]) -> list[str]:
    """What is wrong with the ledger of a house that has stopped: its fills, its lots, its chain."""
    found = books_differ(as_booked(house), told)
    try:
        store = Store.open(house.home.data / "ledger.sqlite")
    except LedgerError as error:
        return [*found, str(error)]
    with closing(store):
        held = store.load().lots.total()
        signs = {"buy": 1, "sell": -1}
        traded = sum((signs[side] * qty for _, side, qty, *_ in told.values()), Decimal(0))
        if traded != Decimal(held).scaleb(-8):
            found.append(f"the lots come to {held} sats, the trades to {traded}")
        return found + store.verify()


def orders(house: House) -> list[Order]:
    """Every order the exchange has ever had, from its own file."""
    rows = _read(house.home.data / "exchange.sqlite", "SELECT body FROM orders")
    return [msgspec.json.decode(body, type=Order) for (body,) in rows]


def resting(house: House) -> list[Order]:
    """The orders in the exchange's book, from its own file."""
    asked = "SELECT body FROM orders WHERE json_extract(body, '$.status') = 'open'"
    rows = _read(house.home.data / "exchange.sqlite", asked)
    return [msgspec.json.decode(body, type=Order) for (body,) in rows]


def emptied_s(house: House, since: int) -> float:
    """Of a book that is empty: seconds of this machine from `since` until the last order had gone.

    since: a moment of the house's wall clock, ns.
    """
    ended = [order.closed_wall for order in orders(house) if order.closed_wall > since]
    return (max(ended, default=since) - since) / 1e9 / load(house.home).speed


def killed_at(house: House) -> int:
    """The house's wall clock when the strategy last took a kill."""
    asked = "SELECT max(wall) FROM audit WHERE what = 'kill'"
    [[wall]] = _read(house.home.data / "ledger.sqlite", asked)
    return int(wall)


def _read(path: Path, asked: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(asked).fetchall()
