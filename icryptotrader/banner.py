"""What `icryptotrader run` says first: what trades, on which terms, where to look."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from monitor.access import read_token
from shared.config import Config, Home
from sim.sources import SHAPES

MODES: Final = {
    "demo": "demo: the exchange is a simulation on this machine; no real money moves",
    "paper": "paper: a real market; account and orders are simulated here, no real money moves",
    "live": "LIVE: the orders are real, the money is yours",
}
LINKS: Final = "http://{host}:{port}"


def banner(config: Config, home: Home, tape: str, notes: Sequence[str]) -> list[str]:
    """The lines. tape: format, span and size of a recorded market, "" where it is made up."""
    rows = [("mode", MODES[config.mode]), ("market", _market(config, tape))]
    rows.append(("pair", f"{config.pair}, {_grid(config)}"))
    if config.mode != "live":
        fees = f"maker {config.demo.maker_pct} %, taker {config.demo.taker_pct} %"
        rows += [("fees", fees), ("opens with", _account(config))]
    if config.mode == "demo":
        rows.append(("tax", _pace(config)))
        speed = config.demo.speed
        rows.append(("speed", "as the clock" if speed == 1 else f"{speed} times"))
    looks = [("home", str(home.path)), ("logs", str(home.log))]
    if config.web.enabled:
        page = LINKS.format(host=_host(config.web.host), port=config.web.port)
        looks.append(("status page", f"{page}/?token={read_token(home.data)}"))
    if config.metrics.enabled:
        page = LINKS.format(host="127.0.0.1", port=config.metrics.port)
        looks.append(("metrics", f"{page}/metrics"))
    looks += _exchange(config, home)
    looks += [
        ("ask it", "strategy-ctl status   (orders, lots, hold, resume, explain b1, ...)"),
        ("stop it", "Ctrl-C: own orders are cancelled and confirmed first"),
    ]
    lines = ["iCryptoTrader", ""]
    lines += [f"  {name:12} {text}" for name, text in rows]
    lines.append("")
    lines += [f"  {name:12} {text}" for name, text in looks]
    if notes:
        lines.append("")
        lines += [f"  {'note':12} {note}" for note in notes]
    return lines


def _exchange(config: Config, home: Home) -> list[tuple[str, str]]:
    """Where the account's exchange is, and how else to reach it."""
    if config.mode == "live":
        mark = config.settled.key_fingerprint
        return [("exchange", f"{config.kraken.private_url}, by the key {mark}")]
    public, private = config.demo.public_port, config.demo.private_port
    return [
        ("exchange", f"ws://127.0.0.1:{public}/v2 public, ws://127.0.0.1:{private}/v2 private"),
        ("", f"REST http://127.0.0.1:{public} and :{private}"),
        ("", f"a key for other clients: {home.data / 'guest_key.toml'}"),
    ]


def _market(config: Config, tape: str) -> str:
    if config.mode != "demo":
        return f"as it is now, {config.kraken.public_url}"
    demo = config.demo
    if demo.market not in SHAPES:
        return f"recorded, {demo.market}" + (f" ({tape})" if tape else "")
    year = Decimal(repr(demo.volatility_pct)) * 100
    return (
        f"made up: {demo.market}, seed {demo.seed}, volatility {year.normalize():f} % a year, "
        f"from {demo.start_price}"
    )


def _grid(config: Config) -> str:
    """Rungs and the least spacing: twice the maker fee plus what a fill costs and shall earn."""
    grid = config.grid
    if config.mode == "live":
        return f"{grid.levels} rungs a side of {grid.order_size_quote} {_quote(config)}"
    floor = 200 * config.demo.maker_pct + grid.adverse_selection_bps + grid.least_edge_bps
    spacing = max(floor, grid.min_spacing_bps)
    return (
        f"{grid.levels} rungs a side of {grid.order_size_quote} {_quote(config)}, "
        f"at least {spacing.normalize():f} bps apart"
    )


def _account(config: Config) -> str:
    lots = [lot.partition(":") for lot in config.demo.opening_lots]
    quote = _quote(config)
    told = ", ".join(f"{worth} {quote} of BTC {age} days old" for age, _, worth in lots)
    told = told or "no lots"
    return f"{told}; {config.demo.quote_balance} {quote} (or as the last run left it)"


def _pace(config: Config) -> str:
    """What of the coins a demo sells. config: as the running bot has it."""
    year = "the oldest coins first: what is over a year old is free of tax"
    days = config.tax.pace_days
    spread = f"spread over {days} days" if days else "sold as it goes"
    return f"{year} and {spread}; then only within the year's room"


def _quote(config: Config) -> str:
    return config.pair.partition("/")[2]


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
