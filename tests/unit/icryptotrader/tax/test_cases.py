"""The golden cases run through the engine, and a wrong expectation is noticed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from icryptotrader.tax.cases import check_cases

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
GOLDEN = DATA / "tax" / "cases.json"
OWN = Path(__file__).with_name("cases.json")


def run(cases: dict[str, Any], folder: Path, rates: Path | None = None) -> tuple[int, list[str]]:
    said: list[str] = []
    file = folder / "cases.json"
    file.write_text(json.dumps(cases))
    return check_cases(file, rates, said.append), said


def event(name: str, kind: str, when: str, gross: str, **more: object) -> dict[str, object]:
    return {
        "id": name, "type": kind, "ts": when, "account": "kraken-spot", "qty": "0.1",
        "quote_ccy": "EUR", "quote_gross": gross, "fee": "0", "fee_ccy": "EUR", **more,
    }  # fmt: skip


def ledger(*events: dict[str, object], expected: dict[str, Any], **more: object) -> dict[str, Any]:
    case = {"id": "X", "kind": "ledger", "events": list(events), "expected": expected, **more}
    return {"cases": [case]}


BUY = event("b", "buy", "2024-01-01T12:00:00Z", "4000.00")
YEAR = {"id": "X", "kind": "year_math", "input": {"net": {"2024": "1"}}}
SELL = event("s", "sell", "2024-02-01T12:00:00Z", "4800.00")


@pytest.mark.parametrize("with_history", [False, True])
def test_every_golden_case_passes(with_history: bool) -> None:
    if not GOLDEN.exists():
        pytest.skip("the golden cases are not here")
    rates = next((DATA / "ecb").glob("*.zip")) if with_history else None
    said: list[str] = []
    assert check_cases(GOLDEN, rates, said.append) == 0, [s for s in said if "pass" not in s]
    assert said[-1] == "63 passed, 0 failed"


def test_our_own_cases_pass_through_the_command() -> None:
    command = [sys.executable, "-m", "icryptotrader", "tax", "check-cases", str(OWN)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if line[:4] != "pass"]
    assert done.stdout.splitlines()[-1] == "139 passed, 0 failed"


def altered(value: Any) -> Iterator[Any]:
    """The value with one leaf changed, for each leaf: a cent more, or another truth or name."""
    match value:
        case dict():
            for key, inside in value.items():
                yield from (value | {key: other} for other in altered(inside))
        case list():
            for place, inside in enumerate(value):
                yield from (
                    [*value[:place], other, *value[place + 1 :]] for other in altered(inside)
                )
        case bool():
            yield not value
        case str() if re.fullmatch(r"-?\d+\.\d+", value):
            yield str(Decimal(value) + Decimal("0.01"))
        case str():
            yield f"{value}x"


def test_every_altered_expectation_of_a_golden_case_is_noticed(tmp_path: Path) -> None:
    if not GOLDEN.exists():
        pytest.skip("the golden cases are not here")
    whole = json.loads(GOLDEN.read_text())
    cases = [
        case | {"expected": wrong} for case in whole["cases"] for wrong in altered(case["expected"])
    ]
    code, said = run({"cases": cases, "ecb_usd_per_eur": whole["ecb_usd_per_eur"]}, tmp_path)
    assert code == 1
    assert said[-1] == f"0 passed, {len(cases)} failed"


def test_other_results_of_the_person_push_a_year_over_the_limit(tmp_path: Path) -> None:
    years = {"2024": {"gesamtgewinn_eur": "1100.00", "freigrenze_exempt": False}}
    row = {
        "sell": "s", "lot": "b", "qty": "0.1", "acquired": "2024-01-01", "disposed": "2024-02-01",
        "proceeds_eur": "4800.00", "cost_eur": "4000.00", "werbungskosten_eur": "0.00",
        "gain_eur": "800.00", "taxable": True,
    }  # fmt: skip
    expected = {"disposals": [row], "years": years, "open_lots": []}
    for told in ({"2024": "300.00"}, "300.00"):
        cases = ledger(BUY, SELL, expected=expected, external_s23_net_eur=told)
        assert run(cases, tmp_path)[0] == 0


def test_more_sold_than_bought_is_an_unknown_lot_at_cost_nothing(tmp_path: Path) -> None:
    row = {
        "sell": "s", "lot": None, "qty": "0.1", "acquired": None, "disposed": "2024-02-01",
        "proceeds_eur": "4800.00", "cost_eur": "0.00", "werbungskosten_eur": "0.00",
        "gain_eur": "4800.00", "taxable": True,
    }  # fmt: skip
    assert run(ledger(SELL, expected={"disposals": [row]}), tmp_path)[0] == 0
    assert run(ledger(SELL, expected={"error": "no lots"}), tmp_path)[0] == 0
    assert run(ledger(BUY, SELL, expected={"error": "no lots"}), tmp_path)[0] == 1


def test_dollars_spent_on_coins_are_a_disposal_of_dollars(tmp_path: Path) -> None:
    sale = event(
        "s1", "sell", "2025-01-13T12:00:00Z", "9400.00", quote_ccy="USD", fee="24.44", fee_ccy="USD"
    )
    buy = event("b2", "buy", "2025-06-30T12:00:00Z", "9375.56", quote_ccy="USD", fee_ccy="USD")
    first = event("b1", "buy", "2024-11-15T12:00:00Z", "8100.00")
    dollars = {
        "sell": "b2", "lot": "USD:s1", "qty": "9375.56", "acquired": "2025-01-13",
        "disposed": "2025-06-30", "proceeds_eur": "7999.62", "cost_eur": "9193.52",
        "werbungskosten_eur": "0.00", "gain_eur": "-1193.90", "taxable": True,
    }  # fmt: skip
    coins = {
        "sell": "s1", "lot": "b1", "qty": "0.1", "acquired": "2024-11-15",
        "disposed": "2025-01-13", "proceeds_eur": "9217.49", "cost_eur": "8100.00",
        "werbungskosten_eur": "23.97", "gain_eur": "1093.52", "taxable": True,
    }  # fmt: skip
    expected = {"disposals": [coins, dollars], "years": {"2025": {"gesamtgewinn_eur": "-100.38"}}}
    cases = ledger(first, sale, buy, expected=expected, track_fx=True)
    cases["ecb_usd_per_eur"] = {"2025-01-13": "1.0198", "2025-06-30": "1.172"}
    code, said = run(cases, tmp_path)
    assert code == 0, said


@pytest.mark.parametrize(
    "case",
    [
        {"id": "X", "kind": "horoscope"},
        {"id": "X", "kind": "ledger"},
        ledger(event("b", "gift", "2024-01-01T12:00:00Z", "1"), expected={})["cases"][0],
        ledger(event("b", "buy", "2024-01-01T12:00:00", "1"), expected={})["cases"][0],
        ledger(event("b", "buy", "2024-01-01T12:00:00Z", "x"), expected={})["cases"][0],
        ledger(event("b", "buy", "2024-01-01T12:00:00Z", "1", quote_ccy="SEK"), expected={})[
            "cases"
        ][0],
        ledger(BUY, SELL, expected={"sum": "800"})["cases"][0],
        ledger(BUY, BUY, expected={"disposals": []})["cases"][0],
        {**YEAR, "expected": {"years": {"2024": {"colour": "1"}}}},
        {**YEAR, "expected": {"years": {"2020": {"gesamtgewinn_eur": "1"}}}},
        {**YEAR, "input": {"net": {"2024": "1e400"}}, "expected": {"years": {}}},
        5,
        None,
    ],
)
def test_what_is_not_understood_is_a_difference(case: dict[str, Any], tmp_path: Path) -> None:
    code, said = run({"cases": [case]}, tmp_path)
    assert (code, len(said)) == (1, 3), said


def test_a_file_of_no_use_is_said_so(tmp_path: Path) -> None:
    said: list[str] = []
    assert check_cases(tmp_path / "absent.json", None, said.append) == 2
    (tmp_path / "list.json").write_text("[]")
    assert check_cases(tmp_path / "list.json", None, said.append) == 2
    assert run({"schema": "other/9"}, tmp_path)[0] == 2
    assert run({}, tmp_path)[0] == 1


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ({"cases": {}}, "'cases' should be a list"),
        ({"ecb_usd_per_eur": []}, "'ecb_usd_per_eur' should be an object"),
        ({"ecb_usd_per_eur": {"2024-02-30": "1.1"}}, "should be a day, not '2024-02-30'"),
        ({"ecb_usd_per_eur": {"2024-02-29": 0}}, "should be above 0"),
        ({"anlage_so_lines": 5}, "'anlage_so_lines' should be an object, not 5"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_its_place(
    cases: dict[str, Any], said: str, tmp_path: Path
) -> None:
    code, lines = run(cases, tmp_path)
    assert (code, len(lines)) == (2, 1)
    assert said in lines[0]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("qty", None, "event b: lacks 'qty'"),
        ("qty", "-1", "event b: 'qty' should be above 0, not -1"),
        ("qty", True, "event b: 'qty' should be a number, not True"),
        ("fee", "1e-99", "event b: 'fee' should be a number, not '1e-99'"),
        ("ts", "2024-01-01T12:00:00", "lacks its offset from UTC (Z)"),
        ("ts", "9999-12-31T23:59:59Z", "is no time of a trade"),
        ("account", None, "event b: lacks 'account'"),
        ("type", "swap", "event b: type 'swap' is not understood"),
        ("type", "gift", "event b: lacks 'acquired_ts'"),
    ],
)
def test_a_faulty_event_is_named_with_its_key(
    key: str, value: object, said: str, tmp_path: Path
) -> None:
    code, lines = run(ledger(BUY | {key: value}, expected={"disposals": []}), tmp_path)
    assert (code, lines[0]) == (1, "FAIL  X")
    assert said in lines[1]


def test_rates_that_are_none_are_told_of_their_own_file(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("a,b\n")
    code, said = run({}, tmp_path, tmp_path / "rates.csv")
    assert (code, len(said)) == (2, 1)
    assert said[0].startswith(f"{tmp_path / 'rates.csv'}: cannot be read")


def test_a_wrong_value_of_a_rate_is_noticed_without_a_file_of_rates(tmp_path: Path) -> None:
    row = {"trade_day": "2024-03-02", "rate_day": "2024-03-01", "usd_per_eur": "1.0813"}
    assert run({"ecb_lookup_table": [row]}, tmp_path)[0] == 0
    assert run({"ecb_lookup_table": [row | {"usd_per_eur": "1.0814"}]}, tmp_path)[0] == 1


def test_a_gift_keeps_the_date_and_the_cost_of_its_giver(tmp_path: Path) -> None:
    gift: dict[str, object] = {
        "id": "g", "type": "gift", "ts": "2023-12-24T12:00:00Z", "account": "kraken-spot",
        "qty": "0.1", "acquired_ts": "2022-12-31T12:00:00Z", "cost_eur": "1500.00",
    }  # fmt: skip
    row = {
        "sell": "s", "lot": "g", "qty": "0.1", "acquired": "2022-12-31", "disposed": "2024-02-01",
        "proceeds_eur": "4800.00", "cost_eur": "1500.00", "werbungskosten_eur": "0.00",
        "gain_eur": "3300.00", "taxable": False,
    }  # fmt: skip
    assert run(ledger(gift, SELL, expected={"disposals": [row]}), tmp_path)[0] == 0


def test_a_moment_stands_for_its_german_day(tmp_path: Path) -> None:
    lot = {"lot": "b", "qty": "0.1", "acquired": "2024-06-30T22:30:00Z"}
    for moment, free in (("2025-07-01T21:59:00Z", "0"), ("2025-07-01T22:00:00Z", "0.1")):
        case = {
            "id": "M",
            "kind": "max_tax_free",
            "input": {"lots": [lot], "as_of": moment},
            "expected": {
                "max_tax_free_qty": free,
                "next_unlock": None if free != "0" else {"date": "2025-07-02", "qty": "0.1"},
            },
        }
        code, said = run({"cases": [case]}, tmp_path)
        assert code == 0, said
