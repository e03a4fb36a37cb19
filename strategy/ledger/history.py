"""The past, from exported tables: fills of the bot's coin, all other events, and what is unclear.

Rule 1: what a row means is a table; a row that no entry fits is told, never guessed.
Rule 2: a fee is what the ledgers say was charged, in the asset it was charged in; trades.csv alone
only names an amount.
Rule 3: moves between the parts of one Kraken account (staking, earn) change nothing, and neither
does a withdrawal that failed: its row and the one that takes it back, of one refid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from msgspec import Struct

from shared.orders import Filled
from shared.units import Sats, Side, Ticks
from strategy.ledger.events import (
    KRAKEN,
    Arrived,
    Departed,
    Exchanged,
    Moved,
    Origin,
    TaxEvent,
    Units,
    in_order,
    units_of,
)
from strategy.ledger.kraken_csv import (
    LEDGERS,
    MANUAL,
    TRADES,
    CsvError,
    LedgerRow,
    ManualRow,
    TradeRow,
    kind_of,
    ledger_rows,
    manual_rows,
    trade_rows,
)
from strategy.ledger.kraken_rest import (
    REST_BALANCES,
    REST_LEDGERS,
    REST_TRADES,
    is_rest,
    kind_of_rest,
    rest_balances,
    rest_ledger_rows,
    rest_trade_rows,
)
from strategy.ledger.rates import CURRENCIES, EURO
from strategy.ledger.trade import SATS_DECIMALS

COIN: Final = "BTC"
"""The coin the bot trades: its fills go where the bot's own fills are."""

TABLES: Final = (LEDGERS, TRADES, MANUAL, REST_LEDGERS, REST_TRADES, REST_BALANCES)
"""The kinds of raw files that `read_history` reads."""

FUTURES: Final = "kraken-futures"
PRICE_DECIMALS: Final = 1
"""Of BTC pairs: a fill's price is information here; its cost is what is booked."""

_EXACT: Final = Context(prec=60)
_NOTHING: Final = Decimal(0)

# (type, subtype) of a ledger row that comes alone; "" stands for any subtype.
_INSIDE: Final = (
    ("transfer", "spottostaking"), ("transfer", "stakingfromspot"),
    ("transfer", "stakingtospot"), ("transfer", "spotfromstaking"),
    ("earn", "allocation"), ("earn", "deallocation"), ("earn", "autoallocation"),
    ("earn", "migration"),
)  # fmt: skip
_REWARDS: Final = (
    ("staking", ""), ("reward", ""), ("earn", "reward"), ("dividend", ""), ("airdrop", ""),
    ("transfer", ""), ("credit", ""), ("bonus", ""),
)  # fmt: skip
_TRADING: Final = ("trade", "spend", "receive", "conversion", "sale")


class Balance(Struct, frozen=True):
    """told: the exchange's last word; before: what was there before the rows; summed: what these
    add up to. The three fit where no row is missing in between."""

    asset: str
    told: Decimal
    before: Decimal
    summed: Decimal


class History(Struct, frozen=True):
    """What a set of tables says.

    notes: what was not booked or wants a look, as sentences. named: the file that names an id.
    fees_assumed: how many trades have a fee of which only trades.csv tells, so not in what asset.
    """

    fills: tuple[Filled, ...]
    events: tuple[TaxEvent, ...]
    notes: tuple[str, ...]
    balances: tuple[Balance, ...]
    rows: int
    named: dict[str, str]
    fees_assumed: int


def read_history(tables: Mapping[str, str]) -> History:
    """All tables together, by file name; CsvError where one cannot be read, and then none is."""
    ledger: dict[str, LedgerRow] = {}
    trades: dict[str, TradeRow] = {}
    manual: dict[str, ManualRow] = {}
    held: dict[str, Decimal] | None = None
    named: dict[str, str] = {}
    for name, text in tables.items():
        try:
            kind = table_kind(text)
            if kind in (LEDGERS, REST_LEDGERS):
                for row in (ledger_rows if kind == LEDGERS else rest_ledger_rows)(text):
                    ledger[row.txid] = row
                    named.setdefault(row.txid, name)
                    named.setdefault(row.refid, name)
            elif kind in (TRADES, REST_TRADES):
                for trade in (trade_rows if kind == TRADES else rest_trade_rows)(text):
                    trades[trade.txid] = trade
                    named.setdefault(trade.txid, name)
            elif kind == REST_BALANCES:
                held = rest_balances(text)
            else:
                for lot in manual_rows(text):
                    manual[lot.id] = lot
                    named.setdefault(lot.id, name)
        except CsvError as error:
            raise CsvError(f"{name}: {error}") from error
    notes: list[str] = []
    by_ledger = {row.refid for row in ledger.values()}
    exchanged = _exchanged(ledger.values(), trades, notes)
    alone = [row for row in ledger.values() if row.kind not in _TRADING]
    back = _taken_back(alone)
    events: list[TaxEvent] = [event for event in exchanged if event.asset != COIN]
    events += [event for row in alone if (event := _of_row(row, back, notes)) is not None]
    events += [_of_manual(row) for row in manual.values()]
    prices = {name: trade.price for name, trade in trades.items()}
    makers = {name: trade.maker for name, trade in trades.items()}
    return History(
        fills=tuple(
            _filled(event, prices.get(event.id), maker=makers.get(event.id, False))
            for event in in_order(exchanged)
            if isinstance(event, Exchanged) and event.asset == COIN
        ),
        events=tuple(in_order(events)),
        notes=tuple(notes),
        balances=tuple(_balances(ledger.values(), held)),
        rows=len(ledger) + len(trades) + len(manual),
        named=named,
        fees_assumed=sum(
            bool(trade.fee) for name, trade in trades.items() if name not in by_ledger
        ),
    )


