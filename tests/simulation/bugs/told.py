"""What people are told, and what the ledger keeps for the next life."""

from __future__ import annotations

from strategy.core.out import Booked, Tell
from strategy.ledger.entries import Remember
from tests.simulation.bugs.patches import Patches, bug, dropped, filtered


@bug("a fill is booked, and nobody is told")
def fills_are_not_told(p: Patches) -> None:
    filtered(p, Booked)


@bug("it halts by itself, and nobody is told")
def halts_in_silence(p: Patches) -> None:
    dropped(p, lambda item: isinstance(item, Tell) and item.key == "halt")


@bug("the switch runs out, and nobody is told")
def switch_fires_in_silence(p: Patches) -> None:
    dropped(p, lambda item: isinstance(item, Tell) and item.key == "switch")


@bug("a halt is not written down: the next life trades")
def halt_is_not_kept(p: Patches) -> None:
    dropped(p, lambda item: isinstance(item, Remember) and item.key == "halt")


@bug("what the owner has declared as his own is forgotten with this life")
def external_is_not_kept(p: Patches) -> None:
    dropped(p, lambda item: isinstance(item, Remember) and item.key.startswith("external:"))


@bug("the buys that no sell has answered yet are forgotten with this life")
def unmatched_is_not_kept(p: Patches) -> None:
    dropped(p, lambda item: isinstance(item, Remember) and item.key.startswith("unmatched:"))


@bug("the account's peak is forgotten with this life")
def peak_is_not_kept(p: Patches) -> None:
    dropped(p, lambda item: isinstance(item, Remember) and item.key == "peak")
