"""The session against the simulated exchange, in virtual time: a whole life, nothing scripted."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from msgspec.structs import replace

from shared import orders as o
from shared.config import ApiKey, Home, load
from shared.kraken.rest import make_signer
from shared.units import MILLISECOND, MINUTE, SECOND, Ns, Sats, Side, Ticks
from sim.build import build
from sim.engine.values import Switches
from sim.kraken.venue import HANG_UP
from strategy.session import mail as m
from strategy.session.session import Session

WALL = Ns(1_790_000_000 * 10**9)
KEY = ApiKey("key", "c2VjcmV0c2VjcmV0")
T = TypeVar("T")

OTHER_ANSWERS = Switches(
    post_only_form="refused",
    last_fill_status="filled",
    filled_keys="full",
    rate_key="rate_counter",
    ioc_rest="expired",
)


class Life:
    """One session and one exchange; wires of no length, time in steps of 50 ms."""

    def __init__(self, home: Path, switches: Switches) -> None:
        config = load(Home(home))
        config = replace(config, demo=replace(config.demo, latency_ms=0))
        self.now = Ns(5_000 * SECOND)
        self.venue = build(config, KEY, self.now, WALL, pairs=("BTC/EUR",), switches=switches)
        self.opening = dict(self.venue.exchange.trades)
        self.settings = m.settings_of(config)
        self.conns: dict[int, int] = {}
        self.chance = Random(0)
        self.faulty = False
        self.outs: list[m.SessionOut] = []
        self.begin()

    def begin(self) -> None:
        """A new session, as after a kill -9."""
        for line in list(self.conns):
            self.venue.disconnect(self.conns.pop(line))
        self.session = Session(self.settings, make_signer(KEY.key, KEY.secret))
        self.inbox: list[m.SessionIn] = []

    @property
    def wall(self) -> Ns:
        return Ns(WALL + self.now - 5_000 * SECOND)

    def run(self, duration: int, *commands: o.Command) -> list[m.SessionOut]:
        first, end = len(self.outs), self.now + duration
        self.inbox += commands
        while self.now < end:
            self.now = Ns(self.now + 50 * MILLISECOND)
            self.venue.advance(self.now, self.wall)
            self._collect()
            inbox, self.inbox = [o.Clock(self.wall), *self.inbox], []
            for out in self.session.step(self.now, inbox):
                self.outs.append(out)
                self._carry(out)
            self._collect()
        return self.outs[first:]

    def _collect(self) -> None:
        lines = {conn: line for line, conn in self.conns.items()}
        for conn, text in self.venue.outbox():
            if conn not in lines:
                continue
            if text == HANG_UP:
                self.inbox.append(m.LineClosed(lines[conn], "closed by the exchange"))
            else:
                self.inbox.append(m.Text(lines[conn], text.encode()))

    def _carry(self, out: m.SessionOut) -> None:
        match out:
            case m.OpenLine(line):
                self.conns[line] = self.venue.connect("private", self.now, self.wall)
                self.inbox.append(m.LineOpened(line))
            case m.CloseLine(line):
                self.venue.disconnect(self.conns.pop(line))
            case m.SendText(line, data):
                self.venue.receive(self.conns[line], data.decode(), self.now, self.wall)
            case m.RestCall(job, request):
                fault = self.chance.random() if self.faulty else 1.0
                if fault < 0.1:
                    # Half of those that bring no answer were carried out all the same.
                    self.inbox.append(m.RestFailed(job, "cut"))
                if fault < 0.05:
                    return
                status, body = self.venue.rest(
                    request.method,
                    request.path,
                    dict(request.headers),
                    request.body,
                    self.now,
                    self.wall,
                )
                if fault >= 0.1:
                    broken = b"<html>" if fault < 0.15 else body
                    self.inbox.append(m.RestDone(job, status, broken, self.now))

    def tamper(self, _conn: int, text: str) -> list[str]:
        """A bad line: frames are lost, doubled, cut off, or replaced."""
        match self.chance.randrange(40) if self.faulty else -1:
            case 0:
                return []
            case 1:
                return [text, text]
            case 2:
                return [text[: self.chance.randrange(1, len(text) + 1)]]
            case 3:
                return ['{"method":"error","error":"Malformed request","success":false}', text]
            case _:
                return [text]

    def cut(self) -> None:
        for line in list(self.conns):
            self.venue.disconnect(self.conns.pop(line))
            self.inbox.append(m.LineClosed(line, "cut"))

    def touch(self) -> tuple[Ticks, Ticks]:
        """Best bid and ask, as the exchange's own ticker tells them."""
        path = "/0/public/Ticker?pair=XBTEUR"
        _, body = self.venue.rest("GET", path, {}, b"", self.now, self.wall)
        row = next(iter(json.loads(body)["result"].values()))
        return Ticks(round(float(row["b"][0]) * 10)), Ticks(round(float(row["a"][0]) * 10))

    def add(self, name: str, side: Side, price: int, qty: int) -> o.AddOrder:
        deadline = Ns(self.wall + 4 * SECOND)
        return o.AddOrder(name, "BTC/EUR", side, Ticks(price), Sats(qty), deadline)


