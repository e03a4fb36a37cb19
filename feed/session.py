"""The public line as a Machine: from the first connect to verified frames, and back after a fault.

Rule 1: nothing is subscribed before the instrument channel has told the pairs' precisions.
Rule 2: any byte proves the line, only a channel's own data prove its subscription.
Rule 3: a wrong checksum costs one unsubscribe and one subscribe of that book, each time later;
too many of them cost the line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from feed.line import Line, LineState
from feed.mail import (
    CloseLine,
    In,
    LineClosed,
    LineOpened,
    Note,
    OpenLine,
    Out,
    Publish,
    SendText,
    Text,
)
from feed.market import MISMATCH, Heard, Market, Settings
from feed.outlet import Outlet
from feed.subscriptions import BACKOFF_S, Subscriptions, grouped
from feed.wall import Wall
from shared import frames
from shared.kraken import public
from shared.units import MINUTE, SECOND, Ns, Pair

SUSPECT_LIMIT: Final = SECOND
"""Kraken itself is seen to send crossed books for a moment; a lasting one is a fault of ours."""

DESYNC_WINDOW: Final = Ns(10 * MINUTE)

SYSTEMS: Final = ("online", "post_only", "cancel_only", "maintenance")


class Session:
    """`markets` may be read by whoever drives it: counters, and what is known of each pair."""

    def __init__(self, symbols: Sequence[str], settings: Settings, boot: Ns) -> None:
        self.markets = {symbol: Market(symbol, settings) for symbol in symbols}
        self._settings = settings
        self._patience = Ns(settings.line_silence // 2)  # of silence, before a ping is sent
        self._outlet = Outlet(symbols, boot)
        self._line = Line()
        self._subs = Subscriptions(symbols, settings.answer, settings.book_silence)
        self._out: list[Out] = []
        self._heard_at = Ns(0)
        self._pinged_at = Ns(0)
        self._req_id = 0
        self._chance = 0.0
        self._system = ""
        self._greeted = False
        self._connects = 0
        self._resubscribes = 0
        self._dropped = 0
        self._lag = Ns(0)
        self._wall = Wall()
        self._desyncs: dict[str, deque[Ns]] = {symbol: deque(maxlen=100) for symbol in symbols}
        self._trouble = "connecting"

    @property
    def line(self) -> int:
        """The number of the line that is heard, or was last; 0 before the first."""
        return self._line.number

    def step(self, now: Ns, inbox: Sequence[In]) -> Sequence[Out]:
        self._out = []
        for item in inbox:
            if item.line != self._line.number:
                continue  # A late word of a line that we have given up.
            match item:
                case Text(_, raw, at):
                    self._lag = max(self._lag, Ns(now - at))
                    self._heard_at = at
                    if self._line.state is LineState.UP:
                        self._hear(raw, at)
                case LineOpened(_, chance):
                    self._opened(now, chance)
                case LineClosed(_, why, chance):
                    self._chance = chance
                    self._lose_line(now, why)
        self._keep_line(now)
        if self._line.state is LineState.UP:
            self._keep_subscriptions(now)
        self._publish_due(now)
        return self._out

    def wake_at(self) -> Ns:
        due = self._outlet.wake_at(self.markets.values())
        if self._line.state is not LineState.UP:
            return min(due, self._line.due)
        return min(due, self._subs.wake_at(), Ns(self._quiet_since() + self._patience))

    def learn(self, spec: Pair) -> None:
        """What the instrument channel says of a pair; a recording may lack it and be told so."""
        market = self.markets.get(spec.symbol)
        if market is None or market.spec == spec:
            return
        if market.learn(spec, self._heard_at):
            self._note("warning", "precision_changed", pair=spec.symbol)
            self._subscribe_again(spec.symbol, self._heard_at, self._heard_at)
        self._out.append(self._outlet.instrument(market, self._heard_at))

    # The line.

    def _keep_line(self, now: Ns) -> None:
        line, silence = self._line, self._settings.line_silence
        match line.state:
            case LineState.DOWN if now >= line.due:
                self._connects += 1
                self._out.append(OpenLine(line.connect(now)))
            case LineState.CONNECTING if now >= line.due:
                self._end_line(now, "no answer to the attempt to connect")
            case LineState.UP if now - max(self._heard_at, line.opened_at) >= silence:
                self._end_line(now, f"nothing heard for {silence / SECOND:g} s")
            case LineState.UP:
                if now - self._quiet_since() >= self._patience:
                    self._pinged_at = now
                    self._send(public.ping(self._next_id()))
            case _:
                pass

    def _quiet_since(self) -> Ns:
        return max(self._heard_at, self._pinged_at, self._line.opened_at)

    def _opened(self, now: Ns, chance: float) -> None:
        if self._line.state is not LineState.CONNECTING:
            return
        self._line.opened(now)
        self._chance = chance
        self._greeted = False
        self._wall.forget()
        self._subs.reset()
        for market in self.markets.values():
            market.lose("waiting for a snapshot" if market.spec else "waiting for the instrument")
        self._note("info", "line_opened", line=self._line.number)

    def _end_line(self, now: Ns, why: str) -> None:
        self._out.append(CloseLine(self._line.number, why))
        self._lose_line(now, why)

    def _lose_line(self, now: Ns, why: str) -> None:
        if self._line.state is LineState.DOWN:
            return
        # "" is a line that never said its state: no reason to hold back.
        self._line.lost(now, self._chance, self._system not in ("", "online"))
        self._trouble = f"line down: {why}"
        for market in self.markets.values():
            market.lose(self._trouble)
        for times in self._desyncs.values():
            times.clear()
        wait_ms = max(self._line.due - now, 0) // 1_000_000
        self._note("warning", "line_lost", line=self._line.number, why=why, wait_ms=wait_ms)

    # What is heard.

    def _hear(self, raw: bytes, at: Ns) -> None:
        match public.decode(raw):
            case public.BookMessage() as message:
                self._hear_books(message, raw, at)
            case public.Heartbeat() | public.Pong():
                pass
            case public.TradeMessage() as message:
                self._hear_trades(message, at)
            case public.TickerMessage(kind, rows):
                for row in rows:
                    if (market := self._known(row.symbol)) is not None:
                        market.hear_ticker(row)
                        self._subs.heard("ticker", row.symbol, at, kind == "snapshot")
            case public.CandleMessage(kind, rows):
                for candle in rows:
                    if (market := self._known(candle.symbol)) is not None:
                        market.hear_candle(candle, at)
                        self._subs.heard("ohlc", candle.symbol, at, kind == "snapshot")
            case public.InstrumentMessage() as message:
                self._hear_instrument(message, at)
            case public.Status() as status:
                self._hear_status(status, at)
            case public.Ack() as ack:
                self._hear_ack(ack, at)
            case public.Dropped(why):
                self._dropped += 1
                if self._dropped <= 10 or self._dropped % 1000 == 0:
                    self._note("warning", "message_dropped", why=why, dropped=self._dropped)
            case public.Other(name):
                self._note("debug", "message_ignored", name=name[:40])

    def _hear_books(self, message: public.BookMessage[float], raw: bytes, at: Ns) -> None:
        snapshot = message.type == "snapshot"
        for index, row in enumerate(message.data):
            market = self.markets.get(row.symbol)
            if market is None or self._line.state is not LineState.UP:
                continue
            heard = market.hear_book(row, snapshot, at)
            if heard is Heard.IMPRECISE:
                exact = public.decode_exact(raw)
                if isinstance(exact, public.Dropped):
                    heard = market.fail("unusable number", exact.why)
                else:
                    heard = market.hear_book_again(exact.data[index], snapshot, at)
            match heard:
                case Heard.VERIFIED | Heard.RESYNCED:
                    self._subs.heard("book", row.symbol, at, snapshot)
                    if snapshot:
                        event = "book_resynced" if heard is Heard.RESYNCED else "book_synced"
                        self._note("info", event, pair=row.symbol)
                case Heard.DESYNCED | Heard.IMPRECISE:
                    if heard is Heard.IMPRECISE:
                        market.fail("unusable number", "a number with too many digits")
                    self._desynced(market, at)
                case Heard.IGNORED:
                    pass

    def _desynced(self, market: Market, at: Ns) -> None:
        times = self._desyncs[market.symbol]
        while times and times[0] <= at - DESYNC_WINDOW:
            times.popleft()
        times.append(at)
        self._note("warning", "book_desynced", pair=market.symbol, why=market.fault)
        if len(times) > self._settings.most_desyncs:
            self._end_line(at, f"{MISMATCH} of {market.symbol}, {len(times)} times in 10 minutes")
            return
        self._back_off(market, at)

    def _back_off(self, market: Market, at: Ns) -> None:
        count = max(len(self._desyncs[market.symbol]), 1)
        wait = BACKOFF_S[min(count, len(BACKOFF_S)) - 1] * SECOND
        self._subscribe_again(market.symbol, at, Ns(at + wait))

    def _subscribe_again(self, symbol: str, now: Ns, not_before: Ns) -> None:
        self._resubscribes += 1
        if self._subs.again(symbol, now, not_before):
            self._send(public.unsubscribe(self._ask("book", (symbol,)), self._next_id()))

    def _hear_trades(self, message: public.TradeMessage, at: Ns) -> None:
        rows: dict[str, list[public.TradeRow]] = {}
        for row in message.data:
            rows.setdefault(row.symbol, []).append(row)
        for symbol, trades in rows.items():
            if (market := self._known(symbol)) is None:
                continue
            self._subs.heard("trade", symbol, at, message.type == "snapshot")
            fresh, missed = market.hear_trades(trades, at, self._wall.at(at))
            if missed:
                self._note("warning", "trades_missed", pair=symbol, count=missed)
            if fresh:
                self._wall.learn(public.wall_ns(trades[-1].timestamp), at)
                outlet, heard_at = self._outlet, self._heard_at
                self._out.append(outlet.trades(market, heard_at))
                self._out.append(outlet.vwap(market, heard_at, self._wall.at(at)))

    def _hear_instrument(self, message: public.InstrumentMessage, at: Ns) -> None:
        self._subs.heard("instrument", "", at, message.type == "snapshot")
        for spec in message.pairs:
            if spec.symbol in self.markets:
                self.learn(spec)
                self._subs.want(spec.symbol, at)
        for market in self.markets.values():
            if market.spec is None:
                market.lose("not among the exchange's instruments")
                if message.type == "snapshot":
                    self._note("error", "pair_unknown", pair=market.symbol)

    def _hear_status(self, status: public.Status, at: Ns) -> None:
        # A state that we do not know is taken for the narrowest one that still lets us cancel.
        system = status.system if status.system in SYSTEMS else "cancel_only"
        if system != self._system:
            level = "info" if system == "online" else "warning"
            self._note(level, "system", state=system, said=status.system[:40])
            self._system = system
            self._outlet.beat_due = Ns(0)
        self._greet(at)

    def _hear_ack(self, ack: public.Ack, at: Ns) -> None:
        self._wall.learn(public.wall_ns(ack.time_out), at)
        if ack.error:
            self._note(
                "warning", "refused", method=ack.method, pair=ack.symbol[:40], why=ack.error[:200]
            )
        elif ack.method == "subscribe" and ack.channel == "book" and ack.symbol in self.markets:
            self.markets[ack.symbol].subscribed(ack.depth)
        for symbol in self._subs.answered(ack, at):
            self.markets[symbol].lose("unsubscribed")

    def _known(self, symbol: str) -> Market | None:
        """A configured pair whose precisions are known."""
        market = self.markets.get(symbol)
        return market if market is not None and market.spec is not None else None

    # What is asked.

    def _greet(self, now: Ns) -> None:
        if not self._greeted:
            self._greeted = True
            self._subs.want("", now)

    def _keep_subscriptions(self, now: Ns) -> None:
        if not self._greeted and now - self._line.opened_at >= self._settings.answer:
            self._note("warning", "no_status", line=self._line.number)
            self._greet(now)
        for market in self.markets.values():
            if market.suspect_since and now - market.suspect_since >= SUSPECT_LIMIT:
                self._note("warning", "book_suspect", pair=market.symbol, why=market.why)
                self._desyncs[market.symbol].append(now)
                market.lose(market.why)
                self._back_off(market, now)
        if now < self._subs.wake_at():
            return
        turns = self._subs.turns(now)
        for event, sub in turns.notes:
            self._note("warning", event, channel=sub.channel, pair=sub.symbol)
        if turns.end:
            self._end_line(now, turns.end)
            return
        for ask in grouped(turns.unsubscribe, self._ask):
            for symbol in ask.symbols if ask.channel == "book" else ():
                self._resubscribes += 1
                self.markets[symbol].lose("the subscription was silent")
            self._send(public.unsubscribe(ask, self._next_id()))
        for ask in grouped(turns.subscribe, self._ask):
            req_id = self._next_id()
            self._subs.sent(ask, req_id)
            self._send(public.subscribe(ask, req_id))

    def _ask(self, channel: str, symbols: tuple[str, ...]) -> public.Ask:
        settings = self._settings
        return public.Ask(
            channel,
            symbols,
            depth=settings.depth if channel == "book" else 0,
            interval=settings.candle_interval_min if channel == "ohlc" else 0,
        )

    def _send(self, raw: bytes) -> None:
        self._out.append(SendText(self._line.number, raw))

    def _next_id(self) -> int:
        self._req_id += 1
        return self._req_id

    # What is published.

    def _publish_due(self, now: Ns) -> None:
        markets, outlet = self.markets.values(), self._outlet
        self._out += outlet.books(markets, self._heard_at, now)
        if now >= outlet.beat_due:
            self._out += outlet.with_beat(markets, self._heard_at, now, self._wall.at(now))
            self._publish_beat(now)

    def _publish_beat(self, now: Ns) -> None:
        markets = self.markets.values()
        phase, note = self._phase()
        topic = frames.topic("feed")
        beat = frames.Beat(
            boot=self._outlet.boot,
            seq=self._outlet.next_seq(topic),
            heard_at=self._heard_at,
            changed_at=now,
            phase=phase,
            system=self._system,
            connects=self._connects,
            resubscribes=self._resubscribes,
            checksums=sum(market.counts.verified for market in markets),
            checksum_faults=sum(market.counts.failed for market in markets),
            dropped=self._dropped,
            lag_ns=self._lag,
            note=note,
            tickers=tuple((m.symbol, *m.ticker) for m in markets if any(m.ticker)),
        )
        self._lag = Ns(0)
        self._out.append(Publish(topic, beat))

    def _phase(self) -> tuple[str, str]:
        match self._line.state:
            case LineState.DOWN:
                return "waiting", self._trouble
            case LineState.CONNECTING:
                return "connecting", self._trouble
            case LineState.UP:
                waits = [f"{m.symbol}: {m.why}" for m in self.markets.values() if m.why]
                live = self._subs.all_live()
                return "live" if live else "subscribing", "; ".join(waits)

    def _note(self, level: str, event: str, **fields: str | int) -> None:
        self._out.append(Note(level, event, fields))
