"""Puts a simulated exchange together from a configuration: markets, account, faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, cast

from shared.config import ApiKey, Config, ConfigError
from shared.settings_house import Demo
from shared.units import MILLISECOND, Ns, Pair
from sim.engine.account import Account
from sim.engine.exchange import Exchange
from sim.engine.instruments import LISTINGS, Listing
from sim.engine.market import Market
from sim.engine.store import SqliteStore
from sim.engine.values import TIERS, Switches
from sim.kraken.venue import Venue
from sim.live import Live
from sim.opening import FIRST_TRADE, open_account, read_lots
from sim.sources import SHAPES, MadeUp, Shape, Source
from sim.tape import Played, Tape, TapeError, read_tape

DEFAULT_SWITCHES: Final = Switches()


def build(
    config: Config,
    key: ApiKey,
    now: Ns,
    wall: Ns,
    *,
    store: SqliteStore | None = None,
    pairs: Sequence[str] = tuple(LISTINGS),
    switches: Switches = DEFAULT_SWITCHES,
    source: Source | None = None,
    guests: Sequence[ApiKey] = (),
    tier: str = "pro",
    live: Mapping[str, Live] | None = None,
    listings: Mapping[str, Listing] = LISTINGS,
    rights: Sequence[str] = (),
    killers: Sequence[ApiKey] = (),
) -> Venue:
    """A venue ready to be driven. ConfigError where the configuration cannot be played.

    pairs: the markets that are alive; the configured one is always among them. Without a store
    the account is opened anew and lives in memory only. source: where the configured pair's
    market comes from, instead of what the configuration says. guests: keys of other clients;
    killers: those that may cancel orders and nothing else.
    tier: of the account's rate limits, a name of TIERS. live: the markets that happen elsewhere
    now, instead of all others; listings: what is listed, with the minima of now. rights: of the
    keys, () = what trading needs.
    """
    demo = config.demo
    position = store.position(market_name(config)) if store is not None else 0
    markets = {}
    for symbol, listing in listings.items():
        if live is not None:
            one = live[symbol]
            markets[symbol] = Market(listing, one, position, wall, one.book)
        elif symbol in pairs or symbol == config.pair:
            given = source if symbol == config.pair else None
            found = given or _source(config, symbol)
            markets[symbol] = Market(listing, found, position, wall)
    lots = read_lots(demo.opening_lots)
    account = Account(switches, _rate(demo.maker_pct), _rate(demo.taker_pct))
    exchange = Exchange(markets, account, TIERS[tier], switches)
    if store is not None and not store.is_new():
        store.load(exchange)
    else:
        open_account(exchange, config.pair, demo.quote_balance, lots, wall)
        for market in markets.values():
            market.open_tape(FIRST_TRADE)
    if store is not None:
        store.name_market(market_name(config))
        store.save(exchange, position)
    exchange.forget_changes()
    latency = demo.latency_ms * MILLISECOND
    return Venue(
        exchange, key, now, position=position, latency_ns=latency, store=store,
        guests=guests, rights=rights, killers=killers,
    )  # fmt: skip


def market_name(config: Config) -> str:
    """Names one course of the world: where it differs, the market begins at its beginning."""
    demo = config.demo
    if config.mode == "paper":
        return f"{config.pair} live"
    if demo.market in SHAPES:
        drawn = f"{demo.seed} {demo.volatility_pct} {demo.start_price}"
        return f"{config.pair} {demo.market} {drawn}"
    return f"{config.pair} {Path(demo.market).resolve()}"


def load_tape(demo: Demo, pair: Pair) -> Tape | None:
    """The recorded market of a configuration; None where the market is made up."""
    if demo.market in SHAPES:
        return None
    try:
        return read_tape(Path(demo.market).expanduser(), pair)
    except TapeError as error:
        raise ConfigError([f"demo.market: {error}"]) from None


def _source(config: Config, symbol: str) -> Source:
    """The configured market for the configured pair; a made-up one beside it for the others."""
    demo, listing = config.demo, LISTINGS[symbol]
    if symbol == config.pair:
        tape = load_tape(demo, listing.pair)
        if tape is not None:
            return Played(tape)
        shape, start = cast(Shape, demo.market), float(demo.start_price)
    else:
        shape, start = "ranging", float(listing.usual_price)
    seed = demo.seed + sum(symbol.encode())
    return MadeUp(listing.pair, shape, seed, demo.volatility_pct, start)


def _rate(percent: Decimal) -> int:
    """A percentage as a count of 10⁻⁶; ConfigError where it has more digits."""
    scaled = percent.scaleb(4)
    if scaled != int(scaled) or not 0 <= scaled <= 100_000:
        raise ConfigError([f"demo: fee {percent} % must be 0 to 10, with four decimals at most"])
    return int(scaled)
