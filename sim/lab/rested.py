"""At rest: what has not come right yet, and what must hold once nothing is on its way.

Rule 1: beliefs of the strategy are held against the exchange's truth and against the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from shared.orders import Filled
from shared.units import MINUTE, Side
from sim.engine.instruments import ASSETS
from sim.world import World
from strategy.core.audit import drift
from strategy.core.lifecycle import Phase
from strategy.core.memory import Memory, is_ours
from strategy.core.slots import State
from strategy.ledger.trade import SATS_DECIMALS

SECOND_PRICE_WITHIN: Final = MINUTE
"""It is asked each ten seconds, and waits its turn behind what matters more."""


def unrest(world: World) -> str:
    """What is not in order yet; "" once all has come right (I4 to I6, liveness)."""
    trader = world.trader
    if trader is None or world.feed is None:
        return "a process is down"
    memory = trader.core.memory
    if memory.phase is not Phase.TRADING:
        return f"phase is {memory.phase}"
    if memory.halt or memory.hold:
        return f"halted or held: {memory.halt or memory.hold}"
    states = [slot.state for slot in memory.all_slots()]
    if any(state not in (State.EMPTY, State.LIVE) for state in states):
        return "orders are in flight or lost"
    if memory.orphans:
        return "orphans are being cancelled"
    if drift(memory) or memory.audit.held:
        return "a drift is not settled"
    if memory.base_total(memory.pairs[world.config.pair]) != coins(world):
        return "the newest balance was not heard"
    if world.ledger.fills.keys() != world.exchange.trades.keys():
        missing = world.exchange.trades.keys() - world.ledger.fills.keys()
        return f"not booked: {sorted(missing)}"
    if not world.exchange.switch_wall:
        return "the switch is off"
    return _unlike(world, memory) or _unrest_of_market(world, memory)


def _unlike(world: World, memory: Memory) -> str:
    """What we believe of our orders, or of those of others, and is not so."""
    exchange = world.exchange
    live = {s.cl_ord_id: s for s in memory.all_slots() if s.state is State.LIVE}
    resting = {o.cl_ord_id: o for o in exchange.open.values() if is_ours(o.cl_ord_id)}
    if live.keys() != resting.keys():
        return f"we believe {sorted(live)}, and {sorted(resting)} rest"
    for name, slot in live.items():
        order = resting[name]
        held = slot.side.value, int(slot.price), int(slot.qty), int(slot.filled)
        if held != (order.side, order.price, order.qty, order.filled):
            return f"we believe {slot}, and {order} rests"
    foreign = [o.order_id for o in exchange.open.values() if not is_ours(o.cl_ord_id)]
    if sorted(foreign) != sorted(memory.foreign):
        return f"orders of others: we believe {memory.foreign}, and {foreign} rest"
    if live.keys() != world.ledger.intents.keys():
        return f"intents {sorted(world.ledger.intents.keys() ^ live.keys())} are of no slot"
    return ""


def _unrest_of_market(world: World, memory: Memory) -> str:
    pair = memory.pairs[world.config.pair]
    if pair.view is None or not pair.view.fresh:
        return "the book is not fresh"
    if world.now - pair.reference.second_at > SECOND_PRICE_WITHIN:
        return "the exchange's ticker was not heard lately"
    return ""


def faults_at_rest(world: World, declared: int) -> Iterator[tuple[str, str]]:
    """I5 to I7: each check that does not hold, and why. declared: Sats that the owner moved."""
    trader = world.trader
    assert trader is not None
    memory = trader.core.memory
    lots = world.ledger.lots(memory.coin)
    left = [(lot.exec_id, int(lot.left)) for lot in lots.open_lots()]
    if left != _oldest_sold_first(world.booked().values()):
        yield "I7", "the lots are not what is left when the oldest are sold first"
    if memory.lots.digest() != lots.digest():
        yield "I20", "the lots in memory are not those of the ledger"
    if memory.audit.external != declared:
        yield "I6", f"external {memory.audit.external}, moved {declared}"
    if lots.total() + declared != coins(world):
        yield "I6", f"lots {lots.total()} + external {declared} are not {coins(world)}"


def coins(world: World) -> int:
    """What the account holds of the base coin, Sats."""
    coin = world.config.pair.partition("/")[0]
    balance = world.exchange.account.balances[coin]
    return int(balance // 10 ** (ASSETS[coin].decimals - SATS_DECIMALS))


def _oldest_sold_first(fills: Iterable[Filled]) -> list[tuple[str, int]]:
    """(exec_id, Sats left) of each purchase that is not sold, by the plainest means."""
    left: list[tuple[str, int]] = []
    for fill in sorted(fills, key=lambda fill: (fill.wall, fill.trade_id, fill.exec_id)):
        if fill.side is Side.BUY:
            left.append((fill.exec_id, int(fill.qty)))
            continue
        to_sell = int(fill.qty)
        while to_sell and left:
            name, held = left.pop(0)
            taken = min(held, to_sell)
            to_sell -= taken
            if held > taken:
                left.insert(0, (name, held - taken))
    return left
