"""What the set-up finds out at once: the key's rights, the account, the grid, the Telegram bot."""

from __future__ import annotations

from decimal import Decimal

import httpx

from icryptotrader.doctor.asking import Account, asker_of, look
from icryptotrader.preview import preview
from icryptotrader.wizard.questions import (
    FEES,
    GOOD_KEY,
    NO_BOT,
    NOT_TAKEN,
    TOO_LITTLE,
    TOO_MUCH,
    UNREACHED,
)
from shared.config import Config, Home
from shared.kraken import rights
from shared.kraken.answers import Failure, parse_key_info
from shared.kraken.rest import KEY_INFO
from shared.secret import ApiKey, fingerprint
from shared.units import Pair, cost_of, to_ticks
from sim.engine.instruments import LISTINGS

ASK_S = 5.0


def judge_key(home: Home, config: Config, key: ApiKey, place: int) -> Account | str:
    """The account that this key opens, or what is wrong with the key. place: of the language."""
    try:
        asker = asker_of(home, config, key)
    except ValueError as error:
        return NOT_TAKEN[place].format(why=error)
    info = asker.ask(KEY_INFO, parse_key_info)
    if isinstance(info, Failure):
        return NOT_TAKEN[place].format(why=info.error)
    if more := rights.excess(info.permissions):
        return TOO_MUCH[place].format(rights=", ".join(more))
    if less := rights.missing(info.permissions):
        return TOO_LITTLE[place].format(rights=", ".join(less))
    account = look(asker, config.pair)
    if isinstance(account, Failure):
        return NOT_TAKEN[place].format(why=account.error)
    return account


def about(key: ApiKey, account: Account, place: int) -> list[str]:
    """What a person should know of the account before the first order."""
    pair, told = account.pair, account.told
    bid = to_ticks(pair, Decimal(told["pairs"][0]["bid"]))
    least = max(cost_of(pair, bid, pair.qty_min), pair.cost_min)
    has = ", ".join(f"{total} {asset}" for asset, total in told["balances"]) or "-"
    rates = {"maker": f"{told['maker_pct']:g}", "taker": f"{told['taker_pct']:g}"}
    return [
        GOOD_KEY[place].format(mark=fingerprint(key)),
        FEES[place].format(least=f"{least:.2f}", quote=pair.quote, has=has, **rates),
    ]


def grid_of(config: Config, account: Account | None) -> str:
    """The ladder of these settings, as `icryptotrader preview` shows it, judged by the account."""
    if account is None:
        demo, pair = config.demo, LISTINGS[config.pair].pair
        rates = float(demo.maker_pct) / 100, float(demo.taker_pct) / 100
        return preview(config, pair, demo.start_price, rates)
    told = account.told
    has = {asset: Decimal(total) for asset, total in told["balances"]}
    price = Decimal(told["pairs"][0]["bid"])
    rates = told["maker_pct"] / 100, told["taker_pct"] / 100
    return preview(config, account.pair, price, rates, _held(has, account.pair))


def judge_bot(api_url: str, token: str, place: int) -> tuple[list[str], str]:
    """What is wrong with a bot's token, and what is to be said otherwise."""
    try:
        url = f"{api_url}/bot{token}/getMe"
        found = httpx.get(url, timeout=ASK_S, trust_env=False).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return [], UNREACHED[place]
    if not isinstance(found, dict) or not found.get("ok"):
        why = found.get("description", "?") if isinstance(found, dict) else "?"
        return [NO_BOT[place].format(why=why)], ""
    return [], ""


def _held(has: dict[str, Decimal], pair: Pair) -> tuple[Decimal, Decimal]:
    return has.get(pair.quote, Decimal(0)), has.get(pair.base, Decimal(0))