def of(kind: type[T], outs: list[m.SessionOut]) -> list[T]:
    return [each for each in outs if isinstance(each, kind)]


@pytest.fixture(params=[Switches(), OTHER_ANSWERS], ids=["likelier answers", "other answers"])
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Life:
    return Life(tmp_path, request.param)


def test_connect_place_amend_and_cancel(life: Life) -> None:
    outs = life.run(2 * SECOND)
    assert of(o.LineUp, outs) == [o.LineUp(())]
    assert of(o.Fees, outs)[0].maker < of(o.Fees, outs)[0].taker
    assert of(o.Pairs, outs)[0].pairs[0].symbol == "BTC/EUR"
    assert not of(m.Fatal, outs)
    bid, _ = life.touch()

    outs = life.run(SECOND, o.ArmDeadman(60), life.add("a1", Side.BUY, bid - 20_000, 100_000))
    assert of(o.Armed, outs)[0].timeout_s == 60
    accepted = of(o.Accepted, outs)
    assert [(each.method, each.cl_ord_id) for each in accepted] == [("add", "a1")]
    assert of(o.RateCounter, outs)[-1].counter > 0

    deadline = Ns(life.wall + 4 * SECOND)
    amend = o.AmendOrder("a1", "BTC/EUR", Ticks(bid - 20_010), Sats(90_000), deadline)
    outs = life.run(SECOND, amend)
    assert [each.method for each in of(o.Accepted, outs)] == ["amend"]
    assert of(o.Amended, outs) == [
        o.Amended("a1", accepted[0].order_id, Ticks(bid - 20_010), Sats(90_000))
    ]

    outs = life.run(SECOND, o.CancelOrder("a1"))
    assert [each.status for each in of(o.Gone, outs)] == ["canceled"]
    refused = of(o.Refused, life.run(SECOND, o.CancelOrder("a1")))
    assert [each.verdict for each in refused] == [o.Verdict.GONE]


def test_an_order_that_would_take_is_not_placed_in_either_form(life: Life) -> None:
    life.run(2 * SECOND)
    _, ask = life.touch()
    outs = life.run(SECOND, life.add("p1", Side.BUY, ask + 5_000, 100_000))
    ended = [*of(o.Refused, outs), *of(o.Gone, outs)]
    assert len(ended) == 1
    assert not of(o.Filled, outs)
    assert not life.venue.exchange.open


