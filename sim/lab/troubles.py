"""Everything that may happen to a simulated house, and how often beside the others.

Each trouble is a function of the scene. It acts through the world, the exchange's engine or a plan
of the fates; it counts its fault where it takes effect, and says what the fault must lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sim.lab import troubles_engine as engine
from sim.lab import troubles_feed as feed
from sim.lab import troubles_house as house
from sim.lab import troubles_lines as lines
from sim.lab import troubles_orders as orders
from sim.lab.scene import Scene

Trouble = Callable[[Scene], None]

EVERY: Final[dict[str, tuple[Trouble, int, int, tuple[int, ...]]]] = {
    # name: (what it does, how often beside the others, in the seeds that leave these rests).
    # Not drawn, so that the seeds that once failed stay what they were.
    "long_outage": (lines.long_outage, 8, 5, (2,)),
    "kill_all": (house.kill_all, 8, 7, (2, 4)),
    "begin_behind": (house.begin_behind, 6, 11, (1, 10)),
}

TROUBLES: Final[dict[str, tuple[Trouble, int]]] = {
    # name: (what it does, how often beside the others)
    **{
        function.__name__: (function, weight)
        for weight, functions in {
            1: (
                house.kill_both, house.suspend, house.fill_disk, house.leap, house.wander,
                engine.long_maintenance, lines.lock_out, engine.shred_while_away,
                house.freeze_strategy, lines.refuse_connections, house.die_reconciling,
            ),
            2: (
                house.die_before_commit, house.die_after_commit, house.die_among_letters,
                house.die_before_fill, house.die_after_fill, house.kill_feed, house.freeze_feed,
                lines.half_open, lines.cut_private, lines.cut_public, lines.stall,
                engine.change_mode, lines.wipe, lines.mute_book, lines.mute_executions,
                lines.lose_event, lines.double_event, lines.swap_event, lines.garbage_event,
                lines.refuse_token, house.second_strategy, engine.money_vanishes, feed.spike,
                feed.stand_still, engine.foreign_orphan, engine.owner_moves_money,
                engine.misstate_balance, engine.change_fees, lines.bad_nonce,
                orders.refuse_many, lines.mute_heartbeat,
            ),
            4: (
                lines.lose_frames, lines.delay_frames, feed.lose_update, feed.double_update,
                feed.swap_update, feed.spoil_checksum, feed.late_update, feed.absurd_update,
                feed.garbage, feed.cross_book, feed.empty_side, engine.owner_trades,
                house.operate, lines.fail_rest, lines.slow_rest, lines.lag_history,
                lines.omit_order, engine.refuse_arming, orders.limit_rate,
            ),
            8: (
                orders.lose_answer, orders.delay_answer, orders.overtake, orders.refuse_order,
                orders.cancel_that_lies, orders.end_before_request, engine.fill_in_part,
                lines.stall_and_part,
            ),
        }.items()
        for function in functions
    },
}  # fmt: skip


def troubles_of(seed: int, drawn: Sequence[str]) -> dict[str, tuple[Trouble, int]]:
    """What may happen in this run: what was drawn, and what every so-maniest seed has."""
    found = {name: TROUBLES[name] for name in drawn}
    for name, (trouble, weight, each, rests) in EVERY.items():
        if seed % each in rests:
            found[name] = (trouble, weight)
    return found


def goes_by_rest(seed: int) -> bool:
    """Whether the house of this run may place orders by REST while its line is away."""
    _, _, each, rests = EVERY["long_outage"]
    return seed % each in rests
