"""The ledger's copy as JSON."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from shared.units import Ns, Sats, Side
from strategy.ledger.lots import Lots
from strategy.ledger.trade import Trade
from strategy.mirror import write_mirror


def test_the_copy_holds_every_digit_and_is_the_owners(tmp_path: Path) -> None:
    from decimal import Decimal

    cost = Decimal("123.4500")
    trade = Trade(
        Ns(1), 7, "X-1", "BTC/EUR", Side.BUY, Sats(100), Sats(0), cost, Decimal("0.15")
    )  # fmt: skip
    path = tmp_path / "ledger.json"
    path.write_text("an older one")
    write_mirror(Lots.of("BTC", [trade]), path)
    told = json.loads(path.read_text())
    assert told["trades"][0]["cost"] == "123.4500"
    assert told["open_lots"][0]["left"] == 100
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.json"]
