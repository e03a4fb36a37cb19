"""What a tick has worked out of a pair and keeps, until something that it depends on has changed.

Each of these says by what it knows that nothing has: the result is the same as if it were worked
out anew, so nothing of it is remembered over a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.config import Config
from shared.settings_trade import Grid
from shared.units import BPS, SECOND, Ns, Side
from strategy.core.decide import FOREVER, Rules, Sides, at_rest, unsettled
from strategy.core.grid import floors
from strategy.core.ground import Ground
from strategy.core.market import View
from strategy.core.memory import EXIT_SLOT, PairMemory
from strategy.core.plan import Laid
from strategy.core.slots import State
from strategy.core.spacing import Asked, Spacing, asked, space

_AT_REST: Final = Sides(None, None, Ns(0), FOREVER, ())

# Bound once: an enum's members are slow to look up, and each tick needs these.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_EMPTY: Final = State.EMPTY


def asked_of(pair: PairMemory, cfg: Config) -> Asked:
    """What the models of spacing ask for: it changes with the samples alone."""
    done, variance = pair.samples.done, pair.regime.variance
    if pair.asked[0] is not done or pair.asked[1] != variance:
        pair.asked = (done, variance, asked(pair.samples, variance, cfg))
    return pair.asked[2]


def spaced(pair: PairMemory, now: Ns, cfg: Config) -> Spacing:
    """The spacing after this tick: what has settled stays while the same is asked for."""
    held, wanted = pair.spacing, asked_of(pair, cfg)
    asked_for = (held, wanted, pair.floor_bps)
    if asked_for == pair.settled:
        return held
    least = max(pair.floor_bps, float(cfg.grid.min_spacing_bps))
    found = space(held, wanted, least, now, cfg.grid)
    # While less is asked for, time alone may change it.
    pair.settled = asked_for if found == held and not held.less_since else None
    return found


def floors_of(pair: PairMemory, ground: Ground, most: int) -> Sequence[tuple[int, int]]:
    """Floors of the unmatched buys that sells of `most` Sats answer: they change with fills."""
    known, found = pair.bound
    if known[0] is not ground.unmatched or known[1:] != (ground.floor_bps, most):
        found = floors(ground.unmatched, ground.floor_bps / BPS, most)
        pair.bound = (ground.unmatched, ground.floor_bps, most), found
    return found


def rules_of(pair: PairMemory, view: View, cfg: Grid) -> Rules:
    """By which stage 10 goes in this tick."""
    return Rules(
        pair.hung.anchor.step,
        cfg.requote_tolerance,
        int(cfg.requote_age_sec * SECOND),
        view.bid,
        view.ask,
        int(cfg.enlarge_age_sec * SECOND),
    )


def restless(pair: PairMemory, laid: Laid, now: Ns, cfg: Grid) -> Sides:
    """The sides of which not every order is as it is wished, and until when; none, and for ever,
    where all are at rest. It hangs on wishes, orders and their ages alone."""
    if _is_at_rest(pair, laid):
        return _AT_REST
    orders, known = pair.open, pair.restless
    if known is None or not known.hold(laid, orders, now):
        buys, sells = orders.buys, orders.sells
        if pair.slots[pair.place(EXIT_SLOT)].state is not _EMPTY:
            sells = tuple(slot for slot in sells if slot.name != EXIT_SLOT)  # of no rung
        enlarge_age = int(cfg.enlarge_age_sec * SECOND)
        bids = unsettled(buys, laid.buys, now, enlarge_age)
        asks = unsettled(sells, laid.sells, now, enlarge_age)
        since, until = max(bids.since, asks.since), min(bids.until, asks.until)
        sides = (_BUY, bids), (_SELL, asks)
        left = [(side, each) for side, each in sides if each.orders or each.wishes]
        pair.restless = known = Sides(laid, orders, since, until, left)
        if not left and until == FOREVER:
            _rest(pair, laid)
    return known


def note_rest(pair: PairMemory, laid: Laid, view: View, now: Ns, cfg: Grid) -> None:
    """After a tick that asked for nothing: whether no later one will, as long as all stays."""
    sides = restless(pair, laid, now, cfg)
    # Of a side that has nothing left, an order may still be too small once it has aged.
    if not sides.left or sides.until < FOREVER:
        return
    rules = rules_of(pair, view, cfg)
    if all([at_rest(each, rules) for _, each in sides.left]):
        _rest(pair, laid)


def _is_at_rest(pair: PairMemory, laid: Laid) -> bool:
    """Whether each wish has its order, and neither has changed since that was found."""
    return _wanted(pair, laid) == pair.rested[0] and pair.slots == pair.rested[1]


def _rest(pair: PairMemory, laid: Laid) -> None:
    pair.rested = (_wanted(pair, laid), list(pair.slots))


def _wanted(pair: PairMemory, laid: Laid) -> tuple[object, ...]:
    return laid.buys, laid.sells, pair.hung.anchor.step