def table_kind(text: str) -> str:
    """Which kind of file this is; CsvError where it is none that is known."""
    return kind_of_rest(text) if is_rest(text) else kind_of(text)


# Trades.


def _exchanged(
    rows: Iterable[LedgerRow], trades: Mapping[str, TradeRow], notes: list[str]
) -> list[Exchanged]:
    """Every trade that can be booked: from its ledger rows where there are any."""
    groups: dict[str, list[LedgerRow]] = {}
    for row in rows:
        if row.kind in _TRADING:
            groups.setdefault(row.refid, []).append(row)
    told = [_of_rows(name, found, trades.get(name), notes) for name, found in groups.items()]
    told += [_of_trade(trade, notes) for name, trade in trades.items() if name not in groups]
    return [each for each in told if each is not None]


def _of_rows(
    name: str, rows: list[LedgerRow], trade: TradeRow | None, notes: list[str]
) -> Exchanged | None:
    """A trade from its ledger rows: what went, what came, and the fee of each."""
    amounts: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    for row in rows:
        amounts[row.asset] = amounts.get(row.asset, _NOTHING) + row.amount
        fees[row.asset] = fees.get(row.asset, _NOTHING) + row.fee
    moved = [asset for asset, amount in amounts.items() if amount != 0]
    quote = next((each for each in (EURO, *CURRENCIES) if each in moved), "")
    if len(moved) != 2 or not quote:
        # Coin for coin is valued by market prices, which we do not have (BMF 2025, Rn. 58).
        notes.append(f"{name}: a trade of {' and '.join(moved) or 'nothing'} is not booked")
        return None
    asset = next(each for each in moved if each != quote)
    if (amounts[asset] > 0) == (amounts[quote] > 0):
        notes.append(f"{name}: {asset} and {quote} both {'came' if amounts[asset] > 0 else 'went'}")
        return None
    if trade is not None and trade.margin:
        notes.append(_on_margin(name))
        return None
    return Exchanged(
        id=name,
        wall=rows[0].wall if trade is None else trade.wall,
        seq=0 if trade is None else trade.trade_id,
        account=KRAKEN,
        asset=asset,
        side=Side.BUY if amounts[asset] > 0 else Side.SELL,
        qty=units_of(abs(amounts[asset])),
        currency=quote,
        # trades.csv has a digit more than the ledger's amount.
        gross=abs(amounts[quote]) if trade is None or trade.quote != quote else trade.cost,
        fees=tuple((each, fee) for each, fee in fees.items() if fee),
        order_id="" if trade is None else trade.order_id,
    )


def _of_trade(trade: TradeRow, notes: list[str]) -> Exchanged | None:
    """A trade of which only trades.csv tells: its fee is taken as one in the quote currency."""
    flip = trade.base == EURO and trade.quote in CURRENCIES
    quote = EURO if flip else trade.quote
    if quote not in (EURO, *CURRENCIES) or trade.side not in ("buy", "sell"):
        notes.append(f"{trade.txid}: {trade.side} of {trade.base}/{trade.quote} is not booked")
        return None
    if trade.margin:
        notes.append(_on_margin(trade.txid))
        return None
    side = Side(trade.side)
    return Exchanged(
        id=trade.txid,
        wall=trade.wall,
        seq=trade.trade_id,
        account=KRAKEN,
        asset=trade.quote if flip else trade.base,
        side=side.other if flip else side,
        qty=units_of(trade.cost if flip else trade.vol),
        currency=quote,
        gross=trade.vol if flip else trade.cost,
        fees=((trade.quote, trade.fee),) if trade.fee else (),
        order_id=trade.order_id,
    )


def _on_margin(name: str) -> str:
    """Lent coins are no acquisition of one's own, and a short sale has no holding period."""
    return (
        f"{name}: a trade on margin is not booked (§ 23 (1) s. 1 Nr. 3 EStG, or § 20: ask your "
        "tax adviser)"
    )


def _filled(event: Exchanged, price: Decimal | None, *, maker: bool) -> Filled:
    """The same fill in the words of the strategy's ledger."""
    qty = Decimal(event.qty).scaleb(-10, _EXACT)
    told = price if price is not None else _EXACT.divide(event.gross, qty)
    ticks = int(told.scaleb(PRICE_DECIMALS, _EXACT).to_integral_value(ROUND_HALF_UP))
    return Filled(
        exec_id=event.id,
        order_id=event.order_id,
        cl_ord_id="",
        pair=f"{event.asset}/{event.currency}",
        side=event.side,
        price=Ticks(max(1, ticks)),
        qty=Sats(int(qty.scaleb(SATS_DECIMALS, _EXACT).to_integral_value(ROUND_HALF_UP))),
        cost=event.gross,
        fees=event.fees,
        wall=event.wall,
        trade_id=event.seq,
        maker=maker,
    )


