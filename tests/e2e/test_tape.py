"""A recorded hour of Kraken trades through the real processes, twenty times as fast."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from shared.units import SECOND
from tests.e2e import truth
from tests.e2e.harness import House

TAPE: Final = (
    Path(__file__).resolve().parents[2].parent
    / "shared/data/market/kraken_btcusd_trades_2019-07-01T00.csv.gz"
)
MINUTES: Final = 9
FILLS: Final = 3

pytestmark = [
    pytest.mark.house,
    pytest.mark.skipif(not TAPE.exists(), reason=f"the recording {TAPE.name} is absent"),
]


def test_some_minutes_of_a_real_tape_fill_the_grid(tmp_path: Path) -> None:
    args = ("--market", str(TAPE), "--pair", "BTC/USD", "--speed", "20")
    # A test asks nobody outside of this machine.
    with House(tmp_path, '[tax]\nrates_fetch = "off"\n', args) as house:
        house.wait("trading", lambda: house.status().get("phase") == "trading")
        begin = house.status()["changed_at"]
        breakers: set[str] = set()

        def enough() -> bool:
            status = house.status()
            breakers.update(pair["breaker"] for pair in status.get("pairs", ()))
            passed = status.get("changed_at", begin) - begin
            return passed >= MINUTES * 60 * SECOND and own_fills(house) >= FILLS

        house.wait(f"{MINUTES} minutes of tape and {FILLS} fills", enough, 120)
        assert breakers == {""}
        assert house.stop() == 0, house.tail()

        trades = truth.as_kept(house)
        assert truth.ledger_faults(house, trades) == []
        assert all(maker for *_, maker in trades.values())
        assert truth.resting(house) == []


def own_fills(house: House) -> int:
    return len(truth.as_booked(house)) - house.opening_lots()
