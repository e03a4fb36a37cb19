"""The doctor's checks of the exchange account: key, clock, orders, coins, fees, feasibility.

With the house running they rest on what the strategy says, so that no second program uses its
nonces; with it down, in live mode, the account itself is asked (asking.py).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeVar

from icryptotrader.doctor.asking import Account, Asker, public_asker
from icryptotrader.doctor.findings import Finding, Patient, fail, ok, skip, warn
from shared.clock import machine_wall
from shared.config import ConfigError, read_key
from shared.endpoints import endpoints
from shared.kraken import rights
from shared.kraken.answers import Failure, KeyInfo, parse_key_info, parse_status, parse_time
from shared.kraken.rest import KEY_INFO, SYSTEM_STATUS, TIME, Call, make_signer
from shared.secret import fingerprint
from shared.units import DAY, SECOND, Pair, Ticks, to_ticks
from sim.engine.instruments import find
from strategy.core.feasible import ladder, shortfalls

T = TypeVar("T")

SKEW_WARN_S: Final = 1.0
SKEW_FAIL_S: Final = 5.0
KEY_ENDS_SOON: Final = 14 * DAY
EARNING: Final = (".F", ".B", ".S", ".M", ".P")
"""Kraken's endings of balances that are lent, bonded or staked."""

NOT_KNOWN: Final = "the strategy does not run"


def mode(patient: Patient) -> Finding:
    if patient.loaded is None:
        return skip("the configuration has faults")
    match patient.config.mode:
        case "demo":
            return ok("demo: no real money can move, no key is needed")
        case "paper":
            return ok("paper: the market is real, account and orders are simulated here; no key")
        case "live":
            return warn("live: orders move your money", "docs/live-checklist.md, step by step")


def exchange_clock(patient: Patient) -> Finding:
    """Deadlines and nonces are dates: both clocks must agree."""
    if why := _not_asked(patient):
        return skip(why)
    if patient.config.speed > 1:
        return skip("this house runs faster than the clock")
    begin = machine_wall()
    found = _public(patient, TIME, parse_time)
    if isinstance(found, Failure):
        return fail(f"the exchange does not answer: {found.error}", "check the network")
    middle = (begin + machine_wall()) // 2
    skew_s = abs(found - middle) / SECOND - 1.0  # it tells whole seconds
    real = patient.config.mode == "live"
    if skew_s > SKEW_FAIL_S and real:
        return fail(f"the clocks differ by {skew_s:.0f} s", "sudo timedatectl set-ntp true")
    if skew_s > SKEW_WARN_S and real:
        return warn(f"the clocks differ by {skew_s:.1f} s", "sudo timedatectl set-ntp true")
    return ok("the exchange's clock and ours agree")


def exchange_status(patient: Patient) -> Finding:
    if why := _not_asked(patient):
        return skip(why)
    found = _public(patient, SYSTEM_STATUS, parse_status)
    if isinstance(found, Failure):
        return fail(f"the exchange does not answer: {found.error}", "status.kraken.com")
    if found != "online":
        return warn(f"the exchange is {found}", "nothing to do but to wait")
    return ok("the exchange is online")


def key(patient: Patient) -> Finding:
    """What the key may do: nothing that moves money away, and all that trading needs."""
    if why := _no_key_wanted(patient):
        return skip(why)
    if patient.running:
        return ok("the running strategy has checked the key's rights at its start")
    if patient.key is None:
        return fail(patient.key_fault, "icryptotrader setup")
    info = patient.info
    if not isinstance(info, KeyInfo):
        why = info.error if info is not None else "it was not asked"
        return fail(f"the exchange does not take the key: {why}", "make a new key: setup")
    if more := rights.excess(info.permissions):
        text = f"the key may do more than trade: {', '.join(more)}"
        return fail(text, "make a key without these rights, and delete this one")
    if less := rights.missing(info.permissions):
        return fail(f"the key lacks: {', '.join(less)}", "tick these boxes at Kraken")
    return ok(f"the key may trade and nothing else; its fingerprint is {fingerprint(patient.key)}")


def nonce_window(patient: Patient) -> Finding:
    """A window lets a late request through: an order that was given up could appear."""
    info = patient.info
    if not isinstance(info, KeyInfo):
        return skip(_no_key_wanted(patient) or "the key could not be asked about")
    if info.nonce_window:
        return warn("the key has a nonce window", "set its nonce window to 0 at Kraken")
    return ok("the key has no nonce window")