# Rows that come alone.


def _taken_back(rows: Iterable[LedgerRow]) -> dict[str, str]:
    """Withdrawals and deposits that failed: the row that takes back, and the one it takes back."""
    groups: dict[tuple[str, str, str], list[LedgerRow]] = {}
    for row in rows:
        if row.kind in ("deposit", "withdrawal"):
            groups.setdefault((row.refid, row.kind, row.asset), []).append(row)
    return {
        second.txid: first.txid
        for first, second in (sorted(each, key=_wall) for each in groups.values() if len(each) == 2)
        if (first.amount, first.fee) == (-second.amount, -second.fee)
    }


def _wall(row: LedgerRow) -> int:
    return row.wall


def _of_row(row: LedgerRow, back: Mapping[str, str], notes: list[str]) -> TaxEvent | None:
    net = row.amount - row.fee
    if (row.kind, row.subtype) in _INSIDE or row.asset == "KFEE":
        return None
    if row.kind == "deposit" and (row.txid in back or row.txid in back.values()):
        return None
    if row.asset == EURO:
        if row.kind not in ("deposit", "withdrawal"):
            notes.append(f"{row.txid}: {row.kind} {row.subtype} of {net} EUR: look at it yourself")
        return None
    match row.kind, row.subtype:
        case "deposit", _ if net > 0:
            return _arrived(row, net, Origin.DEPOSIT)
        case "withdrawal", _ if row.txid in back:
            return Arrived(
                row.txid, row.wall, 0, KRAKEN, row.asset, units_of(net), Origin.DEPOSIT,
                proves=back[row.txid],
            )  # fmt: skip
        case "withdrawal", _ if row.amount > 0:
            notes.append(
                f"{row.txid}: a withdrawal of {row.amount} {row.asset} came back, and its first "
                "row is not here: read both in together"
            )
            return None
        case "withdrawal", _ if row.amount < 0:
            return Departed(
                row.txid, row.wall, 0, KRAKEN, row.asset, units_of(-row.amount), units_of(row.fee)
            )
        case "transfer", "spottofutures" if row.amount < 0:
            return Moved(
                row.txid, row.wall, 0, KRAKEN, FUTURES, row.asset, units_of(-row.amount),
                units_of(row.fee),
            )  # fmt: skip
        case "transfer", "spotfromfutures" if row.amount > 0:
            return Moved(row.txid, row.wall, 0, FUTURES, KRAKEN, row.asset, units_of(row.amount))
        case found if net > 0 and (found in _REWARDS or (row.kind, "") in _REWARDS[:2]):
            # Other income (§ 22 Nr. 3 EStG) when it comes; its market value is the user's to say.
            return _arrived(row, net, Origin.REWARD)
    notes.append(f"{row.txid}: {row.kind} {row.subtype} of {row.amount} {row.asset} is not booked")
    return None


def _arrived(row: LedgerRow, net: Decimal, origin: Origin) -> Arrived:
    return Arrived(row.txid, row.wall, 0, KRAKEN, row.asset, units_of(net), origin)


def _of_manual(row: ManualRow) -> Arrived:
    return Arrived(
        row.id, row.arrived, 0, row.account or KRAKEN, row.asset, Units(units_of(row.qty)),
        Origin.PURCHASE, row.acquired, row.cost_eur, row.proves, manual=True,
    )  # fmt: skip


def _balances(rows: Iterable[LedgerRow], held: Mapping[str, Decimal] | None) -> list[Balance]:
    """The exchange's balance of each asset, asked for or its rows' last, beside the rows' sum."""
    first: dict[tuple[str, str], Decimal] = {}
    last: dict[tuple[str, str], Decimal] = {}
    summed: dict[str, Decimal] = {}
    names: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda each: each.wall):
        key = (row.raw_asset, row.wallet)
        names[key] = row.asset
        change = row.amount - row.fee
        if row.balance is not None:
            first.setdefault(key, row.balance - change)
            last[key] = row.balance
        summed[row.asset] = summed.get(row.asset, _NOTHING) + change
    before, told = _by_asset(first, names), _by_asset(last, names)
    if held is not None:
        told = {name: each for name, each in held.items() if each or name in summed}
    return [
        Balance(
            asset,
            told.get(asset, _NOTHING),
            before.get(asset, _NOTHING),
            summed.get(asset, _NOTHING),
        )
        for asset in dict.fromkeys((*summed, *told))
    ]


def _by_asset(
    amounts: Mapping[tuple[str, str], Decimal], names: Mapping[tuple[str, str], str]
) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for key, amount in amounts.items():
        found[names[key]] = found.get(names[key], _NOTHING) + amount
    return found
