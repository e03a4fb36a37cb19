"""What REST is asked at the start and now and then: in which order, how often, what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shared.orders import Fees, Pairs, SecondPrice
from shared.units import DAY, MINUTE, SECOND, Ns
from strategy.session import mail as m
from strategy.session.chores import Chores
from strategy.session.desk import NEVER, Purpose
from tests.unit.strategy.session.bench import PAIR_ROW, REST, of

NOW = Ns(1_000 * SECOND)
TWO = {
    "XXBTZEUR": PAIR_ROW,
    "XXBTZUSD": {**PAIR_ROW, "altname": "XBTUSD", "wsname": "XBT/USD"},
}


def hear(
    chores: Chores, purpose: Purpose, result: Any, now: Ns = NOW, error: str = ""
) -> list[m.SessionOut]:
    body = {"error": [error]} if error else {"error": [], "result": result}
    return chores.hear(purpose, 200, msgspec.json.encode(body), now)


def purposes(chores: Chores, now: Ns = NOW) -> list[Purpose]:
    return [errand.purpose for errand in chores.due(now)]


def begun(*symbols: str, permissions: tuple[str, ...] = ("modify-trades",)) -> Chores:
    """The pairs are read and the key is checked."""
    chores = Chores(symbols or ("BTC/EUR",))
    assert purposes(chores) == [Purpose.PAIRS, Purpose.KEY]
    hear(chores, Purpose.PAIRS, TWO)
    hear(chores, Purpose.KEY, {"permissions": list(permissions)})
    return chores


def test_nothing_is_ready_before_the_pairs_are_read_and_the_key_is_checked() -> None:
    chores = Chores(("BTC/EUR",))
    assert chores.wake_at() == 0
    assert purposes(chores) == [Purpose.PAIRS, Purpose.KEY]
    assert purposes(chores) == [], "asked once until they are answered"
    ready = [chores.ready]
    (pairs,) = hear(chores, Purpose.PAIRS, TWO)
    ready.append(chores.ready)
    assert isinstance(pairs, Pairs)
    assert [pair.symbol for pair in pairs.pairs] == ["BTC/EUR"], "ours alone"
    assert chores.rest_names == {"BTC/EUR": "XXBTZEUR"}
    assert {"XBTEUR", "XXBTZUSD"} <= set(chores.pairs), "rows may name any pair"
    hear(chores, Purpose.KEY, {"permissions": ["modify-trades"]})
    assert [*ready, chores.ready] == [False, False, True]
    assert purposes(chores) == [Purpose.FEES, Purpose.TICKER]


@pytest.mark.parametrize(
    ("purpose", "again"),
    [
        (Purpose.PAIRS, DAY),
        (Purpose.KEY, None),
        (Purpose.FEES, 60 * MINUTE),
        (Purpose.TICKER, 10 * SECOND),
    ],
)
def test_each_is_due_again_after_its_time(purpose: Purpose, again: int | None) -> None:
    chores = begun()
    chores.due(NOW)
    name = {"pairs": "AssetPairs", "fees": "TradeVolume", "ticker": "Ticker"}.get(purpose.value, "")
    result = REST[name] if name else {"permissions": ["modify-trades"]}
    hear(chores, purpose, result)
    if again is None:
        assert purpose not in purposes(chores, Ns(NOW + 400 * DAY))
        return
    assert purpose not in purposes(chores, Ns(NOW + again - 1))
    assert purpose in purposes(chores, Ns(NOW + again))


def test_what_fails_is_asked_again_later_each_time_and_told() -> None:
    chores = Chores(("BTC/EUR",))
    waits = []
    now = NOW
    for _ in range(3):
        chores.due(now)
        hear(chores, Purpose.KEY, {"permissions": ["modify-trades"]}, now)
        (note,) = hear(chores, Purpose.PAIRS, None, now, error="EService:Unavailable")
        assert isinstance(note, m.Note)
        assert (note.level, note.event, note.fields["what"]) == ("warning", "rest_failed", "pairs")
        assert "EService:Unavailable" in str(note.fields["why"])
        waits.append(int(chores.wake_at() - now) // SECOND)
        assert note.fields["wait_s"] == waits[-1]
        now = chores.wake_at()
    assert waits == sorted(set(waits))
    hear(chores, Purpose.PAIRS, TWO, now)
    chores.due(Ns(now + DAY))
    hear(chores, Purpose.PAIRS, None, Ns(now + DAY), error="EService:Busy")
    assert int(chores.wake_at() - now - DAY) // SECOND <= waits[0], "an answer ends the row"


def test_a_pair_that_is_not_listed_is_named() -> None:
    chores = Chores(("BTC/EUR", "BTC/GBP"))
    (note,) = hear(chores, Purpose.PAIRS, TWO)
    assert isinstance(note, m.Note)
    assert "not listed: BTC/GBP" in str(note.fields["why"])
    assert not chores.pairs


def test_a_key_that_may_do_more_than_trade_is_fatal() -> None:
    chores = Chores(("BTC/EUR",))
    outs = hear(chores, Purpose.KEY, {"permissions": ["modify-trades", "withdraw-funds"]})
    assert [type(out) for out in outs] == [m.Note, m.Fatal]
    assert "may do more than trade" in chores.refused
    hear(chores, Purpose.PAIRS, TWO)
    assert not chores.ready


def test_what_the_key_lacks_is_told() -> None:
    chores = Chores(("BTC/EUR",))
    outs = of(m.Note, hear(chores, Purpose.KEY, {"permissions": ["query-ledger"]}))
    assert [note.event for note in outs] == ["key_lacks_permissions"]
    assert Purpose.WITHDRAWALS not in purposes(begun())
    assert Purpose.WITHDRAWALS in purposes(begun(permissions=("modify-trades", "query-ledger")))


def test_fees_and_prices_are_those_of_the_pairs_that_are_traded() -> None:
    both = {"XXBTZEUR": {"fee": "0.25"}, "XXBTZUSD": {"fee": "0.3"}}
    volume = {"fees": both, "fees_maker": both}
    touch = REST["Ticker"]["XXBTZEUR"]
    ticker = {"XXBTZEUR": touch, "XXBTZUSD": touch}
    one = begun()
    assert [fees.pair for fees in of(Fees, hear(one, Purpose.FEES, volume))] == ["BTC/EUR"]
    (price,) = hear(one, Purpose.TICKER, ticker)
    assert price == SecondPrice("BTC/EUR", price.bid, price.ask, NOW)  # type: ignore[union-attr]
    two = begun("BTC/EUR", "BTC/USD")
    assert [fees.pair for fees in of(Fees, hear(two, Purpose.FEES, volume))] == [
        "BTC/EUR",
        "BTC/USD",
    ]
    assert len(hear(two, Purpose.TICKER, ticker)) == 2


def test_a_house_without_anything_due_sleeps() -> None:
    chores = begun()
    chores.due(NOW)
    assert chores.wake_at() == NOW + DAY
    waiting = Chores(("BTC/EUR",))
    waiting.due(NOW)
    assert waiting.wake_at() == NEVER, "fees and prices wait for the names of the pairs"
