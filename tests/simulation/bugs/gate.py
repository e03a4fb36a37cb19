"""The gate, its limits, and what stands before it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from shared.kraken import private
from shared.orders import Refused, System
from shared.units import Ns
from strategy.core import byrest, deadman, gate, hear, inbox, permit, pipeline
from strategy.ledger import book, desk
from strategy.session import session
from tests.simulation.bugs.patches import HOUR, Patches, bug


@bug("orders leave although the switch does not cover them")
def no_cover_needed(p: Patches) -> None:
    p.set(deadman.Deadman, "covers", lambda self, now, cfg: True)


@bug("the exchange's mode is not looked at")
def mode_is_ignored(p: Patches) -> None:
    def online(mem: Any, event: Any, now: Ns) -> Any:
        mem.system = "online"
        return []

    p.row(inbox.HEARD_BY, System, online)


@bug("a hold does not take our orders out of the book, nor stop new ones")
def hold_is_ignored(p: Patches) -> None:
    _without(p, permit, "permit", "hold")
    _without(p, pipeline, "permit", "hold")
    _without(p, pipeline, "refuse", "hold")


def _without(p: Patches, module: Any, name: str, attribute: str) -> None:
    """A function of memory that does not see one of its attributes."""
    before = getattr(module, name)

    def blind(mem: Any, *rest: Any) -> Any:
        kept = getattr(mem, attribute)
        setattr(mem, attribute, "")
        try:
            return before(mem, *rest)
        finally:
            setattr(mem, attribute, kept)

    p.set(module, name, blind)


@bug("a halt does not stop anything")
def halt_is_ignored(p: Patches) -> None:
    _without(p, permit, "permit", "halt")
    _without(p, pipeline, "permit", "halt")
    _without(p, pipeline, "refuse", "halt")


@bug("orders are not post-only")
def not_post_only(p: Patches) -> None:
    before = private.add_order

    def add_order(*args: Any) -> bytes:
        return before(*args).replace(b'"post_only":true', b'"post_only":false')

    p.set(session.private, "add_order", add_order)
    p.set(gate, "_refuse_price", lambda *args: "")
    p.set(pipeline, "lay", _reckless(pipeline.lay))


def _reckless(lay: Any) -> Any:
    """Wishes as if the market stood a hundredth further away."""

    def reckless(plan: Any, anchor: Any, pair: Any, touch: Any, *rest: Any) -> Any:
        return lay(plan, anchor, pair, (touch[0] * 99 // 100, touch[1] * 101 // 100), *rest)

    return reckless


@bug("coins that are not free of tax may be sold")
def all_coins_are_free(p: Patches) -> None:
    p.set(book.Book, "free", lambda self, account, asset, *_: self.total(account, asset))


@bug("the gain of what rests may pass the Freigrenze")
def room_without_end(p: Patches) -> None:
    p.set(desk.Desk, "room", lambda *_: desk.INFINITE)


@bug("the price may cross the book")
def crossing_is_fine(p: Patches) -> None:
    p.set(gate, "_refuse_price", lambda *args: "")
    p.set(pipeline, "lay", _reckless(pipeline.lay))


@bug("the rate counter is never charged, and what the exchange says of it is not heard")
def no_rate_limit(p: Patches) -> None:
    p.set(pipeline, "admit", lambda limiter, intents, now, cfg: list(intents))


@bug("by REST an order leaves while the outcome of another one is unknown")
def rest_is_reckless(p: Patches) -> None:
    p.set(byrest, "refuse", lambda mem, now: "")


@bug("an order may be larger than limits.order_quote")
def size_has_no_cap(p: Patches) -> None:
    before = gate._refuse_price

    def refuse_price(*args: Any) -> str:
        why = before(*args)
        return "" if why == "larger than limits.order_quote" else why

    p.set(gate, "_refuse_price", refuse_price)


@bug("there may be more orders than limits.open_orders")
def orders_have_no_cap(p: Patches) -> None:
    before = gate._refuse_state

    def refuse_state(*args: Any) -> str:
        why = before(*args)
        return "" if why == "limits.open_orders is reached" else why

    p.set(gate, "_refuse_state", refuse_state)


@bug("coins may pass limits.btc_max_pct if all buys fill")
def share_has_no_cap(p: Patches) -> None:
    p.set(gate, "_most", lambda memory, pair: 1.0)


@bug("a difference between balance and ledger holds no sell")
def drift_holds_nothing(p: Patches) -> None:
    for module, name in ((permit, "permit"), (pipeline, "permit"), (pipeline, "refuse")):
        _calm(p, module, name)


def _calm(p: Patches, module: Any, name: str) -> None:
    """A function of memory that does not see that sells are held."""
    before = getattr(module, name)

    def blind(mem: Any, *rest: Any) -> Any:
        kept = mem.audit
        mem.audit = replace(kept, held=False)
        try:
            return before(mem, *rest)
        finally:
            mem.audit = kept

    p.set(module, name, blind)


@bug("orders that are refused are not counted: it never halts for them")
def refusals_never_halt(p: Patches) -> None:
    before = hear.refused

    def uncounted(mem: Any, event: Any, now: Any) -> Any:
        kept = mem.rejects_in_a_row
        out = before(mem, event, now)
        mem.rejects_in_a_row = kept
        return out

    p.row(inbox.HEARD_BY, Refused, uncounted)


@bug("after a refusal for the pace orders go on as before")
def pace_is_not_learned(p: Patches) -> None:
    before = hear.refused

    def refused(mem: Any, event: Any, now: Ns) -> Any:
        kept = {name: pair.limiter for name, pair in mem.pairs.items()}
        out = before(mem, event, now)
        for name, limiter in kept.items():
            mem.pairs[name].limiter = limiter
        return out

    p.row(inbox.HEARD_BY, Refused, refused)


@bug("fills are counted by the hour alone")
def minute_has_no_limit(p: Patches) -> None:
    _unlimited(p, "fills_per_minute")


@bug("fills are counted by the minute alone")
def hour_has_no_limit(p: Patches) -> None:
    _unlimited(p, "fills_per_hour")


def _unlimited(p: Patches, name: str) -> None:
    """A throttle that does not know one of its limits."""
    before = pipeline.throttle

    def throttle(mem: Any, now: Ns) -> str:
        why = before(mem, now)
        return "" if f"(limits.{name})" in why else why

    p.set(pipeline, "throttle", throttle)


@bug("the day may lose whatever it loses")
def loss_has_no_limit(p: Patches) -> None:
    p.set(gate, "overspent", lambda mem: "")


@bug("our clock may be off by an hour")
def clock_is_ignored(p: Patches) -> None:
    p.set(permit, "LONGEST_SKEW", Ns(HOUR * 24))
