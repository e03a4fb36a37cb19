"""The year's arithmetic of § 23 (3) EStG: netting, the Freigrenze, losses carried back and forward.

Rule 1: gains and losses of the taxable parts of one person and one calendar year are summed first.
Rule 2: the Freigrenze is tested on that sum alone, and only once (§ 23 (3) s. 5 EStG; BFH IX R
27/04: no second test after losses of other years were deducted).
Rule 3: an exempt gain is not income: it uses up no carried loss, and no loss is carried into it.
Rule 4: a loss goes one year back, unless waived as a whole, and the rest forward without end,
against gains of § 23 only (§ 23 (3) s. 7 and 8, § 10d EStG).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shared.units import cents

ZERO: Final = Decimal("0.00")
CENT: Final = Decimal("0.01")


class YearRules(Struct, frozen=True):
    """What the law says about one tax year; money in EUR, shares as ratios.

    freigrenze: a net below it is exempt, a net at it is taxable in full. forward_free and
    forward_share: a carried loss is deducted up to the first without limit and beyond it up to
    that share of the rest (§ 10d (2) EStG). back_most: of a loss of this year, at most this goes
    back (§ 10d (1) EStG). Joint assessment doubles forward_free and back_most; not modelled.
    """

    freigrenze: Decimal
    forward_free: Decimal
    forward_share: Decimal
    back_most: Decimal


_MILLION: Final = Decimal(1_000_000)
_SIXTY: Final = Decimal("0.60")

# Each entry holds from its year on, until the next.
_RULES: Final[tuple[tuple[int, YearRules], ...]] = (
    (0, YearRules(Decimal(600), _MILLION, _SIXTY, _MILLION)),
    # The carry-back was raised for the losses of 2020 to 2023.
    (2020, YearRules(Decimal(600), _MILLION, _SIXTY, 10 * _MILLION)),
    # Wachstumschancengesetz of 27 March 2024: Freigrenze 1,000; 70 % until 2027.
    (2024, YearRules(Decimal(1000), _MILLION, Decimal("0.70"), _MILLION)),
    (2028, YearRules(Decimal(1000), _MILLION, _SIXTY, _MILLION)),
)

REFORM_FROM: Final = date(2027, 1, 1)
"""A draft of September 2026 would end the holding period for coins acquired from this day on."""


def rules_of(year: int) -> YearRules:
    """The rules in force for a tax year."""
    return next(rules for since, rules in reversed(_RULES) if year >= since)


class YearResult(Struct, frozen=True):
    """One year of one person, EUR. Amounts of use and carry are never negative.

    net: gains less losses, taxable parts and external results alike (Gesamtgewinn, negative for a
    loss). before_loss: taxable after the Freigrenze, before losses of other years. forward_in,
    forward_used, forward_out: the carried loss before this year, what this year used of it, what is
    left after it. back_in: what the next year's loss took off here. taxable: what is taxed.
    """

    year: int
    net: Decimal
    limit: Decimal
    exempt: bool
    before_loss: Decimal
    forward_in: Decimal
    forward_used: Decimal
    back_in: Decimal
    back_out: Decimal
    taxable: Decimal
    forward_out: Decimal


def settle(
    nets: Mapping[int, Decimal],
    assessed: Mapping[int, Decimal] | None = None,
    waived: frozenset[int] = frozenset(),
) -> dict[int, YearResult]:
    """Every year's result from the years' nets, oldest first; years between them count as 0.

    assessed: the carried loss that the tax office has stated for the beginning of a year
    (Verlustfeststellungsbescheid, § 10d (4) EStG); it stands in place of what was computed.
    waived: years of loss whose carry-back is waived (§ 10d (1) s. 6 EStG).
    """
    stated = assessed or {}
    years = [*nets, *stated]
    results: dict[int, YearResult] = {}
    carry = ZERO
    for year in range(min(years), max(years) + 1) if years else ():
        carry = cents(stated.get(year, carry))
        result = _one_year(year, cents(nets.get(year, ZERO)), carry)
        before = results.get(year - 1)
        # § 23 (3) s. 8 EStG: the immediately preceding year only.
        if result.net < 0 and before is not None and year not in waived:
            back = min(-result.net, before.taxable, rules_of(year).back_most)
            results[year - 1] = replace(
                before, back_in=before.back_in + back, taxable=before.taxable - back
            )
            result = replace(result, back_out=back, forward_out=result.forward_out - back)
        results[year] = result
        carry = result.forward_out
    return results


def _one_year(year: int, net: Decimal, carry: Decimal) -> YearResult:
    rules = rules_of(year)
    exempt = 0 < net < rules.freigrenze
    before_loss = net if net >= rules.freigrenze else ZERO
    over = max(ZERO, before_loss - rules.forward_free)
    most = min(before_loss, rules.forward_free) + cents(over * rules.forward_share)
    used = min(carry, most)
    return YearResult(
        year=year,
        net=net,
        limit=cents(rules.freigrenze),
        exempt=exempt,
        before_loss=before_loss,
        forward_in=carry,
        forward_used=used,
        back_in=ZERO,
        back_out=ZERO,
        taxable=before_loss - used,
        forward_out=carry - used + max(ZERO, -net),
    )


def joint(
    nets: Mapping[str, Decimal], year: int, *, offset: bool
) -> tuple[dict[str, Decimal], Decimal]:
    """Taxable amount of each spouse, and of both together; each has a Freigrenze of his own.

    offset: one's loss is set against the other's gain, after each own test (BMF 5 October 2000).
    """
    taxable = {name: settle({year: net})[year].taxable for name, net in nets.items()}
    losses = sum((-net for net in nets.values() if net < 0), ZERO) if offset else ZERO
    return taxable, max(ZERO, sum(taxable.values(), ZERO) - losses)


def is_new_stock(acquired: date) -> bool:
    """Whether the draft of 2026 would put this coin under its rules, by the German date."""
    return acquired >= REFORM_FROM


def reform_warning(today: date, *, enacted: bool) -> str:
    """What the operator must be told from 2027 on; "" before, or once the switch was decided."""
    if today < REFORM_FROM or enacted:
        return ""
    return (
        "coins bought from 2027-01-01 on: a draft law would tax them without any holding period; "
        "this program still counts them as free after a year (tax.reform_enacted = false). Ask "
        "your tax adviser whether the law was passed"
    )
