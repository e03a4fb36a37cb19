"""The year's arithmetic and the report's result against a second reckoning, step by step.

Written from the law's order of steps alone (§ 23 (3) s. 5, 7, 8, § 10d EStG), with Decimal and
plain lists: sum, test the Freigrenze, deduct what was carried in, carry a loss back and forward.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.units import Ns
from strategy.ledger.book import keep
from strategy.ledger.events import TaxEvent, in_order
from strategy.ledger.report import Made, Settings, build
from strategy.ledger.year import settle
from tests.property.test_tax_book import (
    RATES,
    german,
    ledgers,
    naive,
    splits_no_lot_twice,
)

YEARS = range(2021, 2028)
CENTS = st.integers(-300_000, 400_000).map(lambda cents: Decimal(cents).scaleb(-2))
NEAR = st.sampled_from(
    [Decimal(text) for text in ("599.99", "600", "600.01", "999.99", "1000", "1000.01", "0", "-1")]
)
NETS = st.dictionaries(st.sampled_from(list(YEARS)), st.one_of(CENTS, NEAR), min_size=1)
STATED = st.dictionaries(
    st.sampled_from(list(YEARS)), st.integers(0, 3000).map(Decimal), max_size=2
)


def second(
    nets: dict[int, Decimal], stated: dict[int, Decimal], waived: list[int]
) -> dict[int, dict[str, Any]]:
    """Every year from the first that is known to the last, one after the other."""
    told = sorted([*nets, *stated])
    found: dict[int, dict[str, Any]] = {}
    carried = Decimal(0)
    for year in range(told[0], told[-1] + 1):
        if year in stated:
            carried = stated[year]
        net = nets.get(year, Decimal(0))
        limit = Decimal(600) if year < 2024 else Decimal(1000)
        # Exempt is what is below the limit; at the limit all of it is taxed.
        income = net if net >= limit else Decimal(0)
        used = carried if carried < income else income
        found[year] = {"before": income, "used": used, "taxed": income - used}
        carried -= used
        if net < 0:
            loss = -net
            before = found.get(year - 1)
            if before is not None and year not in waived:
                back = min(loss, before["taxed"])
                before["taxed"] -= back
                loss -= back
            carried += loss
        found[year]["left"] = carried
    return found


@given(NETS, STATED, st.lists(st.sampled_from(list(YEARS)), max_size=3))
@settings(max_examples=300)
def test_the_years_are_those_of_the_second_reckoning(
    nets: dict[int, Decimal], stated: dict[int, Decimal], waived: list[int]
) -> None:
    ours = settle(nets, stated, frozenset(waived))
    theirs = second(nets, stated, waived)
    assert list(ours) == list(theirs)
    for year, result in ours.items():
        told = theirs[year]
        assert (result.before_loss, result.forward_used, result.taxable, result.forward_out) == (
            told["before"], told["used"], told["taxed"], told["left"],
        )  # fmt: skip


@given(
    ledgers().filter(splits_no_lot_twice),
    st.dictionaries(st.sampled_from([2023, 2024, 2025]), CENTS, max_size=3),
    st.sampled_from([2023, 2024]),
)
@settings(max_examples=100)
def test_the_report_taxes_what_the_second_reckoning_taxes(
    events: list[TaxEvent], external: dict[int, Decimal], year: int
) -> None:
    walls = {event.id: event.wall for event in events}
    nets: dict[int, Decimal] = dict.fromkeys(external, Decimal(0))
    for label, _, _, proceeds, cost, costs, young in naive(events):
        sold_in = german(walls[label.partition("#")[0]]).year
        gain = Decimal(proceeds - cost - costs).scaleb(-2) if young else Decimal(0)
        nets[sold_in] = nets.get(sold_in, Decimal(0)) + gain
    for told_in, eur in external.items():
        nets[told_in] += eur
    said = Settings(external, {}, (), "off", Decimal("0.42"), 4, False)
    made = Made(Ns(1_800_000_000 * 10**9), "test", "", "", "", (), ())
    report = build(year, keep(events, RATES, track_currencies=False), in_order(events), said, made)
    theirs = second(nets, {}, []).get(year) if nets else None
    assert report.result.net == nets.get(year, Decimal(0))
    assert report.result.taxable == (theirs["taxed"] if theirs else Decimal(0))
    rows = [row for row in report.schedule if row["taxable"] == "yes"]
    gains = sum((Decimal(row["gain_eur"]) for row in rows), Decimal(0))
    assert gains == report.coins.net == report.coins.gains - report.coins.losses
