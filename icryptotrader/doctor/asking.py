"""One look at a real account through REST, while no strategy runs: for the doctor and the set-up.

Rule 1: it only asks. The nonce is above the last one that the strategy remembers, because both use
one key.
Rule 2: what comes back has the words of the strategy's own status, so that one check judges both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import httpx
from msgspec import Struct

from shared.clock import machine_wall
from shared.config import Config, Home
from shared.kraken import answers, rest
from shared.kraken.answers import Failure, answer
from shared.kraken.rest import Call, Signer, request_of
from shared.orders import Verdict
from shared.secret import ApiKey
from shared.units import Pair, plain, price_text
from strategy.core.memory import is_ours
from strategy.ledger.records import LedgerError, open_readonly
from strategy.trader import NONCE_FACT

T = TypeVar("T")

ASK_S: Final = 5.0


class Account(Struct, frozen=True):
    """What the exchange says. told: in the words of the status; pair: with its minima of now."""

    told: dict[str, Any]
    pair: Pair


class Asker:
    """Questions to one exchange, one after the other."""

    def __init__(self, url: str, signer: Signer, nonce: int = 0) -> None:
        """nonce: the last one that this key was used with."""
        self._url = url
        self._signer = signer
        self._nonce = nonce

    def ask(self, call: Call, parse: Callable[[bytes], T]) -> T | Failure:
        """What the exchange answers, or why it does not."""
        self._nonce = max(self._nonce + 1, machine_wall() // 1_000)
        request = request_of(call, self._signer, self._nonce)
        try:
            found = httpx.request(
                request.method,
                f"{self._url}{request.path}",
                content=request.body or None,
                headers=dict(request.headers),
                timeout=ASK_S,
                trust_env=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Failure(f"cannot be reached ({type(error).__name__})", Verdict.UNKNOWN)
        return answer(found.status_code, found.content, parse)


def public_asker(url: str) -> Asker:
    """For questions that need no key."""
    return Asker(url, rest.make_signer("", ""))


def asker_of(home: Home, config: Config, key: ApiKey) -> Asker:
    """For questions about the account. ValueError where the secret is none."""
    return Asker(config.kraken.rest_url, rest.make_signer(key.key, key.secret), last_nonce(home))


def look(asker: Asker, symbol: str) -> Account | Failure:
    """Everything that is asked of the account; one refusal is the whole answer."""
    listings = asker.ask(rest.ASSET_PAIRS, answers.parse_pairs)
    if isinstance(listings, Failure):
        return listings
    names = answers.by_name(listings)
    ours = next((each for each in listings if each.pair.symbol == symbol), None)
    if ours is None:
        return Failure(f"{symbol} is not listed", Verdict.NOT_DONE)
    one = ours.names[:1]
    ticker = asker.ask(rest.ticker(one), lambda body: answers.parse_ticker(body, names))
    if isinstance(ticker, Failure):
        return ticker
    balances = asker.ask(rest.BALANCES, answers.parse_balances)
    if isinstance(balances, Failure):
        return balances
    orders = asker.ask(rest.OPEN_ORDERS, lambda body: answers.parse_open(body, names))
    if isinstance(orders, Failure):
        return orders
    fees = asker.ask(rest.trade_volume(one), lambda body: answers.parse_fees(body, names))
    if isinstance(fees, Failure):
        return fees
    if symbol not in ticker or not fees:
        return Failure(f"{symbol} has no price or no fee now", Verdict.UNKNOWN)
    bid, ask = ticker[symbol]
    told = {
        "foreign_orders": sum(not is_ours(each.order.cl_ord_id) for each in orders),
        "balances": [[asset, plain(total)] for asset, total in balances.items()],
        "maker_pct": float(fees[0].maker * 100),
        "taker_pct": float(fees[0].taker * 100),
        "pairs": [
            {"pair": symbol, "bid": price_text(ours.pair, bid), "ask": price_text(ours.pair, ask)}
        ],
    }
    return Account(told, ours.pair)


def last_nonce(home: Home) -> int:
    """What the strategy remembers of its key; 0 where it has no ledger yet."""
    path = home.data / "ledger.sqlite"
    if not path.exists():
        return 0
    try:
        return int(open_readonly(path, last=0).facts.get(NONCE_FACT, "0"))
    except (LedgerError, ValueError):
        return 0
