"""What a golden case says, read leniently: values, years, and its events as the book hears them.

Rule: older or optional spellings are understood; what is missing or no value is named by its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from shared.units import SECOND, Ns, Side
from strategy.ledger.events import (
    Arrived,
    Departed,
    Exchanged,
    Moved,
    Origin,
    TaxEvent,
    Units,
    units_of,
)
from strategy.ledger.kraken_csv import asset_of
from strategy.ledger.parts import day_of

Case = Mapping[str, Any]

LARGEST: Final = Decimal(10**15)
DIGITS: Final = 30
YEARS: Final = range(1990, 2200)


class CaseError(Exception):
    """A case cannot be read: one sentence that names the key."""


# Values.


def need(raw: Case, *keys: str) -> Any:
    """The value of the first of these keys that is there."""
    for key in keys:
        if raw.get(key) is not None:
            return raw[key]
    raise CaseError(f"lacks {keys[0]!r}")


def table(value: object, key: str) -> Case:
    """An object of JSON; none at all is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CaseError(f"{key!r} should be an object, not {_shown(value)}")
    return value


def rows(value: object, key: str) -> list[Case]:
    """A list of objects; none at all is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise CaseError(f"{key!r} should be a list, not {_shown(value)}")
    return [table(row, f"{key}[{place}]") for place, row in enumerate(value)]


def number(value: object, key: str) -> Decimal:
    """An exact number, written as text or as a number."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            found = Decimal(value)
        except InvalidOperation:
            found = Decimal("NaN")
        if found.is_finite() and -LARGEST < found < LARGEST and found.adjusted() > -DIGITS:
            return found
    raise CaseError(f"{key!r} should be a number, not {_shown(value)}")


def quantity(raw: Case, *keys: str) -> Units:
    """A quantity; one that is reserved, or kept as a fee, may be 0."""
    found = number(need(raw, *keys), keys[0])
    if found < 0 or (found == 0 and keys[0] in ("qty", "amount")):
        raise CaseError(f"{keys[0]!r} should be above 0, not {found}")
    return units_of(found)


def moment(value: object, key: str) -> Ns:
    """ns since 1970 of an ISO time with its offset; exact to the microsecond."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise CaseError(f"{key!r} should be a time, not {_shown(value)}") from None
    if found.tzinfo is None:
        raise CaseError(f"{key!r}: {value!r} lacks its offset from UTC (Z)")
    if found.year not in YEARS:
        raise CaseError(f"{key!r}: {value!r} is no time of a trade")
    whole = int(found.replace(microsecond=0).timestamp())
    return Ns(whole * SECOND + found.microsecond * 1000)


def day(value: object, key: str) -> date:
    """A day, or the German day of a moment."""
    if isinstance(value, str) and "T" in value:
        return day_of(moment(value, key))
    try:
        found = date.fromisoformat(str(value))
    except ValueError:
        raise CaseError(f"{key!r} should be a day, not {_shown(value)}") from None
    if found.year not in YEARS:
        raise CaseError(f"{key!r}: {value!r} is no day of a trade")
    return found


def year(value: object, key: str) -> int:
    """A tax year, written as text or as a number."""
    text = str(value)
    if not text.isdecimal() or int(text) not in YEARS:
        raise CaseError(f"{key!r} should be a year, not {_shown(value)}")
    return int(text)


def by_year(value: object, key: str) -> dict[int, Decimal]:
    """{year: amount} of an object by year."""
    return {
        year(name, key): number(amount, f"{key} {name}")
        for name, amount in table(value, key).items()
    }


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, Decimal) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# What a case says of the person.


def settings(case: Case) -> Case:
    """What a case sets, wherever it is written: at its top, or under input or settings."""
    return {
        **table(case.get("settings"), "settings"),
        **table(case.get("input"), "input"),
        **case,
    }


def external(case: Case, years: Sequence[int]) -> dict[int, Decimal]:
    """Other results of the person under § 23: by year, or as one number for these years."""
    found: dict[int, Decimal] = {}
    for key, told in settings(case).items():
        if key in ("external", "external_eur") or "s23" in key.replace("section", "s").lower():
            amounts = (
                by_year(told, key)
                if isinstance(told, dict)
                else dict.fromkeys(years, number(told, key))
            )
            for name, amount in amounts.items():
                found[name] = found.get(name, Decimal(0)) + amount
    return found


def carried(case: Case) -> dict[int, Decimal]:
    """The loss that the tax office has stated for the beginning of a year."""
    told = settings(case).get("carryforward_in")
    return by_year(told, "carryforward_in")


def waived(case: Case) -> frozenset[int]:
    """The years of loss whose carry-back is waived."""
    told = settings(case).get("waive_carryback") or []
    if not isinstance(told, list):
        told = [told]
    return frozenset(year(each, "waive_carryback") for each in told)


# Events.


def tax_events(raw: object) -> list[TaxEvent]:
    """All events of a case. CaseError names the one that is not understood."""
    told = rows(raw, "events")
    marks = [_mark(event, place) for place, event in enumerate(told)]
    places = {mark: place for place, mark in enumerate(sorted(set(marks)))}
    found: list[TaxEvent] = []
    seen: set[str] = set()
    for event, mark in zip(told, marks, strict=True):
        name = str(need(event, "id"))
        if name in seen:
            raise CaseError(f"two events are named {name!r}")
        seen.add(name)
        try:
            found.append(_event(name, event, places[mark]))
        except CaseError as error:
            raise CaseError(f"event {name}: {error}") from None
    return found


def _mark(raw: Case, place: int) -> tuple[int, str]:
    """What orders events of one moment: the exchange's number or id, else the place in the file."""
    told = str(next((raw[key] for key in ("seq", "trade_id") if raw.get(key) is not None), place))
    # Numbers by their value, ids by their letters.
    return (int(told), "") if told.isdecimal() and len(told) < 20 else (10**20, told)


