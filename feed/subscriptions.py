"""What is subscribed: each channel of each pair, from the first request to the data it brings.

Rule 1: a request counts when its acknowledgement is heard, a subscription when its snapshot is.
Rule 2: what is not answered is asked again, each time later; one message carries many symbols.
Rule 3: a subscription that the feed cannot do without ends the line when asking does not help.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from shared.kraken.public import Ack, Ask
from shared.units import SECOND, Ns

NEVER: Final = Ns(1 << 62)

BACKOFF_S: Final = (1, 3, 10, 30)
"""Before the first, second, ... time that something is asked for again."""

REFUSED_WAIT: Final = Ns(30 * SECOND)
"""The exchange said no, with a reason: it will hardly say yes a second later."""

MOST_UNANSWERED: Final = 3
MOST_WITHOUT_SNAPSHOT: Final = 1

MOST_REQUESTS_REMEMBERED: Final = 200


class SubState(enum.Enum):
    IDLE = "idle"  # not wanted yet
    WANTED = "wanted"  # to be asked for when due
    ASKED = "asked"  # the acknowledgement is due
    ACKED = "acked"  # the snapshot is due
    LIVE = "live"  # brings data; due when it has been silent for too long
    LEAVING = "leaving"  # the acknowledgement of the unsubscribe is due


class Sub:
    """One channel of one symbol ("" for channels that have none)."""

    __slots__ = ("channel", "due", "not_before", "state", "symbol", "tries", "vital")

    def __init__(self, channel: str, symbol: str) -> None:
        self.channel = channel
        self.symbol = symbol
        self.vital = channel in ("instrument", "book")
        self.state = SubState.IDLE
        self.due = NEVER
        self.tries = 0
        self.not_before = Ns(0)

    def turn(self, state: SubState, due: Ns) -> None:
        self.state = state
        self.due = due


class Turns(Struct):
    """What the passing of time asks for. `end`: why the line is no good any more, or ""."""

    subscribe: list[Sub]
    unsubscribe: list[Sub]
    notes: list[tuple[str, Sub]]
    end: str = ""


class Subscriptions:
    """answer: ns to wait for an acknowledgement or a snapshot; silence: for a book's next word."""

    def __init__(self, symbols: Sequence[str], answer: Ns, silence: Ns) -> None:
        self._answer = answer
        self._silence = silence
        keys = [("instrument", "")]
        keys += [(channel, s) for channel in ("book", "trade", "ticker", "ohlc") for s in symbols]
        self._subs = {key: Sub(*key) for key in keys}
        self._requests: dict[int, tuple[str, tuple[str, ...]]] = {}

    def reset(self) -> None:
        """A new line: nothing is subscribed."""
        self._subs = {key: Sub(*key) for key in self._subs}
        self._requests.clear()

    def want(self, symbol: str, now: Ns) -> None:
        """Ask for all channels of a symbol that are idle; "" stands for the instrument channel."""
        for sub in self._subs.values():
            if sub.symbol == symbol and sub.state is SubState.IDLE:
                sub.turn(SubState.WANTED, now)

    def sent(self, ask: Ask, req_id: int) -> None:
        """Remember whom a refusal without a channel is about."""
        self._requests[req_id] = (ask.channel, ask.symbols)
        if len(self._requests) > MOST_REQUESTS_REMEMBERED:
            del self._requests[next(iter(self._requests))]

    def again(self, symbol: str, now: Ns, not_before: Ns) -> bool:
        """Unsubscribe a book and subscribe it again; True if the unsubscribe is to be sent now."""
        sub = self._subs[("book", symbol)]
        sub.not_before = not_before
        match sub.state:
            case SubState.ASKED | SubState.ACKED | SubState.LIVE:
                sub.turn(SubState.LEAVING, Ns(now + self._answer))
                return True
            case SubState.WANTED:
                sub.due = Ns(max(sub.due, not_before))
                return False
            case SubState.IDLE | SubState.LEAVING:
                return False

    def answered(self, ack: Ack, now: Ns) -> list[str]:
        """Hear an acknowledgement or a refusal; the symbols whose books have ended by it."""
        channel, symbols = self._about(ack)
        ended = []
        for symbol in symbols:
            sub = self._subs.get((channel, symbol))
            if sub is None:
                continue
            if ack.method == "unsubscribe":
                if sub.state is SubState.LEAVING:
                    sub.turn(SubState.WANTED, Ns(max(now, sub.not_before)))
                if channel == "book":
                    ended.append(symbol)
            elif sub.state is SubState.ASKED:
                self._subscribe_answered(sub, ack.error, now)
        return ended

    def heard(self, channel: str, symbol: str, now: Ns, snapshot: bool) -> None:
        """Data that could be used. A book begins with its snapshot, the others with any word."""
        sub = self._subs.get((channel, symbol))
        if sub is None:
            return
        silence_due = Ns(now + self._silence) if channel == "book" else NEVER
        if sub.state is SubState.LIVE:
            sub.due = silence_due
        elif sub.state in (SubState.ASKED, SubState.ACKED) and (snapshot or not sub.vital):
            sub.tries = 0
            sub.turn(SubState.LIVE, silence_due)

    def turns(self, now: Ns) -> Turns:
        """All that has become due."""
        turns = Turns([], [], [])
        for sub in self._subs.values():
            if now >= sub.due:
                self._turn(sub, now, turns)
        return turns

    def all_live(self) -> bool:
        return all(sub.state is SubState.LIVE for sub in self._subs.values() if sub.vital)

    def wake_at(self) -> Ns:
        return min(sub.due for sub in self._subs.values())

    def _turn(self, sub: Sub, now: Ns, turns: Turns) -> None:
        answer_due = Ns(now + self._answer)
        match sub.state:
            case SubState.WANTED:
                sub.turn(SubState.ASKED, answer_due)
                turns.subscribe.append(sub)
            case SubState.ASKED:
                turns.notes.append(("subscription_unanswered", sub))
                if sub.vital and sub.tries >= MOST_UNANSWERED:
                    turns.end = f"subscribing to {sub.channel} is not answered"
                self._retry(sub, now)
            case SubState.ACKED if sub.tries >= MOST_WITHOUT_SNAPSHOT:
                turns.notes.append(("subscription_without_snapshot", sub))
                if sub.vital:
                    turns.end = f"{sub.channel} brings no snapshot"
                sub.turn(SubState.LIVE, NEVER)
            case SubState.ACKED | SubState.LIVE:
                # Acknowledged and silent while heartbeats run: a known fault of the gateway.
                turns.notes.append(("subscription_silent", sub))
                sub.tries += 1
                sub.turn(SubState.LEAVING, answer_due)
                turns.unsubscribe.append(sub)
            case SubState.LEAVING:
                sub.turn(SubState.WANTED, Ns(max(now, sub.not_before)))
            case SubState.IDLE:
                sub.due = NEVER

    def _subscribe_answered(self, sub: Sub, error: str, now: Ns) -> None:
        if not error or error.startswith("Already subscribed"):
            sub.turn(SubState.ACKED, Ns(now + self._answer))
        elif error.startswith("Exceeded msg rate"):
            self._retry(sub, now)
        else:
            sub.turn(SubState.WANTED, Ns(now + REFUSED_WAIT))

    def _retry(self, sub: Sub, now: Ns) -> None:
        wait_s = BACKOFF_S[min(sub.tries, len(BACKOFF_S) - 1)]
        sub.tries += 1
        sub.turn(SubState.WANTED, Ns(now + wait_s * SECOND))

    def _about(self, ack: Ack) -> tuple[str, tuple[str, ...]]:
        channel, symbols = self._requests.get(-1 if ack.req_id is None else ack.req_id, ("", ()))
        if ack.symbol:
            symbols = (ack.symbol,)
        channel = ack.channel or channel
        return channel, symbols or (("",) if channel == "instrument" else ())


def grouped(subs: Sequence[Sub], ask: Callable[[str, tuple[str, ...]], Ask]) -> list[Ask]:
    """One request for each channel, with all its symbols."""
    channels: dict[str, list[str]] = {}
    for sub in subs:
        channels.setdefault(sub.channel, []).append(sub.symbol)
    return [ask(channel, tuple(s for s in names if s)) for channel, names in channels.items()]
