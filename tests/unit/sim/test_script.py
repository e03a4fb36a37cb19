"""Scripted faults: what a script may say, when it takes effect, and when it is over."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.units import MILLISECOND, SECOND, Ns
from sim.script import MOST_ACTIVE, Fault, Script, ScriptError, read

BOOK = '{"channel":"book","type":"update","data":[{"checksum":4294967295}]}'
ACK = '{"method":"add_order","req_id":7,"success":true}'
NOW = Ns(5 * SECOND)


def script(*faults: dict[str, object], at: Ns = NOW) -> Script:
    made = Script()
    made.add(read(json.dumps(list(faults)).encode()), at)
    return made


def left(made: Script, text: str = BOOK, host: str = "public", at: Ns = NOW) -> list[str]:
    return [found for _, found in made.outgoing(host, text, at)]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[", b"3", b'{"do": "explode"}', b'{"do": "drop", "chance": 1}', b"\xff",
        b'{"do": "mode", "status": "closed"}', b'{"do": "rest_status", "status": "200"}',
        b'{"do": "delay"}', b'{"do": "stall"}', b'{"do": "drop", "times": -1}',
        b'{"do": "transfer", "asset": "BTC", "amount": "NaN"}',
        b'{"do": "transfer", "asset": "XYZ", "amount": "1"}',
        b'[{"do": "drop"}, {"do": "nothing"}]', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_whole(body: bytes) -> None:
    with pytest.raises(ScriptError):
        read(body)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    try:
        read(body)
    except ScriptError:
        return


def test_a_fault_is_done_once_and_only_where_it_is_meant() -> None:
    made = script({"do": "drop", "on": "private", "about": "add_order"})
    assert left(made, ACK, "public") == [ACK]
    assert left(made, BOOK, "private") == [BOOK]
    assert left(made, ACK, "private") == []
    assert left(made, ACK, "private") == [ACK]
    assert made.done == {"drop": 1}
    assert not made.plans


def test_for_a_while_it_is_done_as_often_as_it_matches() -> None:
    made = script({"do": "drop", "about": "book", "after_ms": 1_000, "for_ms": 2_000})
    assert left(made) == [BOOK]
    for at in (1_000, 1_500, 2_999):
        assert left(made, at=Ns(NOW + at * MILLISECOND)) == []
    assert left(made, at=Ns(NOW + 3 * SECOND)) == [BOOK]
    assert not made.plans


def test_every_third_and_so_often() -> None:
    made = script({"do": "drop", "every": 3, "times": 2})
    assert [bool(left(made)) for _ in range(9)] == [True, True, False] * 2 + [True] * 3


def test_each_kind_does_its_worst() -> None:
    assert left(script({"do": "dup"})) == [BOOK, BOOK]
    assert left(script({"do": "truncate"})) == [BOOK[: len(BOOK) // 2]]
    assert left(script({"do": "garbage"}))[1:] == [BOOK]
    assert '"checksum":0}' in left(script({"do": "wrong_checksum"}))[0]
    delayed = script({"do": "delay", "delay_ms": 700}).outgoing("public", BOOK, NOW)
    assert delayed == [(700 * MILLISECOND, BOOK)]
    made = script({"do": "reorder", "about": "book"})
    assert left(made) == []
    assert left(made, ACK) == [ACK]
    assert left(made, BOOK + " ") == [BOOK + " ", BOOK]
    assert not made.plans


def test_requests_rest_and_what_happens_by_itself() -> None:
    made = script({"do": "reject", "about": "add_order", "error": "EOrder:Nope"})
    request = '{"method": "add_order", "params": {}}'
    assert made.incoming("private", '{"method":"ping"}', NOW) is None
    assert made.incoming("private", request, NOW) == Fault(
        do="reject", about="add_order", error="EOrder:Nope"
    )
    made = script({"do": "rest_error", "about": "OpenOrders"})
    assert made.rest("private", "/0/private/Balance", NOW) is None
    assert made.rest("private", "/0/private/OpenOrders", NOW) is not None
    made = script({"do": "mode", "status": "maintenance"}, {"do": "close", "after_ms": 10})
    assert [fault.do for fault in made.at_once(NOW)] == ["mode"]
    assert [fault.do for fault in made.at_once(Ns(NOW + 10 * MILLISECOND))] == ["close"]


def test_the_number_of_active_faults_is_bounded() -> None:
    made = script(*([{"do": "drop", "after_ms": 1}] * MOST_ACTIVE))
    with pytest.raises(ScriptError, match="at once"):
        made.add([Fault(do="dup")], NOW)
    assert len(made.plans) == MOST_ACTIVE
    made.clear()
    assert left(made) == [BOOK]
