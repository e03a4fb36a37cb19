"""A model's advice through the real processes: asked by the monitor, heard by the strategy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.config import load
from tests.e2e.harness import House
from tests.unit.monitor.advisor.fakes import KEY, Api, good

pytestmark = pytest.mark.house

SETTINGS = """
[ai_signal]
enabled = true
provider = "anthropic"
model = "claude-sonnet-4-6"
api_url = "{url}"
cooldown_sec = 600
"""


def dashboard(house: House) -> dict[str, Any]:
    port = load(house.home).web.port
    token = (house.home.data / "dashboard_token").read_text().strip()
    head = {"Authorization": f"Bearer {token}"}
    told: dict[str, Any] = httpx.get(f"http://127.0.0.1:{port}/api/status", headers=head).json()
    return told


def places_of_the_key(house: House) -> list[str]:
    """Every file, argument list and environment of the house that holds it."""
    found = []
    for folder, _, names in os.walk(house.home.path):
        for path in (Path(folder, name) for name in names):
            if path.is_file() and KEY.encode() in path.read_bytes():
                found.append(path.name)
    for pid in house.processes():
        for what in ("cmdline", "environ"):
            try:
                if KEY.encode() in Path(f"/proc/{pid}/{what}").read_bytes():
                    found.append(f"{pid}/{what}")
            except OSError:
                continue  # It has ended.
    return found


def test_advice_goes_from_the_model_to_the_status_and_can_be_switched_off(tmp_path: Path) -> None:
    api = Api(lambda: good("anthropic"))
    made = House(tmp_path, SETTINGS.format(url=api.url))
    made.home.make()
    secret = made.home.path / "user.toml"
    secret.touch(mode=0o600)
    secret.write_text(f'[ai_signal]\napi_key = "{KEY}"\n')
    with api, made as house:

        def heard() -> dict[str, Any]:
            told = house.status()
            return told if told.get("advice", {}).get("verdict") else {}

        told = house.wait("advice to stand", heard, 120)
        advice = told["advice"]
        assert (advice["verdict"], advice["confidence"]) == ("BUY", 0.6)
        assert advice["source"] == "anthropic/claude-sonnet-4-6"
        assert advice["regime_hint"] == "trending_up"
        assert advice["bias_bps"] == pytest.approx(12.5 * 0.6 * 0.3)
        assert 0 < told["pairs"][0]["advice_bps"] <= advice["bias_bps"]
        figures = house.ctl("explain", "b1")[1]["figures"]
        assert figures["advice"] == "BUY"

        def shown() -> dict[str, Any]:
            seen: dict[str, Any] = dashboard(house)["advisor"]
            return seen if seen["usage"]["opinions"] else {}

        seen = house.wait("the dashboard to show it", shown)
        assert (seen["usage"]["questions"], seen["usage"]["tokens_in"]) == (1, 400)
        metrics = httpx.get(f"http://127.0.0.1:{load(house.home).metrics.port}/metrics").text
        assert "icryptotrader_advisor_opinions_total 1.0" in metrics

        assert house.ctl("advice", "off", "the test says so")[0] == 0
        assert house.status()["advice"]["off"] == "the test says so"
        assert house.status()["pairs"][0]["advice_bps"] == 0.0
        house.wait(
            "the advisor to notice",
            lambda: "advice off" in dashboard(house)["advisor"]["why"],
        )
        assert places_of_the_key(house) == ["user.toml"]
        assert house.stop() == 0, house.tail()
        assert places_of_the_key(house) == ["user.toml"]
        assert len(api.asked) == 1
        assert KEY not in api.asked[0].path
        assert KEY not in house.console.read_text()
