"""Trying the house itself: mode, pairs, addresses, keys, feed, simulated exchange, processes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from feed.market import settings_of as feed_settings
from feed.session import Session as FeedSession
from icryptotrader.bot_kill import _signer, load_despite_faults
from icryptotrader.listener import limits_of
from shared import frames, log
from shared.caps import caps_path, read_caps, tighten
from shared.config import ApiKey, Config, ConfigError, Home, account_key, load_running
from shared.endpoints import endpoints
from shared.units import MINUTE, SECOND, Ns, Side
from sim.build import build
from sim.world import BEGIN, WALL, World
from strategy.ledger.entries import FillEntry
from strategy.mirror import MIRROR
from strategy.shell import Shell
from tests.keys.trying import Row, about, exactly, less, more
from tests.unit.feed.test_session import INSTRUMENT, PAIR_ROW, Exchange, notes, published, snapshot
from tests.unit.strategy.core.build import MID, make_fill, old_lots

LIVE: Final = {"mode": "live", "live.consent": "this trades with real money"}


def public(config: Config) -> str:
    return endpoints(config).public


def private(config: Config) -> str:
    return endpoints(config).private


def rest(config: Config) -> str:
    return endpoints(config).rest


# Keys and secrets.


def trading_key(config: Config, home: Home) -> str:
    """The key that a live house signs with; the text of the refusal where there is none."""
    file = home.path / "mine.toml"
    file.write_text('api_key = "from the file"\napi_secret = "c2VjcmV0"\n')
    file.chmod(0o600)
    with contextlib.chdir(home.path):
        try:
            key = account_key(home, config)
        except ConfigError as error:
            return str(error)
    return f"{key.key} {key.secret}"


def killing_key(config: Config, home: Home) -> str:
    """What bot-kill would sign with in live mode."""
    file = home.path / "cancel.toml"
    file.write_text('api_key = "only cancels"\napi_secret = "c2VjcmV0"\n')
    file.chmod(0o600)
    with contextlib.chdir(home.path):
        loaded, _ = load_despite_faults(home, None)
        assert loaded == config
        try:
            return _signer(config, home).key
        except ConfigError as error:
            return str(error)


# The feed.


class Line(Exchange):
    """A session of these settings against a script of Kraken's answers."""

    def __init__(self, config: Config) -> None:
        self.session = FeedSession(("BTC/EUR",), feed_settings(config.feed), Ns(SECOND))
        self.now, self.beat, self.line = Ns(SECOND), 2 * SECOND, 0
        self.out = []
        self.step()


def subscribed(channel: str, name: str) -> Any:
    """What a subscription asks for."""

    def see(config: Config) -> int:
        asked = {r["params"]["channel"]: r["params"] for r in _greeted(config).sent()}
        return int(asked[channel][name])

    return see


def _greeted(config: Config) -> Line:
    """A line that has just sent its subscriptions."""
    line = Line(config)
    line.connect()
    line.ack(*line.sent())
    line.say(INSTRUMENT % (PAIR_ROW % "BTC/EUR"))
    return line


def vwap_windows(config: Config) -> tuple[int, ...]:
    line = Line(config)
    line.go_live()
    frame = published(line.out + line.wait(2), frames.Vwap)[-1]
    return tuple(window.seconds for window in frame.windows)


