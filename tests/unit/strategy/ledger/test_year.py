"""The year's arithmetic: the cliff a cent either side, losses carried both ways, spouses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from strategy.ledger.year import (
    YearResult,
    is_new_stock,
    joint,
    reform_warning,
    rules_of,
    settle,
)


def years(*nets: tuple[int, str], waived: frozenset[int] = frozenset()) -> dict[int, YearResult]:
    return settle({year: Decimal(net) for year, net in nets}, waived=waived)


@pytest.mark.parametrize(
    ("year", "net", "taxable"),
    [
        (2023, "599.99", "0"),
        (2023, "600.00", "600.00"),
        (2024, "999.99", "0"),
        (2024, "1000.00", "1000.00"),
        (2024, "1000.01", "1000.01"),
        (2024, "-0.01", "0"),
    ],
)
def test_the_limit_is_a_cliff(year: int, net: str, taxable: str) -> None:
    result = years((year, net))[year]
    assert result.taxable == Decimal(taxable)
    assert result.exempt is (result.net > 0 and result.taxable == 0)


def test_an_exempt_year_uses_up_no_carried_loss() -> None:
    found = years((2024, "-2000"), (2025, "900"))
    assert (found[2025].taxable, found[2025].forward_out) == (0, 2000)


def test_the_limit_is_not_tested_again_after_a_carried_loss() -> None:
    assert years((2024, "-300"), (2025, "1100"))[2025].taxable == 800


def test_a_loss_goes_back_one_year_and_the_rest_forward() -> None:
    found = years((2024, "1500"), (2025, "-4000"))
    assert (found[2024].taxable, found[2024].back_in) == (0, 1500)
    assert (found[2025].back_out, found[2025].forward_out) == (1500, 2500)


def test_a_loss_is_not_carried_into_an_exempt_year() -> None:
    found = years((2024, "800"), (2025, "-1000"))
    assert (found[2024].back_in, found[2025].forward_out) == (0, 1000)


def test_a_loss_does_not_jump_over_a_year() -> None:
    found = years((2023, "3000"), (2025, "-2000"))
    assert (found[2023].taxable, found[2025].forward_out) == (3000, 2000)


def test_the_carry_back_is_waived_as_a_whole() -> None:
    found = years((2024, "2500"), (2025, "-1600"), waived=frozenset({2025}))
    assert (found[2024].taxable, found[2025].forward_out) == (2500, 1600)


def test_a_carried_loss_and_one_carried_back_meet_in_one_year() -> None:
    found = years((2023, "-400"), (2024, "1500"), (2025, "-2000"))
    assert (found[2024].forward_used, found[2024].back_in, found[2024].taxable) == (400, 1100, 0)
    assert found[2025].forward_out == 900


def test_what_the_tax_office_has_stated_stands_in_place_of_what_was_computed() -> None:
    found = settle({2025: Decimal(2500)}, {2025: Decimal(700)})
    assert found[2025].taxable == 1800


def test_above_a_million_only_a_share_of_the_rest_is_deducted() -> None:
    found = settle({2024: Decimal(3_000_000)}, {2024: Decimal(5_000_000)})
    assert (found[2024].taxable, found[2024].forward_out) == (600_000, 2_600_000)


def test_the_dated_rules() -> None:
    assert [rules_of(year).freigrenze for year in (2019, 2023, 2024, 2030)] == [
        600,
        600,
        1000,
        1000,
    ]
    assert [rules_of(year).back_most for year in (2019, 2021, 2024)] == [10**6, 10**7, 10**6]
    assert [str(rules_of(year).forward_share) for year in (2023, 2027, 2028)] == [
        "0.60",
        "0.70",
        "0.60",
    ]


def test_nothing_known_is_nothing_to_settle() -> None:
    assert settle({}) == {}


def test_spouses_have_a_limit_each_and_may_offset_a_loss() -> None:
    nets = {"A": Decimal(-500), "B": Decimal(1400)}
    assert joint(nets, 2025, offset=True) == ({"A": 0, "B": 1400}, 900)
    assert joint(nets, 2025, offset=False)[1] == 1400
    assert joint({"A": Decimal(600), "B": Decimal(600)}, 2025, offset=True)[1] == 0


def test_the_reform_is_warned_of_from_2027_on_and_off_by_default() -> None:
    assert is_new_stock(date(2027, 1, 1))
    assert not is_new_stock(date(2026, 12, 31))
    assert reform_warning(date(2026, 12, 31), enacted=False) == ""
    assert "draft" in reform_warning(date(2027, 1, 1), enacted=False)
    assert reform_warning(date(2027, 1, 1), enacted=True) == ""
