"""Troubles of the public feed: books that are lost, wrong, crossed or absurd; prices that leap."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from shared.kraken.checksum import book_checksum
from shared.units import price_text, qty_text
from sim.lab.faults import PublicPlan, seconds
from sim.lab.scene import Scene
from sim.wires import WIRE_DELAY, Hop

_CHECKSUM: Final = re.compile(r'"checksum":(\d+)')

# The public feed.


def _public(scene: Scene, fault: str, change: Callable[[str], list[Hop]]) -> None:
    scene.fates.public_plans.append(PublicPlan(fault, change))


def lose_update(scene: Scene) -> None:
    _public(scene, "F49", lambda text: [])


def double_update(scene: Scene) -> None:
    _public(scene, "F49", lambda text: [Hop(text), Hop(text)])


def swap_update(scene: Scene) -> None:
    _public(scene, "F49", lambda text: [Hop(text, seconds(0.8), ordered=False)])


def spoil_checksum(scene: Scene) -> None:
    def change(text: str) -> list[Hop]:
        feed = scene.world.feed
        if feed is not None and "feed" not in scene.world.frozen:
            market = feed.markets[scene.world.config.pair]
            failed, connects = market.counts.failed, feed.line

            def noticed() -> bool:
                other = scene.world.feed is not feed or feed.line != connects
                return other or market.counts.failed > failed or bool(market.why)

            scene.checks.expect("F50", "the feed notices it", seconds(6), noticed)
        return [Hop(_CHECKSUM.sub(lambda found: f'"checksum":{int(found[1]) ^ 1}', text))]

    _public(scene, "F50", change)


def late_update(scene: Scene) -> None:
    _public(scene, "F51", lambda text: [Hop(text), Hop(text, seconds(3), ordered=False)])


def absurd_update(scene: Scene) -> None:
    number = scene.some(("1e999999", "NaN", "-1.0", "0", "1e-30", "null", "99999999999999999999.5"))
    _public(
        scene,
        "F55",
        lambda text: [Hop(re.sub(r'"price":[0-9.]+', f'"price":{number}', text, count=1))],
    )


def garbage(scene: Scene) -> None:
    rubbish = scene.some(
        (
            '{"channel":"book","type":"upd',
            "[]",
            "\x00",
            '{"channel":7}',
            "null",
            '{"channel":"new"}',
        )
    )
    _public(scene, "F56", lambda text: [Hop(rubbish), Hop(text)])


def cross_book(scene: Scene) -> None:
    _distort(scene, "F53", crossed=True)


def empty_side(scene: Scene) -> None:
    _distort(scene, "F54", crossed=False)


def _distort(scene: Scene, fault: str, *, crossed: bool) -> None:
    """A book that is wrong though its checksum is right; some time later it is put right again."""

    def change(text: str) -> list[Hop]:
        market = scene.world.exchange.markets[scene.world.config.pair]
        depth = scene.world.config.feed.depth
        bids, asks = market.view("buy", depth), market.view("sell", depth)
        if crossed:
            level = (asks[0][0] + 1, 10_000_000)
            bad = _book(scene, [level], [], ([level, *bids][:depth], asks))
            # What the new level pushed out of the view comes back with its removal.
            good = _book(scene, [(level[0], 0), bids[-1]], [], (bids, asks))
        else:
            bad = _book(scene, [], [(price, 0) for price, _ in asks], (bids, []))
            good = _book(scene, [], asks, (bids, asks))
        return [Hop(text), Hop(bad), Hop(good, WIRE_DELAY + scene.between(0.1, 2.5))]

    _public(scene, fault, change)


def _book(
    scene: Scene,
    bids: Sequence[tuple[int, int]],
    asks: Sequence[tuple[int, int]],
    after: tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]],
) -> str:
    pair = scene.world.exchange.markets[scene.world.config.pair].pair

    def levels(found: Sequence[tuple[int, int]]) -> str:
        return ",".join(
            f'{{"price":{price_text(pair, price)},"qty":{qty_text(pair, qty)}}}'
            for price, qty in found
        )

    return (
        f'{{"channel":"book","type":"update","data":[{{"symbol":"{pair.symbol}",'
        f'"bids":[{levels(bids)}],"asks":[{levels(asks)}],'
        f'"checksum":{book_checksum(after[1], after[0])}}}]}}'
    )


def spike(scene: Scene) -> None:
    scene.fates.count("F57")
    scene.source.shock(scene.some((-0.08, -0.04, -0.015, 0.015, 0.04, 0.08)))


def stand_still(scene: Scene) -> None:
    scene.fates.count("F58")
    position = scene.world.venue.position(scene.world.now)
    scene.source.stand_still(int(position + scene.between(5, 40)))
