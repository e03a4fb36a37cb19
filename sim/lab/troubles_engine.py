"""Troubles at the exchange: fills, modes, the switch, and what the owner does in the account."""

from __future__ import annotations

import re
from typing import Any, Final

from shared.units import Ns
from sim.engine.instruments import ASSETS
from sim.engine.values import Order, Refused, Request
from sim.lab.faults import Plan, PublicPlan, seconds
from sim.lab.scene import Scene
from sim.wires import Hop

ASKED_WITHIN: Final = seconds(65)
"""The exchange is asked each minute whether a withdrawal is the cause, and has to answer."""


def fill_in_part(scene: Scene) -> None:
    order = scene.an_order()
    if order is None or scene.world.exchange.system != "online":
        return
    scene.fates.count("F73")
    part = max(1, order.left * (1 + scene.below(9)) // 10)
    _make(scene, order, part)
    scene.settle()


def _make(scene: Scene, order: Order, qty: int) -> None:
    exchange = scene.world.exchange
    exchange.desk.make(exchange.markets[order.pair], order, qty, scene.world.wall)


def shred_while_away(scene: Scene) -> None:
    order = scene.an_order()
    if order is None or scene.world.exchange.system != "online" or order.left < 1_000:
        return
    scene.fates.count("F75")
    scene.checks.upheave()
    scene.fates.closed_until["trader"] = Ns(scene.world.now + scene.between(2, 12))
    scene.world.cut("trader")
    parts = 51 + scene.below(30)
    each = order.left // (parts + 1)
    for _ in range(parts):
        _make(scene, order, each)
    scene.settle()
    booked = [
        trade for trade in scene.world.exchange.trades if trade not in scene.world.ledger.fills
    ]

    def all_booked() -> bool:
        return all(exec_id in scene.world.ledger.fills for exec_id in booked)

    scene.checks.expect("F75", f"{len(booked)} fills are booked", seconds(200), all_booked)


def foreign_orphan(scene: Scene) -> None:
    """An order of our form that nobody remembers."""
    market = scene.world.exchange.markets[scene.world.config.pair]
    scene.operator_asks += 1
    name = f"g{scene.operator_asks:07d}0bz"
    price = market.liquidity.bid * 9 // 10
    if not _place(
        scene, Request(market.pair.symbol, "buy", "limit", price, 20_000, cl_ord_id=name)
    ):
        return
    scene.fates.count("F80")
    desk = scene.world.exchange.desk
    scene.checks.expect(
        "F80", f"{name} is cancelled", seconds(300), lambda: name not in desk.by_client
    )


def _place(scene: Scene, request: Request) -> bool:
    try:
        scene.world.exchange.add(request, scene.world.wall)
    except Refused:
        return False
    scene.settle()
    return True


def owner_trades(scene: Scene) -> None:
    market = scene.world.exchange.markets[scene.world.config.pair]
    side = scene.some(("buy", "sell"))
    kind = scene.some(("market", "limit"))
    price = market.liquidity.bid * (9 if side == "buy" else 11) // 10 if kind == "limit" else 0
    if _place(scene, Request(market.pair.symbol, side, kind, price, 6_000 + scene.below(9_000))):
        scene.fates.count("F81")


def owner_moves_money(scene: Scene) -> None:
    coin, _, quote = scene.world.config.pair.partition("/")
    asset = scene.some((coin, quote))
    account = scene.world.exchange.account
    unit = 10 ** ASSETS[asset].decimals
    most = unit // 200 if asset == coin else 500 * unit
    amount = (1 + scene.below(most // (unit // 10_000 or 1))) * (unit // 10_000 or 1)
    if scene.below(2):
        amount = -min(amount, account.available(asset))
    _post(scene, asset, amount)
    scene.fates.count("F81")
    if asset != coin or not amount:
        return

    scene.later(ASKED_WITHIN, lambda: _await_word(scene))


def _await_word(scene: Scene) -> None:
    """Expect the drift's word, once the strategy has known the drift for so long.

    Counted from when this life saw it as it is now, not from when the money moved: a life that
    began or got its line back later hears the balance later, and first asks whether a withdrawal
    is the cause. One that never stays with a drift never settles it: that is judged at rest.
    """

    heard, now = scene.memory, scene.world.now
    seen = None if heard is None else heard.audit.since

    def told() -> bool:
        # While the key is locked out nothing can be asked, and nothing is concluded.
        heard = scene.memory
        if heard is not None and heard.audit.drift and not heard.audit.held:
            unlisted = heard.asking.listed_at <= heard.audit.since  # REST brings no list
            if unlisted or heard.audit.since != seen:  # or it is another drift by now
                scene.later(ASKED_WITHIN, lambda: _await_word(scene))
                return True
        return heard is None or heard.audit.held or not heard.audit.drift or scene.checks.locked_out

    since = now if heard is None or heard.lack() is None else heard.audit.since
    wait = since + ASKED_WITHIN - now
    if wait > 0 and not (heard is not None and heard.audit.held):
        scene.later(wait, lambda: _await_word(scene))
    else:
        scene.checks.expect("F81", "the drift is told", seconds(30), told)


def _post(scene: Scene, asset: str, amount: int) -> None:
    if not amount:
        return
    exchange = scene.world.exchange
    scene.checks.money_moved_at = scene.world.now
    kind = "deposit" if amount > 0 else "withdrawal"
    name = "Q" + exchange.desk.mint("T")[1:]
    row = exchange.account.post(name, scene.world.wall, kind, asset, amount, 0)
    exchange.desk.events.append(row)
    sats = amount // 10 ** (ASSETS[asset].decimals - 8) if ASSETS[asset].decimals >= 8 else amount
    scene.checks.declared[asset] = scene.checks.declared.get(asset, 0) + sats
    scene.settle()


def money_vanishes(scene: Scene) -> None:
    """Most of the cash that no order holds leaves, and comes back later."""
    quote = scene.world.config.pair.partition("/")[2]
    amount = scene.world.exchange.account.available(quote) * 95 // 100
    if amount <= 0:
        return
    scene.fates.count("F90")
    _post(scene, quote, -amount)
    scene.world.wires.later(scene.between(10, 60), lambda: _post(scene, quote, amount))


def misstate_balance(scene: Scene) -> None:
    scene.fates.count("F82")

    def change(text: str) -> list[Hop]:
        scene.checks.money_moved_at = scene.world.now
        return [
            Hop(re.sub(r'"balance":([0-9.]+)', lambda m: f'"balance":{float(m[1]) / 2:.8f}', text))
        ]

    scene.fates.balance_plans.append(PublicPlan("F82", change))


def change_fees(scene: Scene) -> None:
    scene.fates.count("F89")
    maker = scene.some((0, 200, 600, 1_200, 2_500))
    scene.world.exchange.account.fix_rates(maker, maker + 1_000)


# The switch and the engine's state.


def refuse_arming(scene: Scene) -> None:
    """One answer comes late, then some requests are refused or lost."""
    arm = ("cancel_all_orders_after",)
    do = scene.some(("refuse", "lose", "lose_request"))
    scene.fates.plan(Plan("F84", arm, "late", delay=scene.between(0.1, 4.5)))
    for _ in range(scene.some((1, 2, 4, 14))):
        scene.fates.plan(Plan("F84", arm, do, "EService:Busy"))


def change_mode(scene: Scene) -> None:
    if scene.world.exchange.system != "online":
        return
    mode = scene.some(("maintenance", "cancel_only", "post_only"))
    scene.fates.count("F86")
    _set_mode(scene, mode)
    if mode == "post_only":
        scene.fates.count("F87")
    scene.later(scene.between(3, 30), lambda: _set_mode(scene, "online"))


def long_maintenance(scene: Scene) -> None:
    if scene.world.exchange.system != "online":
        return
    scene.fates.count("F85")
    _set_mode(scene, "maintenance")
    scene.later(scene.between(65, 100), lambda: _set_mode(scene, "online"))


def _set_mode(scene: Scene, mode: Any) -> None:
    scene.checks.upheave()
    scene.world.venue.set_system(mode, scene.world.now, scene.world.wall)
