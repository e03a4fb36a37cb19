"""The exposition text, read back by Prometheus's own parser."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from monitor.advisor.pace import Usage
from monitor.advisor.seen import AdvisorSeen
from monitor.around import Around, Fidelity, ProcessSeen
from monitor.metrics import Metrics, families
from monitor.view import Pace, RatesSeen, View, hear
from shared.frames import AnyFrame
from shared.units import SECOND, Ns
from tests.unit.monitor.frames import NOW, TAX, WALL, beat, book, instrument, status

Samples = dict[str, float]


AROUND = Around(
    tax=TAX,
    processes=(ProcessSeen("feed", 7, 64.0, 5), ProcessSeen("monitor", 8, 32.0, 9)),
    fidelity=Fidelity(0.97, 100_000_000, 2_000_000, 1_000_000, Ns(90 * SECOND)),
)
TICKING = View(pace=Pace(known=True, per_s=4.5))


ADVISOR = AdvisorSeen(
    "gemini", "a-model", "paused", "the breaker is open", faults=(("timeout", 3),),
    usage=Usage(Ns(0), 5, 2, 1_000, 90, Decimal("0.25"), "2026-11-21", Decimal("0.05")),
)  # fmt: skip


def scrape(*frames: AnyFrame, later_s: int = 0) -> Samples:
    view = TICKING
    for frame in frames:
        view = hear(view, frame, NOW, WALL)
    text = Metrics("bot", lambda: (view, AROUND, Ns(NOW + later_s * SECOND), WALL)).text().decode()
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(sample.labels.values())
            name = sample.name.removeprefix("bot_") + (f"{{{labels}}}" if labels else "")
            assert sample.name.startswith("bot_")
            assert name not in samples
            samples[name] = sample.value
    return samples


def test_a_whole_house_is_measured() -> None:
    samples = scrape(instrument(), book(), beat(), status())
    expected = {
        "process_up{feed}": 1.0,
        "process_up{strategy}": 1.0,
        "process_up{monitor}": 1.0,
        "frame_age_seconds{strategy}": 0.0,
        "feed_checksums_total": 510.0,
        "feed_checksum_faults_total": 3.0,
        "feed_resubscribes_total": 2.0,
        "feed_lag_seconds": 0.005,
        "book_valid{BTC/EUR}": 1.0,
        "best_bid{BTC/EUR}": 84_999.0,
        "best_ask{BTC/EUR}": 85_001.0,
        "phase{trading}": 1.0,
        "pause{ACTIVE_TRADING}": 1.0,
        "fills_total": 1.0,
        "orders_open": 3.0,
        "actions_total{rejects}": 1.0,
        "equity": 24_753.21,
        "drawdown_ratio": 0.0123,
        "switch_left_seconds": 47.5,
        "tick_duration_seconds": 0.00018,
        "ledger_drift": 0.0,
        "balance{EUR}": 11_500.0,
        "feed_age_seconds": 0.2,
        "alerts_open{error}": 0.0,
        "volatility_ratio{BTC/EUR}": 2.5,
        "process_memory_bytes{feed}": 64.0 * 2**20,
        "process_sockets{monitor}": 9.0,
        "ticks_per_second": 4.5,
        "telegram_trouble": 0.0,
        "gain_year_after_tax": 812.34,
        "freigrenze_room_eur": 879.9,
        "coins_taxable_at_risk": 0.02,
        "lots_open": 5000.0,
        "freigrenze_room_after_resting_eur": 333.0,
    }
    assert {name: samples.get(name) for name in expected} == expected


def test_what_is_silent_is_down_and_its_values_are_absent() -> None:
    samples = scrape(instrument(), book(), beat(), status(), later_s=10)
    assert samples["process_up{feed}"] == samples["process_up{strategy}"] == 0.0
    assert samples["frame_age_seconds{strategy}"] == 10.0
    absent = ("equity", "switch_left_seconds", "best_bid{BTC/EUR}", "fills_total", "phase{trading}")
    assert not [name for name in absent if name in samples]


def test_before_anything_is_heard_only_the_monitor_is_up() -> None:
    samples = scrape()
    assert samples["process_up{feed}"] == 0.0
    assert "frame_age_seconds{feed}" not in samples


def test_the_advisor_is_measured_whatever_the_strategy_does() -> None:
    view = View(advisor=ADVISOR)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(view, AROUND, NOW, "bot")
        for sample in family.samples
    }
    assert samples["bot_advisor_state", "paused"] == 1.0
    assert samples["bot_advisor_questions_total",] == 5.0
    assert samples["bot_advisor_opinions_total",] == 2.0
    assert samples["bot_advisor_faults_total", "timeout"] == 3.0
    assert samples["bot_advisor_tokens_total", "in"] == 1_000.0
    assert samples["bot_advisor_tokens_total", "out"] == 90.0
    assert samples["bot_advisor_cost_usd_total",] == 0.25
    assert samples["bot_advisor_cost_today_usd",] == 0.05
    assert not [name for name in scrape() if name.startswith("advisor")]


def test_how_far_a_backtest_may_be_believed_is_measured_where_it_was_found_out() -> None:
    samples = scrape()
    assert samples["sim_fidelity"] == 0.97
    assert samples["sim_fidelity_timestamp_seconds"] == 90.0
    unmeasured = families(View(), replace(AROUND, fidelity=None), NOW, "bot")
    assert not [family for family in unmeasured if "fidelity" in family.name]


def test_text_that_is_no_number_is_left_out() -> None:
    samples = scrape(status(equity="", balances=(("EUR", "1.0"), ("XXX", "?"))))
    assert "equity" not in samples
    assert "balance{XXX}" not in samples
    assert samples["balance{EUR}"] == 1.0


def test_an_invalid_book_has_no_price() -> None:
    samples = scrape(instrument(), beat(), book(valid=False, bids=(), asks=(), why="checksum"))
    assert samples["book_valid{BTC/EUR}"] == 0.0
    assert "best_bid{BTC/EUR}" not in samples


ROOT = Path(__file__).resolve().parents[3]


def catalogue() -> dict[str, tuple[str, str, str]]:
    """Name -> kind, labels, text of everything that is exported while all is well."""
    view = View(pace=TICKING.pace, rates=RatesSeen("2026-11-20", "2026-11-20", 0, WALL))
    for frame in (instrument(), book(), beat(), status(alerts=(("error", "x"),))):
        view = hear(view, frame, NOW, WALL)
    view = replace(view, advisor=ADVISOR)
    found = {}
    for family in families(view, AROUND, NOW, "icryptotrader"):
        labels = sorted({label for sample in family.samples for label in sample.labels})
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = (family.type, ", ".join(labels), family.documentation)
    return found


def test_the_catalogue_is_closed_and_documented() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = {
        name: (kind, labels, text)
        for name, kind, labels, text in re.findall(
            r"^\| `(\w+)` \| (\w+) \| ([\w, ]*) \| (.*) \|$", page, re.MULTILINE
        )
    }
    assert told == catalogue()


@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
def test_alerts_and_graphs_ask_for_metrics_that_exist(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    asked = set(re.findall(r"\bicryptotrader_\w+", text))
    assert asked
    assert asked <= set(catalogue())


def test_every_alert_has_its_entry_in_the_runbook() -> None:
    rules = (ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    names = re.findall(r"- alert: (\w+)", rules)
    assert len(names) >= 10
    for name in names:
        assert f"| `{name}` |" in page, name


def test_the_graphs_are_json() -> None:
    found = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))
    assert len(found["panels"]) >= 8
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])
