"""Hard caps: limits of their own file, which no other configuration can loosen.

Rule 1: of a configured limit and its cap the tighter holds.
Rule 2: what held before is remembered in the ledger; looser caps are refused until a person has
accepted them with a reason. Tighter ones hold at once.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from shared.config import ROOT, Config, ConfigError
from shared.settings import Ratio

FACT: Final = "hard_caps"
"""The ledger's key of the caps that hold."""


class HardCaps(Struct, frozen=True, forbid_unknown_fields=True):
    """Each is the largest value that the limit of its name may have."""

    order_quote: Decimal
    open_orders: Annotated[int, Meta(ge=1)]
    collar_pct: Annotated[float, Meta(gt=0.0, le=1.0)]
    fills_per_minute: Annotated[int, Meta(ge=1)]
    fills_per_hour: Annotated[int, Meta(ge=1)]
    rejects_in_a_row: Annotated[int, Meta(ge=1)]
    daily_loss_quote: Decimal
    btc_max_pct: Ratio


def caps_path(config: Config) -> Path:
    """A relative path is one of the checkout: the working folder is the home."""
    return ROOT / Path(config.limits.hard_caps_file).expanduser()


def read_caps(path: Path) -> HardCaps:
    """ConfigError with what is wrong; a file that is not there is wrong too."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        caps = msgspec.convert(raw, HardCaps)
    except OSError as error:
        raise ConfigError([f"hard caps: {path}: {error.strerror}"]) from None
    except (
        tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, InvalidOperation,
    ) as error:  # fmt: skip
        raise ConfigError([f"hard caps: {path}: {error}"]) from None
    for name in ("order_quote", "daily_loss_quote"):
        value: Decimal = getattr(caps, name)
        if not (value.is_finite() and value > 0):
            raise ConfigError([f"hard caps: {path}: {name} must be a number above 0"])
    return caps


def tighten(config: Config, caps: HardCaps) -> tuple[Config, list[str]]:
    """The configuration with no limit above its cap, and the names of those that were."""
    bound = {
        name: getattr(caps, name)
        for name in HardCaps.__struct_fields__
        if getattr(caps, name) < getattr(config.limits, name)
    }
    limits = msgspec.structs.replace(config.limits, **bound)
    return msgspec.structs.replace(config, limits=limits), list(bound)


def looser(kept: str, caps: HardCaps) -> list[str]:
    """Where these caps are above those that hold (the ledger's fact; "" = none held before)."""
    if not kept:
        return []
    try:
        before = msgspec.json.decode(kept, type=HardCaps)
    except (msgspec.MsgspecError, InvalidOperation):
        return ["the ledger's record of the caps cannot be read"]
    return [
        f"{name} {getattr(before, name)} -> {getattr(caps, name)}"
        for name in HardCaps.__struct_fields__
        if getattr(caps, name) > getattr(before, name)
    ]


def to_fact(caps: HardCaps) -> str:
    return msgspec.json.encode(caps).decode()


def refusal(found: list[str]) -> list[str]:
    """Why looser caps are not taken, and the remedy."""
    return [
        f"hard caps looser than those that hold: {'; '.join(found)}",
        "restore the file, or accept them: icryptotrader caps accept REASON",
    ]