def key_limits(patient: Patient) -> Finding:
    """Where the key works from, and until when."""
    info = patient.info
    if not isinstance(info, KeyInfo):
        return skip(_no_key_wanted(patient) or "the key could not be asked about")
    left = info.valid_until * SECOND - machine_wall()
    if info.valid_until and left < KEY_ENDS_SOON:
        text = f"the key ends in {max(left, 0) // DAY} days"
        return warn(text, "make a new key in time: icryptotrader setup")
    if not info.ip_allowlist:
        text = "the key works from everywhere"
        return warn(text, "if this machine's address is fixed: allow it alone at Kraken")
    return ok(f"the key works from {', '.join(info.ip_allowlist)} alone")


def kill_key(patient: Patient) -> Finding:
    """`bot-kill` must be able to cancel before it is needed, and nobody gains by its key."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    if patient.config.mode != "live":
        return skip("demo and paper make their own")
    remedy = "make a key with Cancel & Close Orders alone: kraken.cancel_key_file"
    if not (named := patient.config.kraken.cancel_key_file):
        return warn("bot-kill has no key, it could only raise the halt flag", remedy)
    try:
        found = read_key(Path(named).expanduser())
        asker = Asker(patient.config.kraken.rest_url, make_signer(found.key, found.secret))
    except (ConfigError, ValueError) as error:
        return fail(f"bot-kill cannot read its key: {error}", remedy)
    if found == patient.key:
        return warn("bot-kill has the strategy's own key: they would cross", remedy)
    info = asker.ask(KEY_INFO, parse_key_info)
    if isinstance(info, Failure):
        return fail(f"the exchange does not take bot-kill's key: {info.error}", remedy)
    if rights.CANCELLING not in info.permissions:
        return fail("bot-kill's key may not cancel orders", remedy)
    if more := rights.beyond_cancelling(info.permissions):
        return warn(f"bot-kill's key may do more than cancel: {', '.join(more)}", remedy)
    return ok("bot-kill has a key that may cancel orders and nothing else")


def foreign_orders(patient: Patient) -> Finding:
    told = patient.told
    if told is None:
        return skip(NOT_KNOWN)
    count = int(told.get("foreign_orders", 0))
    if count:
        # The dead man's switch is the account's: it cancels whatever rests there.
        text = f"{count} orders of others; if the dead man's switch fires, they are cancelled too"
        remedy = "give the bot an account or subaccount of its own, or cancel them first"
        return fail(text, remedy) if patient.starting else warn(text, remedy)
    return ok("no orders of others")


def switch(patient: Patient) -> Finding:
    """The dead man's switch cancels everything in the account, whoever placed it."""
    if patient.status is None:
        return skip(NOT_KNOWN)
    left = float(patient.status.get("switch_left_s", 0))
    if left <= 0:
        return warn(
            "the dead man's switch is not armed", "strategy-ctl status says what it waits for"
        )
    return ok(f"armed, {left:.0f} s left; if it fires, every order of the account is cancelled")


def drift(patient: Patient) -> Finding:
    if patient.status is None:
        return skip(NOT_KNOWN)
    off = str(patient.status.get("drift", "0"))
    if off.strip("-0."):
        return fail(f"the account's coins less the ledger's: {off}", "strategy-ctl reconcile")
    return ok("the account's coins are the ledger's")


def earn(patient: Patient) -> Finding:
    """Auto-earn moves coins away from trading and makes taxable income of another kind."""
    told = patient.told
    if told is None:
        return skip(NOT_KNOWN)
    lent = [name for name, _ in _balances(told) if name.endswith(EARNING)]
    if lent:
        text = f"Auto Earn holds {', '.join(lent)}"
        return fail(text, "switch Auto Earn off at Kraken and unallocate; § 22 Nr. 3 EStG")
    return ok("nothing is lent or staked")


def order_size(patient: Patient) -> Finding:
    """Each rung must reach the exchange's least order, at the price of today."""
    if patient.loaded is None:
        return skip("the configuration has faults")
    pair, price = _pair(patient), _price(patient)
    if pair is None or price <= 0:
        return skip("no price is known")
    least = max(Decimal(pair.qty_min).scaleb(-pair.qty_decimals) * price, pair.cost_min)
    size = patient.config.grid.order_size_quote
    if size < least:
        text = f"a rung of {size} is below the least order ({least:.2f} at {price:.0f})"
        return fail(text, "raise grid.order_size_quote")
    if size < least * 2:
        text = f"a rung of {size} is near the least order ({least:.2f} at {price:.0f})"
        return warn(text, "raise grid.order_size_quote: halves of it are traded, too")
    return ok(f"a rung of {size} is above the least order ({least:.2f})")