def books_a_second(config: Config) -> int:
    """Frames of a book that changes each millisecond, in a second."""
    line = Line(config)
    line.go_live()
    count = 0
    for _ in range(1_000):
        line.now = Ns(line.now + SECOND // 1_000)
        count += len(published(line.say(snapshot("BTC/EUR")), frames.Book))
    return count


def reconnects_after(config: Config) -> float:
    """Seconds of silence until the line is given up."""
    line = Line(config)
    line.go_live()
    return _until(line, "line_lost", heartbeats=False)


def subscribes_again_after(config: Config) -> float:
    """Seconds of heartbeats without a book until it is subscribed again."""
    line = Line(config)
    line.go_live()
    line.sent()
    return _asked_again(line)


def asks_again_after(config: Config) -> float:
    """Seconds until a subscription that nobody answers is sent again."""
    line = _greeted(config)
    line.sent()
    return _asked_again(line)


def _asked_again(line: Line) -> float:
    since = line.now
    while not any(r["params"].get("channel") == "book" for r in line.sent() if "params" in r):
        line.wait(0.5)
        assert line.now - since < 300 * SECOND
    return (line.now - since) / SECOND


def _until(line: Line, event: str, *, heartbeats: bool) -> float:
    since, line.out = line.now, []
    while event not in notes(line.out):
        line.out += line.wait(0.5, heartbeats)
        assert line.now - since < 300 * SECOND, notes(line.out)
    return (line.now - since) / SECOND


# The simulated exchange, and a house in virtual time.


def market(config: Config, seconds: int = 120) -> tuple[float, float, float]:
    """(first, last, largest less smallest) price of the made-up market's first two minutes."""
    venue = build(config, ApiKey("k", "c2ltdWxhdGVk"), BEGIN, WALL)
    prices = []
    for second in range(0, seconds, 10):
        after = Ns(second * SECOND)
        venue.advance(Ns(BEGIN + after), Ns(WALL + after))
        prices.append(venue.exchange.markets[config.pair].last / 10)
    return prices[0], prices[-1], max(prices) - min(prices)


def first_price(config: Config) -> float:
    return market(config)[0]


def course(config: Config) -> tuple[float, float, float]:
    return market(config)


def fallen(config: Config) -> bool:
    """Whether the market is falling as a whole after six calm minutes."""
    first, last, _ = market(config, 375)
    return last < first * 0.999


def span(config: Config) -> float:
    return market(config)[2]


RUNS: Final[dict[bytes, dict[str, Any]]] = {}


def house(config: Config) -> dict[str, Any]:
    """What a whole house does in its first half minute."""
    key = msgspec.json.encode(config)
    if key not in RUNS:
        world = World(config)
        world.start_feed()
        world.start_trader()
        world.run(30 * SECOND, lambda: bool(world.status and world.status.orders >= 10))
        status = world.status
        assert status is not None
        RUNS[key] = {
            "pairs": {slot.pair for slot in status.slots if slot.cl_ord_id},
            "maker": status.maker_pct,
            "taker": status.taker_pct,
            "money": float(dict(status.balances)["EUR" if "EUR" in config.pair else "USD"]),
            "coins": float(dict(status.balances)["BTC"]),
            "took": (world.now - BEGIN) / 1e9,
        }
    return RUNS[key]


def of_house(name: str) -> Any:
    return lambda config: house(config)[name]


PAIRS, MAKER, TAKER, MONEY, COINS, TOOK = (
    of_house(name) for name in ("pairs", "maker", "taker", "money", "coins", "took")
)

# Processes.


def logged(config: Config, home: Home) -> str:
    """What a process writes down of a word that is for engineers alone."""
    log.setup("feed", home, config.log_level)
    try:
        log.get().debug("for_engineers")
        log.get().warning("for_everyone")
        log.flush()
        return (home.log / "feed.jsonl").read_text()
    finally:
        log.close()


def copied(config: Config, home: Home) -> bool:
    """Whether the ledger is copied as JSON when a fill was booked."""
    shell: Any = SimpleNamespace(config=config, _lots=old_lots(), _log=log.get())
    fill = FillEntry(make_fill("T-1", Side.BUY, MID, 10_000), Ns(1))
    with contextlib.chdir(home.path):
        Shell._copy(shell, [fill])
        return MIRROR.exists()


def stands_still(config: Config) -> str:
    """What becomes of a process whose loop stands still; as long as it takes where it shall end."""
    limit_s = config.time.watchdog_sec
    still_s = 60 if limit_s < 1 else 0.5
    program = (
        "import sys, time; from shared.watchdog import Watchdog; "
        f"Watchdog({limit_s!r}, sys.stderr); time.sleep({still_s}); print('lives')"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=root
    )
    return done.stdout.strip() or f"ended by {done.returncode}"


def beat_s(config: Config) -> float:
    return limits_of(config)["feed"] / SECOND


def capped(config: Config) -> int:
    return tighten(config, read_caps(caps_path(config)))[0].limits.open_orders


def minute_takes(config: Config) -> float:
    return config.make_clock().real_seconds(MINUTE)


def pace_of_the_house(config: Config, home: Home) -> int:
    return load_running(home).tax.pace_days


def starts(config: Config) -> str:
    return config.mode


CALM: Final = {"demo.volatility_pct": 0.1}

ROWS: Final = (
    Row("mode", "paper", public, exactly("ws://127.0.0.1:8710/v2", "wss://ws.kraken.com/v2")),
    Row("pair", "BTC/USD", PAIRS, lambda b, a: b == {"BTC/EUR"} and a == {"BTC/USD"}),
    Row("pairs", ({"symbol": "BTC/EUR", "weight": 0.7}, {"symbol": "BTC/USD", "weight": 0.3}),
        PAIRS, lambda b, a: b == {"BTC/EUR"} and a == {"BTC/EUR", "BTC/USD"}),
    Row("log_level", "DEBUG", logged,
        lambda b, a: "for_engineers" not in b and "for_engineers" in a, homely=True),
    Row("persistence_backend", "json", copied, exactly(False, True), homely=True),
    Row("live.consent", "this trades with real money", starts,
        lambda b, a: "live.consent: mode" in b and a == "live", {"mode": "live"}),
    Row("kraken.public_url", "wss://public.example/v2", public,
        exactly("wss://ws.kraken.com/v2", "wss://public.example/v2"), {"mode": "paper"}),
    Row("kraken.private_url", "wss://private.example/v2", private,
        exactly("wss://ws-auth.kraken.com/v2", "wss://private.example/v2"), LIVE),
    Row("kraken.rest_url", "https://rest.example", rest,
        exactly("https://api.kraken.com", "https://rest.example"), LIVE),
    Row("kraken.api_key", "my key", trading_key,
        lambda b, a: "no API key is given" in b and a == "my key s", LIVE | {
            "kraken.api_secret": "s"}, homely=True),
    Row("kraken.api_secret", "my secret", trading_key,
        lambda b, a: "no API key is given" in b and a == "k my secret", LIVE | {
            "kraken.api_key": "k"}, homely=True),
    Row("kraken.key_file", "mine.toml", trading_key,
        lambda b, a: "no API key is given" in b and a == "from the file c2VjcmV0", LIVE,
        homely=True),
    Row("kraken.cancel_key_file", "cancel.toml", killing_key,
        lambda b, a: "cancel_key_file" in b and a == "only cancels", LIVE, homely=True),
    Row("feed.depth", 25, subscribed("book", "depth"), exactly(10, 25)),
    Row("feed.vwap_windows_sec", [30, 90], vwap_windows, exactly((60, 300, 3600), (30, 90))),
    Row("feed.candle_interval_min", 5, subscribed("ohlc", "interval"), exactly(1, 5)),
    Row("feed.publish_per_sec", 5, books_a_second, less),
    Row("feed.line_silence_sec", 12, reconnects_after, about(5, 12, 0.15)),
    Row("feed.book_silence_sec", 60, subscribes_again_after, about(30, 60, 0.1)),
    Row("feed.snapshot_sec", 15, asks_again_after, about(5, 15, 0.25)),
    Row("grid.post_only", False, starts,
        lambda b, a: b == "demo" and "post_only must be true: the grid never takes" in a),
    Row("limits.hard_caps_file", "tests/keys/tight_caps.toml", capped, exactly(40, 4)),
    Row("time.watchdog_sec", 0.2, stands_still, exactly("lives", "ended by 1")),
    Row("time.beat_sec", 45, beat_s, exactly(30.0, 45.0)),
    Row("demo.market", "crashing", fallen, exactly(False, True), CALM),
    Row("demo.seed", 7, course, lambda b, a: b[1:] != a[1:]),
    Row("demo.volatility_pct", 20.0, span, more),
    Row("demo.start_price", "50000", first_price, about(85_000, 50_000, 0.02)),
    Row("demo.maker_pct", "0.20", MAKER, exactly(0.12, 0.2)),
    Row("demo.taker_pct", "0.40", TAKER, exactly(0.25, 0.4)),
    Row("demo.quote_balance", "70000", MONEY, exactly(60_000.0, 70_000.0)),
    Row("demo.opening_lots", ["400:30000"], COINS, less),
    Row("demo.pace_days", 3, pace_of_the_house, exactly(0, 3), homely=True),
    Row("demo.speed", 10, minute_takes, exactly(60.0, 6.0)),
    Row("demo.public_port", 8720, public,
        exactly("ws://127.0.0.1:8710/v2", "ws://127.0.0.1:8720/v2")),
    Row("demo.private_port", 8721, private,
        exactly("ws://127.0.0.1:8711/v2", "ws://127.0.0.1:8721/v2")),
    Row("demo.latency_ms", 1000, TOOK, more),
)  # fmt: skip
