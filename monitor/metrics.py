"""The view as Prometheus metrics, for all processes of the house.

Rule 1: what is not known is absent. While the strategy is silent its gauges are gone; `process_up`
and `frame_age_seconds` say why. A last known value would look like a living one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.advisor.seen import AdvisorSeen
from monitor.around import Around, TaxSeen
from monitor.view import RatesSeen, View
from shared.frames import Beat, Status
from shared.units import SECOND, Ns, float_price

Labelled = Iterable[tuple[str, float]]


class Metrics(Collector):
    """Asks for the newest view at each scrape; has a registry of its own."""

    def __init__(self, prefix: str, look: Callable[[], tuple[View, Around, Ns, Ns]]) -> None:
        self._prefix = prefix
        self._look = look
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: which metrics there are depends on what was heard."""
        return ()

    def collect(self) -> Iterator[Metric]:
        view, around, now, _ = self._look()
        return families(view, around, now, self._prefix)


def families(view: View, around: Around, now: Ns, prefix: str) -> Iterator[Metric]:
    """All metrics of a view at a moment of house time."""
    make = _Maker(prefix)
    processes = {"feed": view.feed, "strategy": view.strategy}
    up = [(name, float(heard.up(now))) for name, heard in processes.items()]
    yield make.gauges(
        "process_up", "1 while frames of the process arrive", "process", [*up, ("monitor", 1.0)]
    )
    ages = [(name, heard.silent_ns(now)) for name, heard in processes.items()]
    yield make.gauges(
        "frame_age_seconds",
        "Since the last frame of the process arrived",
        "process",
        [(name, age / SECOND) for name, age in ages if age is not None],
    )
    lives = [(name, float(heard.lives)) for name, heard in processes.items()]
    yield make.counters("process_lives", "Starts of the process seen", "process", lives)
    if view.advisor is not None:
        yield from _advisor(make, view.advisor)
    yield make.counter("bus_frames", "Frames heard", view.wire.frames)
    yield make.counter("bus_frames_missed", "Frames dropped on the way", view.wire.missed)
    yield make.counter("bus_messages_strange", "Messages not understood", view.wire.strange)
    if view.rates is not None:
        yield from _rates(make, view.rates)
    yield from _watched(make, around)
    if view.beat is not None and view.feed.up(now):
        yield from _feed(make, view, view.beat, now)
    if view.status is not None and view.strategy.up(now):
        yield from _strategy(make, view.status)
        if view.pace.known:
            text = "Ticks of the strategy in a second of house time"
            yield make.gauge("ticks_per_second", text, view.pace.per_s)
        if around.tax is not None:
            yield from _tax(make, around.tax)


def _watched(make: _Maker, around: Around) -> Iterator[Metric]:
    sizes = [(seen.name, seen.memory_mb * 2**20) for seen in around.processes]
    yield make.gauges("process_memory_bytes", "Resident memory", "process", sizes)
    counts = [(seen.name, float(seen.sockets)) for seen in around.processes]
    yield make.gauges("process_sockets", "Sockets open", "process", counts)
    if (found := around.fidelity) is not None:
        text = "Of what a backtest or the market filled, the part that both did (parity)"
        yield make.gauge("sim_fidelity", text, found.fidelity)
        at_s = found.at_wall / SECOND
        yield make.gauge("sim_fidelity_timestamp_seconds", "When that was measured", at_s)
    text = "1 while the Telegram bot cannot be reached or is not ours alone"
    yield make.gauge("telegram_trouble", text, float(bool(around.telegram)))


def _tax(make: _Maker, tax: TaxSeen) -> Iterator[Metric]:
    yield make.gauge("lots_open", "Lots in the ledger", tax.lots)
    for name, text, amount in (
        ("coins_resting_sells", "Coins in resting sells", tax.resting_sells),
        ("coins_taxable_at_risk", "Of these, not free of tax", tax.taxable_at_risk),
        ("gain_year", "Gain of this German year's sales, quote currency", tax.gain),
        ("gain_year_taxable", "Of it, taxable", tax.gain_taxable),
        ("gain_year_after_tax", "The gain less the tax on it, estimated", tax.gain_after_tax),
        ("freigrenze_room_eur", "Taxable gain left under the Freigrenze", tax.room or ""),
        (
            "freigrenze_room_after_resting_eur",
            "What is left once the resting sells filled in the worst order",
            tax.room_after_resting or "",
        ),
    ):
        yield make.gauges(name, text, "", _numbers([("", amount)]))


def _advisor(make: _Maker, seen: AdvisorSeen) -> Iterator[Metric]:
    """Counters of spending run on over restarts; those of faults begin with the monitor."""
    usage = seen.usage
    yield make.states("advisor_state", "What the advisor does", seen.state)
    yield make.counter("advisor_questions", "Questions put to a model", usage.questions)
    yield make.counter("advisor_opinions", "Opinions the strategy took", usage.opinions)
    faults = [(kind, float(count)) for kind, count in seen.faults]
    yield make.counters("advisor_faults", "Questions without an opinion", "kind", faults)
    tokens = (("in", float(usage.tokens_in)), ("out", float(usage.tokens_out)))
    yield make.counters("advisor_tokens", "Tokens charged", "direction", tokens)
    yield make.counter("advisor_cost_usd", "At the configured prices", float(usage.usd))
    yield make.gauge("advisor_cost_today_usd", "Of the UTC day asked last", float(usage.day_usd))


def _rates(make: _Maker, rates: RatesSeen) -> Iterator[Metric]:
    if rates.days_behind is not None:
        days = float(rates.days_behind)
        yield make.gauge("ecb_rates_days_behind", "Days of rates that should be known", days)
    if rates.fetched:
        at_s = rates.fetched / SECOND
        yield make.gauge("ecb_rates_fetched_timestamp_seconds", "The ECB last answered", at_s)
    yield make.gauge("ecb_rates_failures", "Failed fetches since", rates.failures)