def test_fills_a_cut_a_resync_and_a_new_life(life: Life) -> None:
    life.run(2 * SECOND)
    bid, ask = life.touch()
    large, small = life.add("b1", Side.BUY, bid, 5_000_000), life.add("s1", Side.SELL, ask, 5_000)
    life.run(SECOND, large, small)
    life.run(5 * MINUTE)
    assert of(o.Filled, life.outs)
    gone = [each for each in of(o.Gone, life.outs) if each.cl_ord_id == "s1"]
    assert [(each.status, each.filled) for each in gone] == [("filled", 5_000)]

    # A fill that nobody hears: the line is cut, and the snapshot or the history brings it.
    bid, ask = life.touch()
    life.run(SECOND, life.add("s2", Side.SELL, ask, 10_000), life.add("b2", Side.BUY, bid, 10_000))
    life.cut()
    outs = life.run(20 * SECOND)
    assert of(o.LineDown, outs) == [o.LineDown("cut")]
    resting = {each.cl_ord_id for each in of(o.LineUp, outs)[-1].orders}
    assert resting <= {"b1", "b2", "s2"}
    life.run(5 * MINUTE)

    told = [each.exec_id for each in of(o.Filled, life.outs)]
    assert sorted(told) == sorted(life.venue.exchange.trades)  # each once, the opening ones too

    # A new life knows nothing; it asks, and hears everything once, with our own ids.
    before = len(life.outs)
    life.begin()
    life.run(3 * SECOND)
    life.run(10 * SECOND, o.AskOrders(Ns(0)))
    outs = life.outs[before:]
    fills = of(o.Filled, outs)
    assert sorted(each.exec_id for each in fills) == sorted(life.venue.exchange.trades)
    ours = {each.exec_id: each for each in fills if each.exec_id not in life.opening}
    assert {each.cl_ord_id for each in ours.values()} <= {"b1", "s1", "s2", "b2"}
    first = {each.exec_id: each for each in of(o.Filled, life.outs[:before])}
    for exec_id, fill in ours.items():
        assert (fill.qty, fill.price, fill.side) == (
            first[exec_id].qty,
            first[exec_id].price,
            first[exec_id].side,
        )
        assert (fill.cost, fill.fees) == (first[exec_id].cost, first[exec_id].fees)
    listed = of(o.Listed, outs)[-1]
    assert {each.order_id for each in listed.orders} == set(life.venue.exchange.open)
    assert of(o.Balances, outs)[-1].totals["BTC"] > 0


def test_one_order_is_looked_up(life: Life) -> None:
    life.run(2 * SECOND)
    bid, _ = life.touch()
    life.run(SECOND, life.add("a1", Side.BUY, bid - 20_000, 100_000))
    outs = life.run(5 * SECOND, o.AskEach((("a1", ""), ("never", ""))))
    assert [(each.cl_ord_id, each.status) for each in of(o.Looked, outs)] == [
        ("a1", "open"),
        ("never", ""),
    ]
    life.run(SECOND, o.CancelOrder("a1"))
    assert of(o.Looked, life.run(5 * SECOND, o.AskEach((("a1", ""),))))[0].status == "canceled"


def test_the_switch_and_cancels_work_by_rest_while_the_line_is_down(life: Life) -> None:
    life.run(2 * SECOND)
    bid, _ = life.touch()
    life.run(SECOND, life.add("a1", Side.BUY, bid - 20_000, 100_000))
    life.cut()
    life.cut()
    outs = life.run(100 * MILLISECOND, o.CancelOrder("a1"), o.ArmDeadman(60))
    outs += life.run(SECOND, o.CancelAll())
    done = [each.method for each in of(o.Accepted, outs)]
    assert done == ["cancel", "cancel_all"]
    assert of(o.Armed, outs)
    assert not life.venue.exchange.open


