"""The account as one sum: coins and money worth what they are in the first pair's currency.

Rule 1: with several pairs the rate between two quote currencies is that of their prices of the
same coin, of the last moment at which both books were fresh; the ledger keeps it.
Rule 2: what is not known (a balance, a price, a rate) makes the sum unknown: 0.0, which decides
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from shared.units import MINUTE, Ns, float_price
from strategy.core import books, harvesting
from strategy.core.allocation import Neighbour, parts
from strategy.core.daily import day_fact
from strategy.core.feasible import ladder, shortfalls
from strategy.core.memory import Memory, PairMemory
from strategy.core.out import Out, Tell
from strategy.core.risk import assess, moved, pause_of
from strategy.core.taxgate import assess_taxes, is_locked, saleable_at
from strategy.ledger.entries import AuditEntry, Remember

DUST: Final = 1.0
"""Of the account's currency: a smaller flow is rounding, and is not worth a word."""

RATE_KEPT_EACH: Final = MINUTE

_NOTHING: Final = Decimal(0)


def assess_account(memory: Memory, now: Ns) -> list[Out]:
    """Stage 3 for the whole account: rates, flows, equity, risk and pause."""
    out = _convert(memory, now)
    out += _recognise_flow(memory, now)
    equity = worth(memory, memory.books.expected or memory.balances)
    frozen = any([pair.breaker.frozen for pair in memory.pairs.values()])
    memory.risk = assess(memory.risk, equity, now, memory.config.risk, frozen=frozen)
    spec = memory.first.tape.pair
    if spec is not None:
        assess_taxes(memory)
        harvesting.consider(memory, now)
        memory.pause = pause_of(memory.risk.severity, is_locked(memory, spec.qty_min))
    return out


def currency(memory: Memory) -> str:
    return memory.first.quote


def worth(memory: Memory, totals: Mapping[str, Decimal]) -> float:
    """What these totals are worth; 0.0 while something of it is unknown."""
    return worth_at(memory, totals, coin_price(memory))


def worth_at(memory: Memory, totals: Mapping[str, Decimal], price: float) -> float:
    """The same with the coin at this price."""
    return worths_at(memory, totals, (price,))[0]


def worths_at(
    memory: Memory, totals: Mapping[str, Decimal], prices: Sequence[float]
) -> Sequence[float]:
    """The same at each of several prices."""
    if not totals or memory.coin not in totals:
        return [0.0] * len(prices)
    coins, money = float(totals[memory.coin]), list[float]()
    for pair in memory.pairs.values():
        quote = pair.quote
        amount, rate = float(totals.get(quote, _NOTHING)), memory.rates.get(quote, 0.0)
        if amount and rate <= 0.0:
            return [0.0] * len(prices)
        money.append(amount * rate)
    found = []
    for price in prices:
        value = coins * price
        for each in money:
            value += each
        found.append(value if price > 0.0 else 0.0)
    return found


def coin_price(memory: Memory) -> float:
    """The coin in the account's currency, of the first pair whose book is fresh; 0.0 of none."""
    for pair in memory.pairs.values():
        rate = memory.rates.get(pair.quote, 0.0)
        mid = _fresh_mid(pair)
        if mid > 0.0 and rate > 0.0:
            return mid * rate
    return 0.0


def money_units(memory: Memory, pair: PairMemory) -> int:
    """All money of the account in units (Ticks x Sats) of this pair, where the rates are known."""
    spec = pair.tape.pair
    if spec is None:
        return 0
    units = memory.quote_total(pair)
    if len(memory.pairs) == 1:
        return units
    own = memory.rates.get(spec.quote, 0.0)
    for other in memory.pairs.values():
        quote = other.quote
        rate = memory.rates.get(quote, 0.0)
        if quote != spec.quote and own > 0.0 and rate > 0.0:
            amount = float(memory.balances.get(quote, Decimal(0))) * rate / own
            units += int(amount * 10 ** (spec.price_decimals + spec.qty_decimals))
    return units


def part_of_account(memory: Memory, pair: PairMemory) -> float:
    """This pair's part of the account's room, by weight and correlation."""
    if len(memory.config.pairs) < 2:
        return 1.0
    weights = {weighted.symbol: weighted.weight for weighted in memory.config.pairs}
    samples = {name: known.samples for name, known in memory.pairs.items()}
    return parts(weights, samples)[pair.name]