def _feed(make: _Maker, view: View, beat: Beat, now: Ns) -> Iterator[Metric]:
    yield make.gauge(
        "feed_line_age_seconds", "Since the exchange was heard", (now - beat.heard_at) / SECOND
    )
    yield make.gauge(
        "feed_lag_seconds", "Oldest message that waited in the feed", beat.lag_ns / SECOND
    )
    yield make.states("feed_phase", "What the feed does", beat.phase)
    yield make.counter("feed_connects", "Connections opened", beat.connects)
    yield make.counter("feed_resubscribes", "Subscriptions repeated", beat.resubscribes)
    yield make.counter("feed_checksums", "Book checksums verified", beat.checksums)
    yield make.counter("feed_checksum_faults", "Book checksums failed", beat.checksum_faults)
    yield make.counter("feed_messages_dropped", "Messages not understood", beat.dropped)
    books = view.books.items()
    yield make.gauges(
        "book_valid",
        "1 while the book is verified",
        "pair",
        [(p, float(b.valid)) for p, b in books],
    )
    yield make.gauges(
        "book_age_seconds",
        "Since the line of the book was heard",
        "pair",
        [(pair, (now - book.heard_at) / SECOND) for pair, book in books],
    )
    sound = [(view.pairs[p], b) for p, b in books if p in view.pairs and b.bids and b.asks]
    for name, levels in (("best_bid", "bids"), ("best_ask", "asks")):
        prices = [(s.symbol, float_price(s, getattr(b, levels)[0])) for s, b in sound]
        yield make.gauges(name, "Quote currency", "pair", prices)


def _strategy(make: _Maker, status: Status) -> Iterator[Metric]:
    yield make.states("phase", "Phase of the strategy", status.phase)
    yield make.states("pause", "Pause state", status.pause)
    yield make.states("regime", "Market regime", status.regime)
    yield make.states("private_line", "Private connection to the exchange", status.line)
    for name, text, value in (
        ("hold", "1 while the operator holds the strategy", float(status.hold)),
        ("feed_age_seconds", "Age of the market data as the strategy sees it", status.feed_age_s),
        ("switch_left_seconds", "Until the dead man's switch fires", status.switch_left_s),
        ("drawdown_ratio", "Of the peak of equity", status.drawdown_pct),
        ("orders_open", "Own orders that rest at the exchange", status.orders),
        ("orders_lost", "Own orders whose fate is unknown", status.lost),
        ("orders_foreign", "Orders of the account that are not ours", status.foreign_orders),
        ("rate_used", "Rate counter of the exchange", status.rate_used),
        ("rate_limit", "Its threshold", status.rate_limit),
        ("tick_duration_seconds", "Of the last step", status.tick_us / 1e6),
        ("strategy_uptime_seconds", "Of the strategy", status.uptime_s),
        ("fee_maker_ratio", "Fee of a maker", status.maker_pct / 100),
        ("fee_taker_ratio", "Fee of a taker", status.taker_pct / 100),
    ):
        yield make.gauge(name, text, value)
    for name, text, money in (
        ("equity", "Quote currency, estimated", status.equity),
        ("ledger_coins", "Sum of the open lots", status.ledger_base),
        ("ledger_coins_free", "Of these, free of tax", status.free_base),
        ("ledger_drift", "Balance at the exchange less ledger", status.drift),
    ):
        yield make.gauges(name, text, "", _numbers([("", money)]))
    yield make.counter("fills", "Fills booked in the ledger", status.fills)
    yield make.gauges("balance", "At the exchange", "asset", _numbers(status.balances))
    yield make.counters("actions", "What the strategy did", "kind", status.counters)
    levels = ("info", "warning", "error", "critical")
    open_now = [(level, float(sum(a == level for a, _ in status.alerts))) for level in levels]
    yield make.gauges("alerts_open", "Open alerts", "level", open_now)
    volatility = [(pair.pair, pair.volatility_pct) for pair in status.pairs]
    yield make.gauges("volatility_ratio", "Annualised", "pair", volatility)
    advice = [(pair.pair, pair.advice_bps) for pair in status.pairs]
    yield make.gauges("advice_bps", "What advice leans the prices by", "pair", advice)


class _Maker:
    """Families with the house's prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def gauge(self, name: str, text: str, value: float) -> Metric:
        return GaugeMetricFamily(f"{self._prefix}_{name}", text, value=value)

    def counter(self, name: str, text: str, value: float) -> Metric:
        return CounterMetricFamily(f"{self._prefix}_{name}", text, value=value)

    def gauges(self, name: str, text: str, label: str, values: Labelled) -> Metric:
        labels = [label] if label else []
        family = GaugeMetricFamily(f"{self._prefix}_{name}", text, labels=labels)
        for which, value in values:
            family.add_metric([which] if label else [], value)
        return family

    def counters(self, name: str, text: str, label: str, values: Labelled) -> Metric:
        family = CounterMetricFamily(f"{self._prefix}_{name}", text, labels=[label])
        for which, value in values:
            family.add_metric([which], value)
        return family

    def states(self, name: str, text: str, value: str) -> Metric:
        return self.gauges(name, f"{text}: 1 for the present one", "state", [(value, 1.0)])


def _numbers(values: Iterable[tuple[str, str]]) -> Iterator[tuple[str, float]]:
    """For graphs only: text that is no number is left out."""
    for name, text in values:
        try:
            yield name, float(Decimal(text))
        except InvalidOperation:
            continue