def _event(name: str, raw: Case, seq: int) -> TaxEvent:
    kind, wall = str(need(raw, "type")).lower(), moment(need(raw, "ts"), "ts")
    match kind:
        case "buy" | "sell":
            qty = quantity(raw, "qty")
            return Exchanged(
                name, wall, seq, _account(raw), _asset(raw), Side(kind), qty,
                asset_of(str(need(raw, "quote_ccy"))), _gross(raw), tuple(_fees(raw)),
                str(raw.get("order", "")),
            )  # fmt: skip
        case "fx_sell" | "fx_buy":
            euro = need(raw, "eur_received" if kind == "fx_sell" else "eur_paid", "eur")
            return Exchanged(
                name, wall, seq, _account(raw), _asset(raw),
                Side.SELL if kind == "fx_sell" else Side.BUY, quantity(raw, "amount", "qty"),
                "EUR", number(euro, "eur"), tuple(_fees(raw)),
            )  # fmt: skip
        case "transfer":
            return Moved(
                name, wall, seq, str(need(raw, "from_account")), str(need(raw, "to_account")),
                _asset(raw), quantity(raw, "qty"), _network_fee(raw),
            )  # fmt: skip
        case "withdrawal":
            qty = quantity(raw, "qty", "amount")
            return Departed(name, wall, seq, _account(raw), _asset(raw), qty, _network_fee(raw))
        case "deposit" | "reward" | "staking" | "gift":
            return _arrived(name, raw, (wall, seq), kind)
    raise CaseError(f"type {kind!r} is not understood")


def _arrived(name: str, raw: Case, when: tuple[Ns, int], kind: str) -> Arrived:
    """A gift keeps the giver's date and cost (§ 23 (1) s. 3 EStG), and so has to name them."""
    bought = need(raw, "acquired_ts") if kind == "gift" else raw.get("acquired_ts")
    cost = need(raw, "cost_eur") if kind == "gift" else raw.get("cost_eur")
    origin = Origin.DEPOSIT if kind == "deposit" else Origin.REWARD
    return Arrived(
        name, *when, _account(raw), _asset(raw), quantity(raw, "qty", "amount"),
        origin if bought is None else Origin.PURCHASE,
        None if bought is None else moment(bought, "acquired_ts"),
        None if cost is None else number(cost, "cost_eur"),
    )  # fmt: skip


def _account(raw: Case) -> str:
    return str(need(raw, "account"))


def _asset(raw: Case) -> str:
    return asset_of(str(raw.get("asset") or raw.get("ccy") or "BTC"))


def _gross(raw: Case) -> Decimal:
    if raw.get("quote_gross") is None and raw.get("price") is not None:
        return number(raw["price"], "price") * number(need(raw, "qty"), "qty")
    found = number(need(raw, "quote_gross"), "quote_gross")
    if found < 0:
        raise CaseError(f"'quote_gross' should not be below 0, as {found}")
    return found


def _fees(raw: Case) -> Iterator[tuple[str, Decimal]]:
    if raw.get("fee") is not None:
        charged = raw.get("fee_ccy") or raw.get("quote_ccy") or "EUR"
        yield asset_of(str(charged)), number(raw["fee"], "fee")
    for fee in rows(raw.get("fees"), "fees"):
        yield (
            asset_of(str(need(fee, "ccy", "asset"))),
            number(need(fee, "amount", "qty"), "amount"),
        )


def _network_fee(raw: Case) -> Units:
    return quantity({"network_fee_btc": "0"} | dict(raw), "network_fee_btc", "network_fee")