def neighbours(memory: Memory, pair: PairMemory) -> list[Neighbour]:
    """The other pairs of the coin, with what one of their Ticks is worth in Ticks of this one."""
    spec, found = pair.tape.pair, []
    own = memory.rates.get(pair.quote, 0.0)
    for other in memory.pairs.values():
        its = other.tape.pair
        if other is pair or its is None or spec is None or own <= 0.0:
            continue
        rate = memory.rates.get(its.quote, 0.0) / own
        ticks = rate * float(10 ** (spec.price_decimals - its.price_decimals))
        fees = (pair.maker or 0.0) + (other.maker or 0.0)
        if ticks > 0.0:
            found.append(Neighbour(tuple(other.slots), ticks, fees))
    return found


def _fresh_mid(pair: PairMemory) -> float:
    view = pair.view
    return float_price(view.pair, view.mid) if view is not None and view.fresh else 0.0


def _convert(memory: Memory, now: Ns) -> list[Out]:
    """Rule 1."""
    memory.rates[currency(memory)] = 1.0
    if len(memory.pairs) == 1:
        return []
    base = _fresh_mid(memory.first)
    if base <= 0.0:
        return []
    changed = False
    for pair in memory.pairs.values():
        mid, quote = _fresh_mid(pair), pair.quote
        if mid > 0.0 and quote != currency(memory):
            memory.rates[quote] = base / mid
            changed = True
    if not changed or now - memory.rates_kept_at < RATE_KEPT_EACH:
        return []
    memory.rates_kept_at = now
    return [Remember("rates", msgspec.json.encode(memory.rates).decode())]


def _recognise_flow(memory: Memory, now: Ns) -> list[Out]:
    """Begin the books with the first sync; afterwards name what only a person can have moved."""
    seen = (memory.balances, memory.books)
    if memory.balanced[0] is seen[0] and memory.balanced[1] is seen[1]:
        return []  # they agreed, and nothing has been heard since
    if not memory.balances or memory.asking.listed_at == 0 or memory.line == "down":
        return []
    if not memory.books.expected:
        memory.books = books.opened(memory.balances)
        return [books_fact(memory)]
    assets = tuple(sorted({memory.coin, *(pair.quote for pair in memory.pairs.values())}))
    memory.books = books.compare(memory.books, memory.balances, assets, now)
    if not memory.books.gap:
        memory.balanced = (memory.balances, memory.books)
        return []
    listed_at = memory.asking.listed_at
    if books.wants_list(memory.books, listed_at, now) and not memory.asking.asked_at:
        memory.asking = msgspec.structs.replace(memory.asking, wanted=True)
    if not books.is_flow(memory.books, listed_at, now):
        return []
    before = worth(memory, memory.books.expected)
    after = worth(memory, memory.balances)
    if before <= 0.0 and after <= 0.0:
        return []  # nothing can be said of its worth yet
    said = ", ".join(f"{change:+f} {asset}" for asset, change in memory.books.gap)
    memory.books = books.opened(memory.balances)
    if abs(after - before) < DUST:
        return [books_fact(memory)]
    memory.risk = moved(memory.risk, before, after)
    memory.peak_kept = (now, memory.risk.peak)
    memory.day = msgspec.structs.replace(
        memory.day, equity=memory.day.equity * (after / before if before > 0 else 1.0)
    )
    text = f"moved in or out without a trade: {said}; the peak is now {memory.risk.peak:.2f}"
    return [
        books_fact(memory),
        day_fact(memory),
        Remember("peak", repr(memory.risk.peak)),
        AuditEntry(memory.wall, "bot", "flow", text),
        Tell("warning", "flow", text),
    ]


def books_fact(memory: Memory) -> Remember:
    return Remember("books", msgspec.json.encode(memory.books.expected).decode())


def judge(memory: Memory, pair: PairMemory) -> list[Out]:
    """Once a life and pair, as soon as all is known: can the ladder of the settings stand?"""
    view = pair.view
    if pair.judged or view is None or not pair.permit.change or pair.maker is None:
        return []
    pair.judged = True
    cfg, spec = memory.config, view.pair
    found = ladder(cfg, spec, (view.bid, view.ask), (pair.maker, pair.taker or pair.maker))
    money, coins = memory.balances.get(spec.quote), memory.balances.get(spec.base)
    saleable = Decimal(saleable_at(memory, pair, view.ask)).scaleb(-spec.qty_decimals)
    faults = shortfalls(found, cfg, spec, money or Decimal(0), coins or Decimal(0), saleable)
    if not faults:
        return []
    return [Tell("warning", f"feasible:{pair.name}", f"{pair.name}: {'; '.join(faults)}")]