def capital(patient: Patient) -> Finding:
    told = patient.told
    if told is None:
        return skip(NOT_KNOWN)
    grid = patient.config.grid
    need = grid.order_size_quote * grid.levels
    quote = patient.config.pair.partition("/")[2]
    has = dict(_balances(told)).get(quote, Decimal(0))
    if has < need:
        text = f"{has:.0f} {quote} for {grid.levels} buys of {grid.order_size_quote}"
        return warn(text, "lower grid.levels or grid.order_size_quote, or pay in")
    return ok(f"{has:.0f} {quote} cover all {grid.levels} buys")


def spacing(patient: Patient) -> Finding:
    """Whether a round trip pays at the account's fees."""
    told = patient.told
    if told is None:
        return skip(NOT_KNOWN)
    maker = Decimal(str(told.get("maker_pct", 0)))
    grid = patient.config.grid
    floor = 200 * maker + grid.adverse_selection_bps + grid.least_edge_bps
    text = f"maker fee {maker} %: rungs are at least {floor.normalize():f} bps apart"
    if floor > 60:
        return warn(text, "few round trips at this fee; docs/operations.md, fees")
    return ok(text)


def feasible(patient: Patient) -> Finding:
    """Whether the whole ladder of the settings can stand, as `icryptotrader preview` lays it."""
    told, pair = patient.told, _pair(patient) if patient.loaded is not None else None
    price = _price(patient) if patient.loaded is not None else Decimal(0)
    if told is None or pair is None or price <= 0:
        return skip(NOT_KNOWN)
    bid = to_ticks(pair, price)
    rates = float(told.get("maker_pct", 0)) / 100, float(told.get("taker_pct", 0)) / 100
    found = ladder(patient.config, pair, (bid, Ticks(bid + pair.price_step)), rates)
    has = dict(_balances(told))
    coins = has.get(pair.base, Decimal(0))
    free = _decimal(told["free_base"]) if "free_base" in told else coins
    faults = shortfalls(found, patient.config, pair, has.get(pair.quote, Decimal(0)), coins, free)
    if faults:
        return warn("; ".join(faults), "icryptotrader preview shows the ladder; a part is quoted")
    return ok(f"the whole ladder can stand, {found.step_bps:.0f} bps from rung to rung")


def agreement(patient: Patient) -> Finding:
    if patient.loaded is None or patient.config.mode != "live":
        return skip("live only: German accounts must agree to Kraken's trading agreement once")
    return warn("cannot be asked about", "place one order by hand at Kraken and accept the text")


def _no_key_wanted(patient: Patient) -> str:
    if patient.loaded is None:
        return "the configuration has faults"
    if patient.config.mode != "live":
        return f"{patient.config.mode}: the simulated exchange makes its own key"
    return ""


def _not_asked(patient: Patient) -> str:
    """Why the exchange's public face is not asked; "" where it is."""
    if patient.loaded is None:
        return "the configuration has faults"
    if patient.config.mode != "live" and not patient.running:
        return "the simulated exchange does not run"
    return ""


def _public(patient: Patient, call: Call, parse: Callable[[bytes], T]) -> T | Failure:
    return public_asker(endpoints(patient.config).rest).ask(call, parse)


def _pair(patient: Patient) -> Pair | None:
    """With the minima of now where the exchange was asked."""
    if isinstance(patient.account, Account):
        return patient.account.pair
    listing = find(patient.config.pair)
    return listing.pair if listing is not None else None


def _price(patient: Patient) -> Decimal:
    """The best bid; before anything runs, in the demo, what it starts with. 0: not known."""
    if patient.told is None:
        return patient.config.demo.start_price if patient.config.mode == "demo" else Decimal(0)
    pairs = patient.told.get("pairs")
    return _decimal(pairs[0].get("bid")) if pairs else Decimal(0)


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
    ("nonce window", nonce_window),
    ("key limits", key_limits),
    ("kill key", kill_key),
    ("orders of others", foreign_orders),
    ("dead man's switch", switch),
    ("coins", drift),
    ("auto earn", earn),
    ("order size", order_size),
    ("capital", capital),
    ("fees", spacing),
    ("grid", feasible),
    ("trading agreement", agreement),
)
