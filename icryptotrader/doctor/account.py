"""The doctor's checks of the exchange account: key, clock, orders, coins, fees, feasibility.

With the house running they rest on what the strategy says, so that no second program uses its
nonces; with it down, and a key of a real account, the key itself is asked about.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import httpx
import msgspec

from icryptotrader.doctor.findings import Finding, Patient, fail, ok, skip, warn
from shared.clock import machine_wall
from shared.config import ConfigError, account_key
from shared.kraken.rest import KEY_INFO, SYSTEM_STATUS, TIME, Call, Request, make_signer, request_of
from shared.units import SECOND
from sim.engine.instruments import find

ASK_S: Final = 5.0
SKEW_WARN_S: Final = 1.0
SKEW_FAIL_S: Final = 5.0
WITHDRAWALS: Final = "withdraw"
NEEDED: Final = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades")
EARNING: Final = (".F", ".B", ".S", ".M", ".P")
"""Kraken's endings of balances that are lent, bonded or staked."""


def mode(patient: Patient) -> Finding:
    if patient.loaded is None:
        return skip("the configuration has faults")
    if patient.config.mode == "demo":
        return ok("demo: no real money can move, no key is needed")
    return warn(f"{patient.config.mode}", "docs/live-checklist.md, step by step")


def exchange_clock(patient: Patient) -> Finding:
    """Deadlines and nonces are dates: both clocks must agree."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    if patient.config.mode == "demo" and not patient.running:
        return skip("the simulated exchange does not run")
    if patient.config.speed > 1:
        return skip("this house runs faster than the clock")
    begin = machine_wall()
    found = _public(patient, TIME)
    if found is None:
        return fail("the exchange does not answer", "check the network: ping api.kraken.com")
    middle = (begin + machine_wall()) / 2 / SECOND
    skew_s = abs(float(found.get("unixtime", 0)) - middle) - 1.0  # it tells whole seconds
    if skew_s > SKEW_FAIL_S and patient.config.mode != "demo":
        return fail(f"the clocks differ by {skew_s:.0f} s", "sudo timedatectl set-ntp true")
    if skew_s > SKEW_WARN_S and patient.config.mode != "demo":
        return warn(f"the clocks differ by {skew_s:.1f} s", "sudo timedatectl set-ntp true")
    return ok("the exchange's clock and ours agree")


def exchange_status(patient: Patient) -> Finding:
    if patient.loaded is None or (patient.config.mode == "demo" and not patient.running):
        return skip("the exchange cannot be asked")
    found = _public(patient, SYSTEM_STATUS)
    if found is None:
        return fail("the exchange does not answer", "status.kraken.com")
    if found.get("status") != "online":
        return warn(f"the exchange is {found.get('status')}", "nothing to do but to wait")
    return ok("the exchange is online")


def key(patient: Patient) -> Finding:
    """What the key may do: no withdrawals, and all that trading needs."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    if patient.config.mode == "demo":
        return skip("demo: the simulated exchange makes its own key")
    if patient.running:
        return ok("the running strategy has checked the key's rights at its start")
    try:
        account = account_key(patient.home, patient.config)
        signer = make_signer(account.key, account.secret)
    except (ConfigError, ValueError) as error:
        return fail(str(error), "icryptotrader setup")
    nonce = machine_wall() // 1_000_000
    found = _send(patient.config.kraken.rest_url, request_of(KEY_INFO, signer, nonce))
    if found is None:
        return fail("the exchange refuses the key or does not answer", "make a new key")
    rights = [str(right) for right in found.get("permissions", ())]
    if any(WITHDRAWALS in right for right in rights):
        return fail("the key may withdraw money", "make a key without any withdrawal right")
    missing = [right for right in NEEDED if right not in rights]
    if missing:
        return fail(f"the key lacks {', '.join(missing)}", "give it these rights at Kraken")
    if str(found.get("nonce_window", "0")) != "0":
        return warn("the key has a nonce window: orders may double", "set the window to 0")
    return ok("the key may trade and may not withdraw")


def foreign_orders(patient: Patient) -> Finding:
    if patient.status is None:
        return skip("the strategy does not run")
    count = int(patient.status.get("foreign_orders", 0))
    if count:
        text = f"{count} orders of others: another bot, or you by hand?"
        return warn(text, "give the bot an account or subaccount of its own")
    return ok("no orders of others")


def switch(patient: Patient) -> Finding:
    """The dead man's switch cancels everything in the account, whoever placed it."""
    if patient.status is None:
        return skip("the strategy does not run")
    left = float(patient.status.get("switch_left_s", 0))
    if left <= 0:
        return warn(
            "the dead man's switch is not armed", "strategy-ctl status says what it waits for"
        )
    return ok(f"armed, {left:.0f} s left; if it fires, every order of the account is cancelled")


