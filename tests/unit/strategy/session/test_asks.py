"""The core's questions, as dialogues with REST."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shared.kraken.answers import by_name, parse_pairs
from shared.kraken.rest import Call
from shared.orders import AskEach, AskOrders, Balances, Filled, Listed, Looked, RestingOrder, System
from shared.units import Ns, Sats, Side, Ticks
from strategy.session.asks import (
    AskError,
    Dialogue,
    Known,
    Questions,
    Reply,
    Told,
    ask_each,
    ask_orders,
)

PAIR = {
    "altname": "XBTEUR",
    "wsname": "XBT/EUR",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "cost_decimals": 5,
    "ordermin": "0.00005",
}
PAIRS = by_name(parse_pairs(json.dumps({"XXBTZEUR": PAIR}).encode()))
KNOWN = Known(PAIRS, lambda _: "", lambda _: True)


def order(cl_ord_id: str, status: str = "open", opened: int = 5) -> dict[str, Any]:
    return {
        "status": status,
        "cl_ord_id": cl_ord_id,
        "opentm": opened,
        "descr": {"pair": "XBTEUR", "type": "buy", "price": "80000.0"},
        "vol": "0.00010000",
        "vol_exec": "0.00004000",
    }


def trade(number: int) -> dict[str, Any]:
    return {
        "ordertxid": f"O{number}",
        "pair": "XXBTZEUR",
        "time": 1_000 + number + 0.25,
        "type": "buy",
        "price": "80000.00000",
        "cost": "8.0",
        "fee": "0.01",
        "vol": "0.00010000",
        "trade_id": number,
        "maker": True,
    }


def page(call: Call, count: int) -> dict[str, Any]:
    """Newest first, as the exchange pages them."""
    first = int(dict(call.fields)["ofs"])
    rows = range(count, 0, -1)[first : first + 50]
    return {"trades": {f"T{number}": trade(number) for number in rows}, "count": count}


Script = Callable[[Call], object]


def play(dialogue: Dialogue, script: Script) -> tuple[Told, list[Call]]:
    """Answer each call by the script; boot time counts the calls."""
    calls = [next(dialogue)]
    while True:
        found = script(calls[-1])
        body = {"error": [found]} if isinstance(found, str) else {"error": [], "result": found}
        at = len(calls)
        reply = Reply(200, json.dumps(body).encode(), Ns(at), Ns(at * 1_000))
        try:
            calls.append(dialogue.send(reply))
        except StopIteration as end:
            return end.value, calls


def exchange(count: int, **changed: object) -> Script:
    def script(call: Call) -> object:
        if call.name in changed:
            return changed[call.name]
        match call.name:
            case "OpenOrders":
                return {"open": {"OA": order("g1")}}
            case "TradesHistory":
                return page(call, count)
            case "QueryOrders":
                ids = dict(call.fields)["txid"].split(",")
                return {each: order(f"c{each}", "closed") for each in ids if each != "O1"}
            case _:
                return {"XXBT": {"balance": "1.5", "hold_trade": "0"}}

    return script


RESTING = RestingOrder("OA", "g1", "BTC/EUR", Side.BUY, Ticks(800_000), Sats(10_000), Sats(4_000))


def test_orders_are_listed_before_the_history_is_read() -> None:
    told, calls = play(ask_orders(AskOrders(Ns(0)), KNOWN), exchange(2))
    names = [call.name for call in calls]
    assert names == ["OpenOrders", "TradesHistory", "QueryOrders", "BalanceEx"]
    first, second, balances, listed = told.events
    assert isinstance(first, Filled)
    assert isinstance(second, Filled)
    assert (first.exec_id, second.exec_id) == ("T1", "T2")  # oldest first
    assert (first.cl_ord_id, second.cl_ord_id) == ("", "cO2")  # O1 is not ours
    assert first.wall == 1_001_250_000_000
    assert balances == Balances({"BTC": Decimal("1.5")})
    assert listed == Listed(Ns(1), (RESTING,), Ns(2_000))
    assert told.learned == (("OA", "g1"), ("O2", "cO2"))


def test_the_history_is_paged_to_its_end_oldest_first() -> None:
    told, calls = play(ask_orders(AskOrders(Ns(900 * 10**9)), KNOWN), exchange(120))
    pages = [dict(call.fields) for call in calls if call.name == "TradesHistory"]
    assert [each["ofs"] for each in pages] == ["0", "50", "100"]
    assert {each["start"] for each in pages} == {"899"}
    fills = [each for each in told.events if isinstance(each, Filled)]
    assert [each.trade_id for each in fills] == list(range(1, 121))
    listed = told.events[-1]
    assert isinstance(listed, Listed)
    assert listed.until == 2_000  # when its newest page was asked for


def test_fills_that_come_while_paging_are_not_missed_and_not_doubled() -> None:
    counts = iter([60, 63])
    told, _ = play(
        ask_orders(AskOrders(Ns(0)), KNOWN),
        lambda call: (
            page(call, next(counts)) if call.name == "TradesHistory" else exchange(0)(call)
        ),
    )
    fills = [each.trade_id for each in told.events if isinstance(each, Filled)]
    assert fills == list(range(1, 61))


def test_fills_told_before_are_not_told_again() -> None:
    known = Known(PAIRS, lambda _: "", lambda exec_id: exec_id != "T1")
    told, _ = play(ask_orders(AskOrders(Ns(0)), known), exchange(2))
    assert [each.exec_id for each in told.events if isinstance(each, Filled)] == ["T2"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"OpenOrders": "EAPI:Rate limit exceeded"}, "OpenOrders: EAPI:Rate limit exceeded"),
        ({"TradesHistory": {"trades": {}, "count": 3}}, "ended after 0 of 3"),
        ({"TradesHistory": {"trades": {"T1": {}}}}, "TradesHistory: unreadable"),
        ({"BalanceEx": "EService:Busy"}, "BalanceEx: EService:Busy"),
    ],
)
def test_a_question_is_answered_whole_or_not_at_all(changed: dict[str, object], why: str) -> None:
    with pytest.raises(AskError, match=why):
        play(ask_orders(AskOrders(Ns(0)), KNOWN), exchange(2, **changed))


def test_an_endless_history_is_given_up() -> None:
    with pytest.raises(AskError, match="longer than"):
        play(ask_orders(AskOrders(Ns(0)), KNOWN), exchange(50 * 400 + 1))


def test_one_order_is_looked_for_among_the_open_then_the_closed() -> None:
    told, calls = play(ask_each(AskEach((("g1", ""),)), KNOWN), exchange(0))
    assert len(calls) == 1
    assert told.events == (Looked(Ns(1), "g1", RESTING, "open", Sats(4_000)),)

    # A filter that is not known is ignored: others may be in the answer, and older ones of the id.
    rows = {
        "O8": order("g2", "canceled", 7),
        "O9": order("g2", "closed", 9),
        "O7": order("zz", "expired", 99),
    }
    told, calls = play(
        ask_each(AskEach((("g2", ""),)), KNOWN), exchange(0, ClosedOrders={"closed": rows})
    )
    assert [dict(call.fields) for call in calls] == [{"cl_ord_id": "g2"}] * 2
    looked = told.events[0]
    assert isinstance(looked, Looked)
    assert (looked.status, looked.filled, looked.asked_at) == ("filled", 4_000, 1)
    assert told.learned == (("O9", "g2"),)


def test_an_order_nobody_knows_was_never_heard_of() -> None:
    script = exchange(0, ClosedOrders={"closed": {}})
    told, _ = play(ask_each(AskEach((("zz", ""),)), KNOWN), script)
    assert told.events == (Looked(Ns(1), "zz", None, "", Sats(0)),)


def statuses(told: Told) -> dict[str, str]:
    return {each.cl_ord_id: each.status for each in told.events if isinstance(each, Looked)}


def test_ten_lost_orders_whose_ids_are_known_cost_two_calls() -> None:
    asked = AskEach((("g1", "OA"), *((f"cO{n}", f"O{n}") for n in range(2, 11))))
    told, calls = play(ask_each(asked, KNOWN), exchange(0))
    assert [call.name for call in calls] == ["OpenOrders", "QueryOrders"]
    assert statuses(told) == {"g1": "open"} | {f"cO{n}": "filled" for n in range(2, 11)}


def test_ten_lost_orders_of_an_earlier_life_cost_two_calls() -> None:
    """Nobody told their ids: one page of what ended last names them."""
    rows = {f"O{n}": order(f"g{n}", "canceled", n) for n in range(2, 11)}
    asked = AskEach(tuple((f"g{n}", "") for n in range(1, 11)))
    told, calls = play(ask_each(asked, KNOWN), exchange(0, ClosedOrders={"closed": rows}))
    assert [call.name for call in calls] == ["OpenOrders", "ClosedOrders"]
    assert statuses(told) == {"g1": "open"} | {f"g{n}": "canceled" for n in range(2, 11)}


def test_what_no_page_names_is_looked_up_one_by_one_and_the_rest_another_time() -> None:
    asked = AskEach(tuple((f"n{n}", "") for n in range(9)))
    told, calls = play(ask_each(asked, KNOWN), exchange(0, ClosedOrders={"closed": {}}))
    named = [(call.name, dict(call.fields).get("cl_ord_id")) for call in calls[2:]]
    few = ["n0", "n1", "n2", "n3"]
    assert named == [(each, name) for name in few for each in ("OpenOrders", "ClosedOrders")]
    assert statuses(told) == dict.fromkeys(few, "")


def test_an_order_that_the_list_of_all_omits_is_found_by_its_name() -> None:
    """Two lists, the third within the question: none of them is the word about this order."""
    whole = exchange(0, ClosedOrders={"closed": {}})

    def omitting(call: Call) -> object:
        by_name = "cl_ord_id" in dict(call.fields)
        return {"open": {}} if call.name == "OpenOrders" and not by_name else whole(call)

    told, _ = play(ask_each(AskEach((("g1", ""), ("zz", ""))), KNOWN), omitting)
    assert statuses(told) == {"g1": "open", "zz": ""}


def test_without_a_line_the_engines_state_is_asked_for_too() -> None:
    script = exchange(0, SystemStatus={"status": "cancel_only"})
    told, calls = play(ask_orders(AskOrders(Ns(0), system=True), KNOWN), script)
    assert calls[-1].name == "SystemStatus"
    assert told.events[-2] == System("cancel_only")


def test_questions_are_asked_one_at_a_time_and_the_widest_once() -> None:
    questions = Questions(KNOWN)
    assert questions.put(AskOrders(Ns(5)))
    assert questions.put(AskOrders(Ns(3)))
    assert questions.put(AskEach((("g1", ""),)))
    assert questions.put(AskEach((("g1", ""),)))
    first = questions.next_call()
    assert first is not None
    assert first.name == "OpenOrders"
    assert questions.next_call() is None
    questions.give_up()
    assert questions.next_call() is not None
    questions.give_up()
    assert questions.next_call() is None


def test_questions_are_bounded() -> None:
    questions = Questions(KNOWN)
    taken = [questions.put(AskEach(((f"g{number}", ""),))) for number in range(150)]
    assert taken.count(True) == 100
