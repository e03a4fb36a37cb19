"""REST answers and every known header of the exports say the same."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from icryptotrader.cli import app
from strategy.ledger.events import Arrived, Origin
from strategy.ledger.history import History, read_history
from strategy.ledger.kraken_csv import CsvError
from strategy.ledger.kraken_rest import written

ROWS: list[dict[str, Any]] = [
    {"txid": "L1", "refid": "D1", "time": 1672653600, "type": "deposit", "subtype": "",
     "asset": "ZEUR", "amount": "10000.0000", "fee": "0.0000", "balance": "10000.0000"},
    {"txid": "L2", "refid": "TB1", "time": 1672920000.1234, "type": "trade", "subtype": "",
     "asset": "ZEUR", "amount": "-8000.0000", "fee": "12.8000", "balance": "1987.2000"},
    {"txid": "L3", "refid": "TB1", "time": 1672920000.1234, "type": "trade", "subtype": "",
     "asset": "XXBT", "amount": "0.5000000000", "fee": "0.0000000000", "balance": "0.5000000000"},
    {"txid": "L4", "refid": "S1", "time": 1673000000.5, "type": "staking", "subtype": "",
     "asset": "XBT.M", "amount": "0.0000100000", "fee": "0.0000000000", "balance": "0.0000100000"},
    {"txid": "L5", "refid": "D2", "time": 1673100000.25, "type": "deposit", "subtype": "",
     "asset": "XXBT", "amount": "0.1000000000", "fee": "0.0000000000", "balance": "0.6000000000"},
]  # fmt: skip
TRADE = {
    "ordertxid": "OB1", "pair": "XXBTZEUR", "time": 1672920000.1234, "type": "buy",
    "price": "16000.0", "cost": "8000.00000", "fee": "12.80000", "vol": "0.50000000",
    "margin": "0.00000", "trade_id": 77, "maker": True,
}  # fmt: skip


def moment(seconds: float) -> str:
    """As an export writes it: cut to the second."""
    days = {1672653600: "2023-01-02 10:00:00", 1672920000: "2023-01-05 12:00:00",
            1673000000: "2023-01-06 10:13:20", 1673100000: "2023-01-07 14:00:00"}  # fmt: skip
    return days[int(seconds)]


def ledgers_csv(columns: str) -> str:
    out = io.StringIO(newline="")
    names = columns.split(",")
    table = csv.DictWriter(out, names, quoting=csv.QUOTE_ALL)
    table.writeheader()
    other = {"aclass": "currency", "subclass": "crypto", "wallet": "spot / main", "amountusd": "1"}
    for row in ROWS:
        whole = {**other, **row, "time": moment(row["time"])}
        table.writerow({name: whole[name] for name in names})
    return out.getvalue()


def ledgers_rest(size: int = 2) -> str:
    newest_first = list(reversed(ROWS))
    answers = []
    for begin in range(0, len(ROWS) + 1, size):
        rows = {
            row["txid"]: {name: value for name, value in row.items() if name != "txid"}
            for row in newest_first[begin : begin + size]
        }
        answers.append(json.dumps({"error": [], "result": {"ledger": rows, "count": 5}}).encode())
    return written("Ledgers", 1_700_000_000, answers).decode()


def trades_rest() -> str:
    page = {"error": [], "result": {"trades": {"TB1": TRADE}, "count": 1}}
    return written("TradesHistory", 1_700_000_000, [json.dumps(page, indent=1).encode()]).decode()


HEADERS = (
    "txid,refid,time,type,subtype,aclass,asset,amount,fee,balance",
    "txid,refid,time,type,subtype,aclass,subclass,asset,wallet,amount,fee,balance",
    "txid,refid,time,type,subtype,aclass,subclass,asset,amountusd,wallet,amount,fee,balance",
    "balance,fee,amount,asset,aclass,subtype,type,time,refid,txid",
)


def facts(history: History) -> tuple[object, ...]:
    fills = [(f.exec_id, f.side, f.qty, f.cost, f.fees) for f in history.fills]
    events = [(e.id, e.qty) for e in history.events if isinstance(e, Arrived)]
    return fills, events, [(b.asset, b.told, b.summed) for b in history.balances]


@pytest.mark.parametrize("columns", HEADERS)
def test_every_header_of_the_export_and_rest_say_the_same(columns: str) -> None:
    table = read_history({"ledgers.csv": ledgers_csv(columns)})
    asked = read_history({"rest.jsonl": ledgers_rest()})
    assert facts(table) == facts(asked)
    assert [fill.fees for fill in asked.fills] == [(("EUR", Decimal("12.8000")),)]


TRADES_HEADERS = (
    "txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers",
    "txid,ordertxid,pair,aclass,subclass,time,type,ordertype,price,cost,fee,vol,margin,misc,"
    "ledgers,posttxid,posstatuscode,cprice,ccost,cfee,cvol,cmargin,net,costusd,trades",
    "txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers,trade_id,maker",
)


@pytest.mark.parametrize("columns", TRADES_HEADERS)
def test_every_header_of_the_trades_and_rest_say_the_same(columns: str) -> None:
    names = columns.split(",")
    values = {name: str(TRADE.get(name, "")) for name in names} | {
        "txid": "TB1",
        "time": moment(1672920000),
    }
    row = ",".join(values[name].replace("True", "true") for name in names)
    (table,) = read_history({"t.csv": f"{columns}\n{row}\n"}).fills
    (asked,) = read_history({"t.jsonl": trades_rest()}).fills
    assert (table.exec_id, table.qty, table.cost, table.fees) == (
        asked.exec_id, asked.qty, asked.cost, asked.fees,
    )  # fmt: skip
    assert (asked.trade_id, asked.maker, asked.order_id) == (77, True, "OB1")


def test_rewards_and_deposits_without_a_past_are_told_apart() -> None:
    arrived = [e for e in read_history({"r": ledgers_rest()}).events if isinstance(e, Arrived)]
    assert [(e.id, e.origin, e.cost_eur) for e in arrived] == [
        ("L4", Origin.REWARD, None),
        ("L5", Origin.DEPOSIT, None),
    ]


def test_the_exchanges_own_balance_is_held_against_the_rows() -> None:
    held = {"XXBT": {"balance": "0.7"}, "XBT.M": {"balance": "0.00001"}, "ZUSD": {"balance": "5"}}
    body = json.dumps({"error": [], "result": held}).encode()
    balances = {
        each.asset: (each.told, each.summed)
        for each in read_history(
            {"l": ledgers_rest(), "b": written("BalanceEx", 1_700_000_000, [body]).decode()}
        ).balances
    }
    assert balances["BTC"] == (Decimal("0.70001"), Decimal("0.60001"))
    assert balances["USD"] == (Decimal(5), Decimal(0))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"kraken":"AddOrder","until":1}\n', "are not understood"),
        ("{}\n", "line 1: not an answer"),
        ('{"kraken":"Ledgers","until":1}\n<html>', "line 2: not an answer"),
        ('{"kraken":"Ledgers","until":1}\n{"error":["EAPI:Invalid key"]}', "Invalid key"),
        (ledgers_rest().replace('"0.1000000000"', '"NaN"'), "is not an amount"),
        (ledgers_rest().replace("1673100000.25", "-1"), "is not a time"),
        (trades_rest().replace("XXBTZEUR", "?"), "is not understood"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(CsvError, match=why):
        read_history({"r.jsonl": text})


def test_an_export_and_an_answer_are_one_past_in_either_order(tmp_path: Path) -> None:
    """The export cuts times to the second: it is the same event all the same."""
    both = [("a.csv", ledgers_csv(HEADERS[0])), ("b.jsonl", ledgers_rest())]
    for order in (both, both[::-1]):
        home = tmp_path / f"home-{order[0][0]}"
        told = []
        for name, text in order:
            (tmp_path / name).write_text(text)
            words = ["ledger", "import", str(tmp_path / name), "--apply", "--home", str(home)]
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, result.output
            told.append(result.output)
        assert "written: 1 fills and 2 other events" in told[0]
        assert "written: 0 fills and 0 other events" in told[1]
