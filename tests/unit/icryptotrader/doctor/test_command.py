"""The doctor: every finding has a remedy, one fault hides no other, nothing is changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from icryptotrader.doctor import account as doctor_account
from icryptotrader.doctor import command as doctor
from icryptotrader.doctor import house as doctor_house
from icryptotrader.doctor import machine as doctor_machine
from icryptotrader.doctor.findings import Finding, Outcome, Patient, examine, ok
from shared.config import Home, load_all
from shared.haltflag import raise_flag

STATUS = {
    "phase": "trading",
    "waits_for": [],
    "foreign_orders": 0,
    "switch_left_s": 47.0,
    "drift": "0.00000000",
    "balances": [["BTC", "0.1"], ["EUR", "14000"]],
    "maker_pct": 0.12,
    "pairs": [{"bid": "85000.0"}],
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def patient(home: Home, **said: object) -> Patient:
    return Patient(home, load_all(home), (), STATUS | said, True)


def test_a_fresh_home_has_no_failed_check(home: Home) -> None:
    found = doctor.diagnose(home)
    assert len(found) >= 25
    assert len({finding.name for finding in found}) == len(found)
    assert [f for f in found if f.outcome is Outcome.FAIL] == []


def test_whatever_is_not_in_order_has_a_remedy(home: Home) -> None:
    (home.path / "user.toml").write_text("[grid]\nlevles = 3\n")
    raise_flag(home.data, "drill")
    home.path.chmod(0o755)
    found = {finding.name: finding for finding in doctor.diagnose(home)}
    assert found["configuration"].outcome is Outcome.FAIL
    assert "user.toml:2" in found["configuration"].text
    assert found["halt flag"].outcome is Outcome.FAIL
    assert f"chmod 700 {home.path}" in found["home"].remedy
    for finding in found.values():
        assert bool(finding.remedy) == (finding.outcome in (Outcome.WARN, Outcome.FAIL))


def test_it_leaves_the_home_as_it_was(home: Home) -> None:
    before = sorted(home.path.rglob("*"))
    doctor.diagnose(home)
    assert sorted(home.path.rglob("*")) == before
    nowhere = Home(home.path / "nowhere")
    doctor.diagnose(nowhere)
    assert not nowhere.path.exists()


def test_a_check_that_breaks_is_a_finding(home: Home) -> None:
    def broken(patient: Patient) -> Finding:
        raise ValueError("boom")

    found = doctor._checked("odd", broken, examine(home))
    assert found.outcome is Outcome.FAIL
    assert "boom" in found.text


def test_the_exit_code_and_the_json_say_the_same(home: Home) -> None:
    lines: list[str] = []
    good = [msgspec.structs.replace(ok("fine"), name="a")]
    bad = [*good, Finding("b", Outcome.FAIL, "broken", "mend it")]
    assert doctor.show(good, json=True, tell=lines.append) == 0
    assert doctor.show(bad, json=True, tell=lines.append) == 1
    assert json.loads(lines[0])["ok"] is True
    assert json.loads(lines[1])["findings"][1] == {
        "name": "b",
        "outcome": "fail",
        "text": "broken",
        "remedy": "mend it",
    }
    assert doctor.show(bad, json=False, tell=lines.append) == 1
    assert "-> mend it" in "\n".join(lines)


@pytest.mark.parametrize(
    ("check", "said", "outcome"),
    [
        (doctor_account.foreign_orders, {}, Outcome.OK),
        (doctor_account.foreign_orders, {"foreign_orders": 2}, Outcome.WARN),
        (doctor_account.switch, {}, Outcome.OK),
        (doctor_account.switch, {"switch_left_s": 0}, Outcome.WARN),
        (doctor_account.drift, {}, Outcome.OK),
        (doctor_account.drift, {"drift": "-0.00100000"}, Outcome.FAIL),
        (doctor_account.earn, {}, Outcome.OK),
        (doctor_account.earn, {"balances": [["XBT.F", "0.1"]]}, Outcome.FAIL),
        (doctor_account.capital, {}, Outcome.OK),
        (doctor_account.capital, {"balances": [["EUR", "10"]]}, Outcome.WARN),
        (doctor_account.capital, {"balances": []}, Outcome.WARN),
        (doctor_account.spacing, {}, Outcome.OK),
        (doctor_account.spacing, {"maker_pct": 0.4}, Outcome.WARN),
        (doctor_account.order_size, {}, Outcome.OK),
        (doctor_account.order_size, {"pairs": [{"bid": "6000000.0"}]}, Outcome.WARN),
        (doctor_account.order_size, {"pairs": [{"bid": "85000000.0"}]}, Outcome.FAIL),
        (doctor_account.order_size, {"pairs": [{"bid": ""}]}, Outcome.SKIP),
        (doctor_account.feasible, {"balances": [["BTC", "1"], ["EUR", "14000"]]}, Outcome.OK),
        (doctor_account.feasible, {"balances": [["BTC", "1"], ["EUR", "14"]]}, Outcome.WARN),
        (doctor_account.feasible, {"free_base": "0.00000000"}, Outcome.WARN),
        (doctor_account.feasible, {"pairs": []}, Outcome.SKIP),
        (doctor_house.answers, {}, Outcome.OK),
        (doctor_house.answers, {"phase": "halted"}, Outcome.FAIL),
        (doctor_house.answers, {"waits_for": ["a book"]}, Outcome.WARN),
    ],
)
def test_what_the_strategy_says_is_judged(
    home: Home, check: object, said: dict[str, object], outcome: Outcome
) -> None:
    assert callable(check)
    assert check(patient(home, **said)).outcome is outcome


def test_without_the_strategy_nothing_of_it_counts_as_passed(home: Home) -> None:
    down = Patient(home, load_all(home), (), None, False)
    for name, check in doctor_account.ACCOUNT_CHECKS:
        found = check(down)
        assert found.outcome in (Outcome.SKIP, Outcome.OK), name
        if name in ("orders of others", "dead man's switch", "coins", "capital", "fees", "grid"):
            assert found.outcome is Outcome.SKIP


def test_secrets_that_others_may_read_are_named(home: Home) -> None:
    path = home.data / "dashboard_token"
    path.write_text("x" * 40)
    path.chmod(0o644)
    found = doctor_machine.secret_files(patient(home))
    assert found.outcome is Outcome.FAIL
    assert found.remedy == f"run: chmod 600 {path}"


def test_a_damaged_ledger_is_found(home: Home) -> None:
    (home.data / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    found = doctor_house.ledger(patient(home))
    assert found.outcome is Outcome.FAIL
    assert "restore" in found.remedy


def test_traces_and_large_logs_are_told(home: Home) -> None:
    (home.log / "strategy.stacks").write_text("Thread 0x1")
    os.truncate(home.log / "strategy.stacks", 2_000_000_000)
    assert doctor_house.stacks(patient(home)).outcome is Outcome.WARN
    assert doctor_house.log_size(patient(home)).outcome is Outcome.WARN
