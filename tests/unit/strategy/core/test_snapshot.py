"""A snapshot is the whole memory: what is restored acts exactly as the original."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from shared import control, frames, orders
from shared.units import SECOND, Ns, Side
from strategy.core import snapshot
from strategy.core.out import In, Report
from strategy.core.pipeline import Core
from tests.unit.strategy.core.build import MID, make_book, make_config
from tests.unit.strategy.core.desk import Desk


def eventful(rng: random.Random) -> Desk:
    """A desk after some minutes of everything: fills, a cut, a refusal, a foreign order."""
    desk = Desk()
    desk.begin()
    for _ in range(25):
        desk.run(rng.choice((0.5, 3, 20)), *_something(desk, rng))
        if not desk.line_up:
            desk.connect()
    return desk


def _something(desk: Desk, rng: random.Random) -> Iterator[In]:
    desk.mid += rng.randrange(-2_500, 2_500)
    match rng.randrange(8):
        case 0 | 1 | 2 if desk.resting:
            nearest = desk.side(rng.choice(list(Side)))
            if nearest:
                order = nearest[0]
                desk.mid = order.price
                desk.fill(order.cl_ord_id, rng.choice((0, order.qty // 2)))
        case 3:
            desk.cut()
        case 4:
            yield orders.RateCounter("BTC/EUR", 20.5, 125)
        case 5:
            window = frames.VwapWindow(60, desk.mid / 10, 10**8, 3)
            yield frames.Vwap(Ns(1), 1, desk.now, desk.now, "BTC/EUR", (window,))
        case 6:
            yield control.Hold(1, f"hold-{desk.now}", "a reason")
            yield control.Resume(1, f"resume-{desk.now}", "")
        case _:
            yield orders.Skew(rng.randrange(-(10**8), 10**8))


def continuation(desk: Desk, rng: random.Random) -> list[tuple[Ns, list[In]]]:
    """What both cores are told next: the same, whatever they say."""
    told: list[tuple[Ns, list[In]]] = []
    now, wall, mid = int(desk.now), int(desk.wall), desk.mid
    names = list(desk.memory.index)
    for number in range(200):
        now, wall = now + SECOND // 2, wall + SECOND // 2
        mid += rng.randrange(-1_000, 1_000)
        inbox: list[In] = [
            orders.Clock(Ns(wall)),
            make_book(now, mid, boot=desk.feed_boot, seq=10**6 + number),
        ]
        if number % 30 == 0:
            inbox.append(orders.Armed(Ns(now), 60))
        if number == 50 and names:
            inbox.append(orders.Gone(names[0], "", "canceled", desk.slots[0].filled))
        if number == 90:
            inbox.append(orders.LineDown("cut"))
        if number == 100:
            inbox += [orders.LineUp(()), orders.Armed(Ns(now), 60)]
        if number == 105:
            inbox.append(orders.Listed(Ns(now), tuple(desk.resting.values()), Ns(wall)))
        told.append((Ns(now), inbox))
    return told


@pytest.mark.parametrize("seed", range(6))
def test_a_restored_core_acts_exactly_as_the_original(seed: int) -> None:
    rng = random.Random(seed)
    desk = eventful(rng)
    original = desk.core
    restored = Core(snapshot.restore(desk.config, snapshot.take(desk.memory)))
    assert restored.memory.digest() == original.memory.digest()
    spoken = 0
    for now, inbox in continuation(desk, rng):
        said = [item for item in original.step(now, inbox) if not isinstance(item, Report)]
        again = [item for item in restored.step(now, inbox) if not isinstance(item, Report)]
        assert again == said
        assert restored.memory.digest() == original.memory.digest()
        spoken += len(said)
    assert spoken > 10
    assert snapshot.take(restored.memory) == snapshot.take(original.memory)


def test_a_snapshot_of_a_snapshot_is_the_same_bytes() -> None:
    desk = eventful(random.Random(7))
    taken = snapshot.take(desk.memory)
    assert snapshot.take(snapshot.restore(desk.config, taken)) == taken


def test_bytes_of_another_version_are_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        snapshot.restore(make_config(), b"\x80")
    with pytest.raises(msgspec.MsgspecError):
        snapshot.restore(make_config(), b"not a snapshot")


def test_every_field_of_memory_is_in_the_snapshot() -> None:
    """A field that is forgotten here would make two lives of one."""
    desk = Desk()
    derived = {"config", "lots", "pairs", "desk", "others", "balanced", "build", "kept"}
    derived |= {"coin", "first"}
    kept = set(snapshot.AccountState.__struct_fields__)
    assert set(vars(desk.memory)) - derived == kept
    # Looked at anew in each tick, or shown to people only.
    told = {"name", "quote", "index", "view", "permit", "plan", "laid", "notes", "asked", "trimmed"}
    told |= {"floor_bps", "rested", "bound", "totals", "meant", "ranked", "wished", "intents"}
    told |= {"settled", "stood", "wish", "restless", "_open", "_places"}
    pair = desk.memory.pairs["BTC/EUR"]
    assert set(vars(pair)) - told == set(snapshot.PairState.__struct_fields__)
    assert desk.mid == MID
