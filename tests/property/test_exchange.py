"""Laws of the simulated exchange: money is kept, books are never crossed, clients can follow."""

from __future__ import annotations

import zlib
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import SECOND, Ns
from sim.engine.account import Account
from sim.engine.exchange import Exchange
from sim.engine.instruments import LISTINGS, round_half_up
from sim.engine.market import Market
from sim.engine.store import SqliteStore
from sim.engine.values import TIERS, Order, Refused, Request, Switches
from sim.kraken.books import View
from sim.sources import Hit, Quote
from tests.unit.sim.driving import MID, WALL, Scripted

PAIR = LISTINGS["BTC/EUR"].pair
DROP = PAIR.price_decimals + PAIR.qty_decimals - 4


def make(switches: Switches, eur: int = 100_000_000, btc: int = 10_000_000_000) -> Exchange:
    market = Market(LISTINGS["BTC/EUR"], Scripted(), 0, WALL)
    account = Account(switches, 1200, 2500)
    exchange = Exchange({"BTC/EUR": market}, account, TIERS["pro"], switches)
    account.post("QDEPOSIT1", WALL, "deposit", "EUR", eur, 0)
    account.post("QDEPOSIT2", WALL, "deposit", "BTC", btc, 0)
    return exchange


prices = st.integers(MID - 60, MID + 60)
qtys = st.one_of(st.integers(5_000, 3_000_000), st.integers(1, 40_000_000))
sides = st.sampled_from(["buy", "sell"])
requests = st.builds(
    Request,
    pair=st.just("BTC/EUR"),
    side=sides,
    order_type=st.sampled_from(["limit", "limit", "limit", "market"]),
    price=prices,
    qty=qtys,
    tif=st.sampled_from(["gtc"] * 6 + ["ioc", "fok", "gtd"]),
    post_only=st.booleans(),
    cl_ord_id=st.sampled_from(["", "", "a", "b"]),
    stp=st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both"]),
    expire_wall=st.sampled_from([Ns(0), Ns(WALL + 30 * SECOND)]),
)
adds = st.tuples(st.just("add"), requests)
hits = st.tuples(st.just("hit"), sides, prices, st.integers(1, 9_000_000))
rarely = st.one_of(
    st.tuples(st.just("switch"), st.sampled_from([0, 5, 60])),
    st.tuples(st.just("cancel_all")),
    st.tuples(st.just("system"), st.sampled_from(["maintenance", "post_only"])),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)
kinds = {
    "add": adds,
    "hit": hits,
    "quote": st.tuples(st.just("quote"), prices, st.integers(1, 20)),
    "amend": st.tuples(st.just("amend"), st.integers(0, 9), prices, qtys, st.booleans()),
    "cancel": st.tuples(st.just("cancel"), st.integers(0, 9)),
    "online": st.tuples(st.just("system"), st.just("online")),
    "rarely": rarely,
}
weights = ["add"] * 8 + ["hit"] * 6 + ["quote"] * 3 + ["amend"] * 4
steps = st.sampled_from([*weights, "cancel", "online", "online", "rarely"]).flatmap(
    kinds.__getitem__
)
choices = st.builds(
    Switches,
    post_only_form=st.sampled_from(["canceled", "refused"]),
    fee_rounding=st.sampled_from(["half_up", "down", "up"]),
    counter_refuses_cancels=st.booleans(),
    cancel_all_costs=st.booleans(),
)


