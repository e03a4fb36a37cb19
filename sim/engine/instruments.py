"""The markets that the simulated exchange lists, under every name that Kraken gives them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec import Struct

from shared.units import Pair, Sats, fixed_text, plain, price_text, qty_text


class Asset(Struct, frozen=True):
    """A currency: WS v2 name, REST name, older name, ledger decimals."""

    name: str
    rest: str
    alt: str
    decimals: int
    display: int
    margin_rate: str


class Listing(Struct, frozen=True):
    """A pair with its REST names and the facts that only descriptions carry."""

    pair: Pair
    rest: str  # XXBTZEUR
    alt: str  # XBTEUR
    wsname: str  # XBT/EUR, the v1 name
    long_limit: int
    short_limit: int
    usual_price: Decimal  # where its made-up market starts unless it is told


ASSETS: Final = {
    asset.name: asset
    for asset in (
        Asset("USD", "ZUSD", "USD", 4, 2, "0.025000"),
        Asset("EUR", "ZEUR", "EUR", 4, 2, "0.020000"),
        Asset("BTC", "XXBT", "XBT", 10, 5, "0.010000"),
        Asset("ETH", "XETH", "ETH", 10, 5, "0.020000"),
    )
}

# Decimals and minima as seen on the wire in 2026; BTC/EUR's minima are inferred.
LISTINGS: Final = {
    listing.pair.symbol: listing
    for listing in (
        Listing(
            Pair("BTC/USD", "BTC", "USD", 1, 8, 5, 1, 1, Sats(5_000), Decimal("0.5")),
            *("XXBTZUSD", "XBTUSD", "XBT/USD", 300, 240, Decimal(92_000)),
        ),
        Listing(
            Pair("BTC/EUR", "BTC", "EUR", 1, 8, 5, 1, 1, Sats(5_000), Decimal("0.45")),
            *("XXBTZEUR", "XBTEUR", "XBT/EUR", 130, 100, Decimal(85_000)),
        ),
        Listing(
            Pair("ETH/EUR", "ETH", "EUR", 2, 8, 5, 1, 1, Sats(100_000), Decimal("0.45")),
            *("XETHZEUR", "ETHEUR", "ETH/EUR", 1400, 1000, Decimal(3_000)),
        ),
    )
}

_POWERS: Final = tuple(int(10**decimals) for decimals in range(31))

_BY_NAME: Final = {
    name: listing
    for listing in LISTINGS.values()
    for name in (listing.rest, listing.alt, listing.wsname, listing.pair.symbol)
}


def find(name: str) -> Listing | None:
    """A listing by any name that REST understands: XXBTZEUR, XBTEUR, XBT/EUR, BTC/EUR."""
    return _BY_NAME.get(name.upper())


def find_asset(name: str) -> Asset | None:
    """An asset by any of its names."""
    wanted = name.upper()
    return next((a for a in ASSETS.values() if wanted in (a.name, a.rest, a.alt)), None)


def amount_text(asset: str, units: int) -> str:
    """Ledger units of an asset as fixed-point text."""
    return fixed_text(units, ASSETS[asset].decimals)


def cost_text(pair: Pair, cost: int) -> str:
    """An exact cost with the pair's cost decimals, rounded half up."""
    return fixed_text(
        round_half_up(cost, pair.price_decimals + pair.qty_decimals - pair.cost_decimals),
        pair.cost_decimals,
    )


def round_half_up(value: int, drop: int) -> int:
    """A non-negative count with its last `drop` decimal digits rounded away, half up."""
    divisor = power(drop)
    return (value + divisor // 2) // divisor


def round_up(value: int, drop: int) -> int:
    """A non-negative count with its last `drop` decimal digits rounded up."""
    return -(-value // power(drop))


def power(decimals: int) -> int:
    """10 to the power of a count of decimals, of 30 at the most."""
    return _POWERS[decimals]


def asset_json(asset: Asset) -> str:
    """One row of the instrument channel's `assets` (Kraken v2, instrument)."""
    return (
        f'{{"id":"{asset.name}","class":"currency","status":"enabled","precision":{asset.decimals},'
        f'"precision_display":{asset.display},"multiplier":1,"borrowable":true,'
        f'"collateral_value":1.00,"margin_rate":{asset.margin_rate}}}'
    )


def pair_json(listing: Listing, status: str) -> str:
    """One row of the instrument channel's `pairs` (Kraken v2, instrument)."""
    pair = listing.pair
    step = price_text(pair, pair.price_step)
    return (
        f'{{"symbol":"{pair.symbol}","base":"{pair.base}","quote":"{pair.quote}",'
        f'"status":"{status}","qty_precision":{pair.qty_decimals},'
        f'"qty_increment":{qty_text(pair, pair.qty_step)},"price_precision":{pair.price_decimals},'
        f'"price_increment":{step},"tick_size":{step},'
        f'"ws_display_price_precision":{pair.price_decimals},'
        f'"cost_precision":{pair.cost_decimals},"cost_min":{plain(pair.cost_min)},'
        f'"qty_min":{qty_text(pair, pair.qty_min)},"marginable":true,"has_index":true,'
        f'"margin_initial":0.20,"position_limit_long":{listing.long_limit},'
        f'"position_limit_short":{listing.short_limit}}}'
    )


def rest_pair(listing: Listing, status: str) -> dict[str, object]:
    """One value of REST AssetPairs. Fees are empty there since September 2026."""
    pair = listing.pair
    return {
        "altname": listing.alt,
        "wsname": listing.wsname,
        "aclass_base": "currency",
        "base": ASSETS[pair.base].rest,
        "aclass_quote": "currency",
        "quote": ASSETS[pair.quote].rest,
        "lot": "unit",
        "cost_decimals": pair.cost_decimals,
        "pair_decimals": pair.price_decimals,
        "lot_decimals": pair.qty_decimals,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [],
        "fees_maker": [],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": plain((Decimal(pair.qty_min).scaleb(-pair.qty_decimals)).normalize()),
        "costmin": plain(pair.cost_min),
        "tick_size": price_text(pair, pair.price_step),
        "status": status,
        "execution_venue": "international",
        "long_position_limit": listing.long_limit,
        "short_position_limit": listing.short_limit,
    }


def rest_asset(asset: Asset) -> dict[str, object]:
    """One value of REST Assets."""
    return {
        "aclass": "currency",
        "altname": asset.alt,
        "decimals": asset.decimals,
        "display_decimals": asset.display,
        "collateral_value": 1.0,
        "status": "enabled",
        "margin_rate": float(asset.margin_rate),
    }
