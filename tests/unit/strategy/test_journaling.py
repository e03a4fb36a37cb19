"""The journal's words: every kind of item there and back, and the fingerprint of what was done."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from shared import control, frames, orders
from shared.journal import JournalWriter, journals, read_journal
from shared.units import Ns, Sats, Side, Ticks
from strategy.core.out import Flagged, In, StopAsked, Tell, Unwritten
from strategy.journaling import JournalRecorder, fingerprint, pack, unpack
from strategy.ledger.entries import Remember
from tests.unit.strategy.core.build import BTC_EUR, make_book, make_fill

AT = (Ns(1), 2, Ns(3), Ns(4))
RESTING = orders.RestingOrder("O", "g", "BTC/EUR", Side.SELL, Ticks(1), Sats(2), Sats(0))
ID = (control.CONTROL_VERSION, "12345678")

ITEMS: list[In] = [
    orders.LineUp((RESTING,)),
    orders.LineDown("why"),
    orders.Accepted("add", "g", "O"),
    orders.Refused("amend", "g", "EOrder:Unknown order", orders.Verdict.GONE),
    orders.Amended("g", "O", Ticks(1), Sats(2)),
    make_fill("T", Side.BUY, 850_001, 12_345, cl_ord_id="g"),
    orders.Gone("g", "O", "expired", Sats(3), "reason"),
    orders.Listed(Ns(1), (RESTING, RESTING), Ns(2)),
    orders.Looked(Ns(1), "g", None, "", Sats(0)),
    orders.Looked(Ns(1), "g", RESTING, "open", Sats(0)),
    orders.AskFailed("why"),
    orders.Balances({"EUR": Decimal("0.00000001"), "BTC": Decimal("1E+2")}),
    orders.Withdrawals(
        "BTC", (orders.Leaving("F", Decimal("0.72505"), Decimal("0.0002"), Ns(6), True),)
    ),
    orders.LedgerPage(b'{"error":[]}\x00'),
    orders.Armed(Ns(1), 60),
    orders.System("online"),
    orders.Fees("BTC/EUR", Decimal("0.0012"), Decimal("0.0025")),
    orders.Pairs((BTC_EUR,)),
    orders.RateCounter("BTC/EUR", 1.5, 125),
    orders.SecondPrice("BTC/EUR", Ticks(849_995), Ticks(850_005), Ns(3)),
    orders.Clock(Ns(7)),
    orders.Skew(-5),
    make_book(5),
    make_book(5, valid=False),
    frames.Instrument(*AT, BTC_EUR),
    frames.Trades(*AT, "BTC/EUR", (frames.Trade(1, "buy", 2, 3, Ns(4)),)),
    frames.Vwap(*AT, "BTC/EUR", (frames.VwapWindow(60, 85_000.5, 7, 1),)),
    frames.Candle(*AT, "BTC/EUR", 60, Ns(1), 1, 2, 3, 4, 5, 6),
    frames.Beat(*AT, "live", "online", 1, 0, 99, 0, 0, 5, ""),
    control.AskStatus(*ID),
    control.AskOrderList(*ID),
    control.AskLots(*ID),
    control.Explain(*ID, "b1"),
    control.AskReconcile(*ID),
    control.AcceptDrift(*ID, "mine"),
    control.Hold(*ID, "Grüße"),
    control.Resume(*ID, ""),
    control.CancelOrders(*ID),
    control.Flatten(*ID, "flatten"),
    control.Kill(*ID, "fire", "kill"),
    control.Shutdown(*ID),
    StopAsked("SIGTERM"),
    Flagged("bot-kill"),
    Unwritten("no space left"),
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_every_item_comes_back_as_it_was(item: In) -> None:
    assert unpack(pack([item])) == [item]


def test_every_kind_of_item_is_tried_here() -> None:
    """But for requests: they all go the way of `control.encode_request`."""
    kinds = {kind for kind in get_args(In) if not issubclass(kind, control.Request)}
    assert {type(item) for item in ITEMS} >= kinds


def test_a_step_keeps_its_order_and_an_empty_step_is_a_step() -> None:
    assert unpack(pack(ITEMS)) == ITEMS
    assert unpack(pack([])) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"garbage",
        msgspec.msgpack.encode(["Told", [[0, b"garbage"]]]),
        msgspec.msgpack.encode(["Told", [[1, b"garbage"]]]),
        msgspec.msgpack.encode(["Told", [[2, b"{}"]]]),
        msgspec.msgpack.encode(["Told", [[3, b"\xc0"]]]),
        msgspec.msgpack.encode(["Told", [[9, b""]]]),
        msgspec.msgpack.encode(["Else", 1]),
    ],
)
def test_bytes_that_are_no_record_of_ours_are_said_to_be_none(payload: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        unpack(payload)


def test_the_fingerprint_is_of_commands_and_entries_in_their_order() -> None:
    one, two = orders.ArmDeadman(60), Remember("hold", "x")
    assert fingerprint([]) == fingerprint([Tell("info", "k", "t")]) == 0
    assert fingerprint([one, Tell("info", "k", "t"), two]) == fingerprint([one, two])
    assert fingerprint([one, two]) != fingerprint([two, one])
    assert fingerprint([one]) != fingerprint([orders.ArmDeadman(61)])


def test_the_recorder_writes_what_was_told_before_what_was_done(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "test", b"config", lambda: b"memory")
    recorder = JournalRecorder(writer)
    recorder.told(Ns(5), ITEMS)
    recorder.did(Ns(5), [orders.ArmDeadman(60)])
    recorder.told(Ns(6), [])
    recorder.did(Ns(6), [])
    writer.close()
    [path] = journals(tmp_path)
    found = [(at, unpack(payload)) for at, payload in read_journal(path)]
    done = fingerprint([orders.ArmDeadman(60)])
    assert found == [(5, ITEMS), (5, done), (6, []), (6, 0)]