def drift(patient: Patient) -> Finding:
    if patient.status is None:
        return skip("the strategy does not run")
    off = str(patient.status.get("drift", "0"))
    if off.strip("-0."):
        return fail(f"the account's coins less the ledger's: {off}", "strategy-ctl reconcile")
    return ok("the account's coins are the ledger's")


def earn(patient: Patient) -> Finding:
    """Auto-earn moves coins away from trading and makes taxable income of another kind."""
    if patient.status is None:
        return skip("the strategy does not run")
    lent = [name for name, _ in _balances(patient.status) if name.endswith(EARNING)]
    if lent:
        text = f"Auto Earn holds {', '.join(lent)}"
        return fail(text, "switch Auto Earn off at Kraken and unallocate; § 22 Nr. 3 EStG")
    return ok("nothing is lent or staked")


def order_size(patient: Patient) -> Finding:
    """Each rung must reach the exchange's least order, at the price of today."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    listing = find(patient.config.pair)
    pairs = patient.status.get("pairs") if patient.status else None
    price = _decimal(pairs[0].get("bid")) if pairs else patient.config.demo.start_price
    if listing is None or price <= 0:
        return skip("no price is known")
    least = Decimal(listing.pair.qty_min).scaleb(-8) * price
    size = patient.config.grid.order_size_quote
    if size < least * 2:
        text = f"a rung of {size} is near the least order ({least:.2f} at {price:.0f})"
        return warn(text, "raise grid.order_size_quote: halves of it are traded, too")
    return ok(f"a rung of {size} is above the least order ({least:.2f})")


def capital(patient: Patient) -> Finding:
    if patient.status is None:
        return skip("the strategy does not run")
    grid = patient.config.grid
    need = grid.order_size_quote * grid.levels
    quote = patient.config.pair.partition("/")[2]
    has = dict(_balances(patient.status)).get(quote, Decimal(0))
    if has < need:
        text = f"{has:.0f} {quote} for {grid.levels} buys of {grid.order_size_quote}"
        return warn(text, "lower grid.levels or grid.order_size_quote, or pay in")
    return ok(f"{has:.0f} {quote} cover all {grid.levels} buys")


def spacing(patient: Patient) -> Finding:
    """Whether a round trip pays at the account's fees."""
    if patient.status is None:
        return skip("the strategy does not run")
    maker = Decimal(str(patient.status.get("maker_pct", 0)))
    grid = patient.config.grid
    floor = 200 * maker + grid.adverse_selection_bps + grid.least_edge_bps
    text = f"maker fee {maker} %: rungs are at least {floor.normalize():f} bps apart"
    if floor > 60:
        return warn(text, "few round trips at this fee; docs/operations.md, fees")
    return ok(text)


def agreement(patient: Patient) -> Finding:
    if patient.loaded is None or patient.config.mode == "demo":
        return skip("live only: German accounts must agree to Kraken's trading agreement once")
    return warn("cannot be asked about", "place one order by hand at Kraken and accept the text")


def _public(patient: Patient, call: Call) -> dict[str, Any] | None:
    config = patient.config
    url = config.kraken.rest_url
    if config.mode == "demo":
        url = f"http://127.0.0.1:{config.demo.public_port}"
    return _send(url, request_of(call, make_signer("", ""), 0))


def _send(url: str, request: Request) -> dict[str, Any] | None:
    try:
        answer = httpx.request(
            request.method,
            f"{url}{request.path}",
            content=request.body or None,
            headers=dict(request.headers),
            timeout=ASK_S,
            trust_env=False,
        )
        found = msgspec.json.decode(answer.content)
    except (httpx.HTTPError, msgspec.MsgspecError):
        return None
    result = found.get("result") if isinstance(found, dict) and not found.get("error") else None
    return result if isinstance(result, dict) else None


def _balances(status: dict[str, Any]) -> list[tuple[str, Decimal]]:
    return [(str(name), _decimal(total)) for name, total in status.get("balances") or ()]


def _decimal(text: object) -> Decimal:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return Decimal(0)


ACCOUNT_CHECKS: Final[tuple[tuple[str, Callable[[Patient], Finding]], ...]] = (
    ("mode", mode),
    ("exchange clock", exchange_clock),
    ("exchange", exchange_status),
    ("API key", key),
    ("orders of others", foreign_orders),
    ("dead man's switch", switch),
    ("coins", drift),
    ("auto earn", earn),
    ("order size", order_size),
    ("capital", capital),
    ("fees", spacing),
    ("trading agreement", agreement),
)