class Driver:
    """Carries out drawn steps; a refusal is an answer."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.position = 0

    @property
    def wall(self) -> Ns:
        return Ns(WALL + self.position)

    def do(self, step: tuple[Any, ...]) -> None:
        self.position += SECOND
        try:
            self._do(*step)
        except Refused as refused:
            assert refused.text
        self.exchange.advance(self.position, self.wall)

    def _do(self, kind: str, *rest: Any) -> None:
        exchange, wall = self.exchange, self.wall
        source = exchange.markets["BTC/EUR"].source
        assert isinstance(source, Scripted)
        match kind:
            case "add":
                exchange.add(rest[0], wall)
            case "amend" if order := self._order(rest[0]):
                exchange.amend(order, wall, price=rest[1], qty=rest[2], post_only=rest[3])
            case "cancel" if order := self._order(rest[0]):
                exchange.cancel(order, wall)
            case "hit":
                side, price, qty = rest
                touch = (price - 1, price) if side == "buy" else (price, price + 1)
                source.ticks += [
                    Quote(self.position, *touch),
                    Hit(self.position, side, price, qty, "market"),
                ]
            case "quote":
                source.ticks.append(Quote(self.position, rest[0], rest[0] + rest[1]))
            case "wait":
                self.position += rest[0] * SECOND
            case "switch":
                exchange.cancel_after(rest[0], wall)
            case "cancel_all":
                exchange.cancel_all(wall)
            case "system":
                exchange.set_system(rest[0], wall)

    def _order(self, index: int) -> Order | None:
        orders = list(self.exchange.open.values())
        return orders[index % len(orders)] if orders else None


def check(exchange: Exchange) -> None:
    """What holds after every step."""
    account, orders = exchange.account, exchange.open.values()
    for asset, balance in account.balances.items():
        rows = [row for row in account.ledger if row.asset == asset]
        assert balance == sum(row.amount - row.fee for row in rows)
        assert all(row.balance >= 0 and row.fee >= 0 for row in rows)
        assert account.available(asset) >= 0
    assert account.holds.get("EUR", 0) == sum(o.hold for o in orders if o.side == "buy")
    assert account.holds.get("BTC", 0) == sum(o.hold for o in orders if o.side == "sell")
    spent = sum(
        (-1 if t.side == "buy" else 1) * round_half_up(t.cost, DROP) - t.fee
        for t in exchange.trades.values()
    )
    assert account.balances["EUR"] == 100_000_000 + spent
    bought = sum((1 if t.side == "buy" else -1) * t.qty for t in exchange.trades.values())
    assert account.balances["BTC"] == 10_000_000_000 + bought * 100
    market = exchange.markets["BTC/EUR"]
    assert market.view("buy", 1)[0][0] < market.view("sell", 1)[0][0], "the book is crossed"
    resting = [order.order_id for side in ("buy", "sell") for order in market.own[side]]
    assert sorted(resting) == sorted(exchange.open)
    for order in exchange.orders.values():
        trades = [exchange.trades[name] for name in order.trades]
        assert order.filled == sum(t.qty for t in trades) <= order.qty or order.amended
        assert order.cost == sum(t.cost for t in trades)
        better = [
            t.price <= order.price if order.side == "buy" else t.price >= order.price
            for t in trades
        ]
        assert order.order_type == "market" or order.amended or all(better)


@settings(max_examples=60, deadline=None)
@given(choices, st.lists(steps, min_size=10, max_size=40))
def test_money_is_kept_and_no_book_is_crossed(
    switches: Switches, drawn: list[tuple[Any, ...]]
) -> None:
    driver = Driver(make(switches))
    for step in drawn:
        driver.do(step)
        check(driver.exchange)


@settings(max_examples=15, deadline=None)
@given(st.lists(steps, min_size=10, max_size=30))
def test_the_same_requests_give_the_same_events(drawn: list[tuple[Any, ...]]) -> None:
    told = []
    for _ in range(2):
        driver = Driver(make(Switches()))
        for step in drawn:
            driver.do(step)
        told.append(msgspec.json.encode(driver.exchange.take_events()))
    assert told[0] == told[1]


@settings(max_examples=15, deadline=None)
@given(st.lists(steps, min_size=10, max_size=30))
def test_what_was_saved_is_what_is_loaded(drawn: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "exchange.sqlite"
        store = SqliteStore(path)
        store.name_market("test")
        driver = Driver(make(Switches()))
        for step in drawn:
            driver.do(step)
            store.save(driver.exchange, driver.position)
            driver.exchange.forget_changes()
        store.save(driver.exchange, driver.position)
        store.close()
        again = SqliteStore(path)
        found = Exchange(
            {"BTC/EUR": Market(LISTINGS["BTC/EUR"], Scripted(), 0, WALL)},
            Account(Switches(), 1200, 2500),
            TIERS["pro"],
            Switches(),
        )
        again.load(found)
        again.close()
    old = driver.exchange
    assert found.account.balances == old.account.balances
    assert {k: v for k, v in found.account.holds.items() if v} == {
        k: v for k, v in old.account.holds.items() if v
    }
    assert found.account.ledger == old.account.ledger
    assert list(found.trades.items()) == list(old.trades.items())
    assert list(found.orders.items()) == list(old.orders.items())
    for side in ("buy", "sell"):
        before = [order.order_id for order in old.markets["BTC/EUR"].own[side]]
        assert [order.order_id for order in found.markets["BTC/EUR"].own[side]] == before
    assert (found.switch_wall, found.system) == (old.switch_wall, old.system)
    assert found.desk.minted == old.desk.minted


class NaiveClient:
    """A book as Kraken's guide builds it, in exact text; truncates after each entry or message."""

    def __init__(self, depth: int, *, per_entry: bool) -> None:
        self.depth = depth
        self.per_entry = per_entry
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def hear(self, text: str) -> None:
        row = msgspec.json.decode(text, type=Frame).data[0]
        for name, entries in (("bids", row.bids), ("asks", row.asks)):
            for entry in entries:
                self._apply(name, entry)
            self._truncate(name)
        digits = ""
        for name in ("asks", "bids"):
            for price in self._sorted(name)[:10]:
                for number, places in ((price, 1), (self.sides[name][price], 8)):
                    digits += f"{number:.{places}f}".replace(".", "").lstrip("0")
        assert zlib.crc32(digits.encode()) == row.checksum

    def _apply(self, name: str, entry: Entry) -> None:
        if entry.qty:
            self.sides[name][entry.price] = entry.qty
        else:
            assert entry.price in self.sides[name], "a removal of what was never told"
            del self.sides[name][entry.price]
        if self.per_entry:
            self._truncate(name)

    def _sorted(self, name: str) -> list[Decimal]:
        return sorted(self.sides[name], reverse=name == "bids")

    def _truncate(self, name: str) -> None:
        for price in self._sorted(name)[self.depth :]:
            del self.sides[name][price]