def test_new_orders_go_by_rest_where_the_setting_says_so_at_once_or_not_at_all(life: Life) -> None:
    life.settings = replace(life.settings, full=True)
    life.begin()
    life.run(2 * SECOND)
    bid, _ = life.touch()
    life.cut()
    life.cut()
    first, second = (life.add(name, Side.BUY, bid - 20_000, 100_000) for name in ("a1", "a2"))
    outs = life.run(100 * MILLISECOND, first, second)
    assert [(each.method, each.cl_ord_id) for each in of(o.Accepted, outs)] == [("add", "a1")]
    [busy] = of(o.Refused, outs)
    assert (busy.cl_ord_id, busy.error, busy.verdict) == ("a2", "REST is busy", o.Verdict.MARKET)
    assert [call.binds for call in of(m.RestCall, outs)] == [True]
    [placed] = life.venue.exchange.open.values()
    assert (placed.cl_ord_id, placed.price, placed.post_only) == ("a1", bid - 20_000, True)
    assert placed.order_id == of(o.Accepted, outs)[0].order_id

    deadline = Ns(life.wall + 4 * SECOND)
    amend = o.AmendOrder("a1", "BTC/EUR", Ticks(bid - 20_010), Sats(90_000), deadline)
    life.cut()
    outs = life.run(100 * MILLISECOND, amend)
    assert [each.method for each in of(o.Accepted, outs)] == ["amend"]
    assert (placed.price, placed.qty) == (bid - 20_010, 90_000)

    # The line comes back and lists what was placed without it.
    outs = life.run(30 * SECOND)
    assert [each.cl_ord_id for each in of(o.LineUp, outs)[-1].orders] == ["a1"]


@pytest.mark.parametrize("below", [5, 500])
def test_an_exit_takes_what_it_finds_and_its_rest_is_gone(life: Life, below: int) -> None:
    life.run(2 * SECOND)
    bid, _ = life.touch()
    order = replace(life.add("x1", Side.SELL, bid - below, 14_000_000), exit_order=True)
    outs = life.run(2 * SECOND, order)
    fills, gone = of(o.Filled, outs), of(o.Gone, outs)
    assert fills
    assert not any(each.maker for each in fills)
    assert [each.cl_ord_id for each in gone] == ["x1"]
    assert gone[0].filled == sum(each.qty for each in fills)
    assert (gone[0].status == "filled") == (gone[0].filled == 14_000_000)
    assert not life.venue.exchange.open


def random_command(life: Life, number: int) -> o.Command:
    bid, ask = life.touch()
    name = f"c{life.chance.randrange(max(number, 1))}"
    deadline = Ns(life.wall + 4 * SECOND)
    away = life.chance.randrange(0, 3_000)
    match life.chance.randrange(9):
        case 0 | 1 | 2:
            return life.add(f"c{number}", Side.BUY, bid - away, 100_000)
        case 3 | 4:
            return life.add(f"c{number}", Side.SELL, ask + away, 100_000)
        case 5:
            return o.AmendOrder(name, "BTC/EUR", Ticks(bid - away), Sats(90_000), deadline)
        case 6:
            return o.CancelOrder(name)
        case 7:
            return o.ArmDeadman(60)
        case _:
            return o.AskOrders(Ns(0))


@pytest.mark.parametrize("seed", range(12))
def test_after_any_faults_every_fill_was_told_once_and_the_list_is_true(
    tmp_path: Path, seed: int
) -> None:
    life = Life(tmp_path, OTHER_ANSWERS if seed % 2 else Switches())
    life.chance, life.faulty, life.venue.tamper = Random(seed), True, life.tamper
    for number in range(80):
        life.run(life.chance.randrange(1, 4) * SECOND, random_command(life, number))
        if life.chance.random() < 0.03:
            life.cut()
    life.faulty = False
    life.run(3 * MINUTE)
    asked_from = len(life.outs)
    life.run(MINUTE, o.AskOrders(Ns(0)))

    turns = [type(each) for each in life.outs if isinstance(each, o.LineUp | o.LineDown)]
    assert turns == [o.LineUp if number % 2 == 0 else o.LineDown for number in range(len(turns))]
    assert len(turns) % 2 == 1  # up again
    assert len(turns) > 1  # the faults were felt
    told = [each.exec_id for each in of(o.Filled, life.outs)]
    assert sorted(told) == sorted(life.venue.exchange.trades)
    listed = of(o.Listed, life.outs[asked_from:])[-1]
    assert {each.order_id for each in listed.orders} == set(life.venue.exchange.open)
    for order in listed.orders:
        true = life.venue.exchange.open[order.order_id]
        assert (order.price, order.qty, order.filled) == (true.price, true.qty, true.filled)