class Entry(msgspec.Struct):
    price: Decimal
    qty: Decimal


class Row(msgspec.Struct):
    bids: list[Entry]
    asks: list[Entry]
    checksum: int


class Frame(msgspec.Struct):
    data: list[Row]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([10, 25]), st.booleans(), st.lists(steps, min_size=5, max_size=40))
def test_a_client_that_applies_the_updates_has_the_book(
    depth: int, per_entry: bool, drawn: list[tuple[Any, ...]]
) -> None:
    driver = Driver(make(Switches()))
    market = driver.exchange.markets["BTC/EUR"]
    view = View(PAIR, depth)
    client = NaiveClient(depth, per_entry=per_entry)
    view.turn(market.view("buy", depth), market.view("sell", depth), WALL)
    client.hear(view.snapshot(WALL))
    for step in drawn:
        driver.do(step)
        bids, asks = market.view("buy", depth), market.view("sell", depth)
        text = view.turn(bids, asks, WALL)
        if text is not None:
            client.hear(text)
        for name, levels in (("bids", bids), ("asks", asks)):
            told = [(p, client.sides[name][p]) for p in client._sorted(name)]
            exact = [(Decimal(p).scaleb(-1), Decimal(q).scaleb(-8)) for p, q in levels]
            assert told == exact
