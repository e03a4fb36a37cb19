"""The strategy as people are shown it: memory to Status, slot to words. Decides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from shared.frames import AdviceView, FillView, PairView, SlotView, Status
from shared.orders import Filled
from shared.units import BPS, SECOND, Ns, Side, fixed_text, plain, price_text, qty_text
from strategy.core import taxview, withdrawals
from strategy.core.advice import NEUTRAL, advise, standing_bps
from strategy.core.audit import drift
from strategy.core.lifecycle import Phase
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.plan import Laid
from strategy.core.regime import values_of
from strategy.core.slots import Slot, State
from strategy.core.taxdesk import PER_SAT
from strategy.ledger.tax import free_from_wall

COIN_DECIMALS = 8
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, written as Z


def rfc3339(wall: Ns) -> str:
    """Wall time as RFC 3339 UTC with microseconds, as the exchange writes it."""
    moment = _EPOCH + timedelta(microseconds=wall // 1000)
    return f"{moment.isoformat(timespec='microseconds')}Z"


def fill_view(fill: Filled) -> FillView:
    fee = ", ".join(f"{plain(amount)} {asset}" for asset, amount in fill.fees) or "0"
    price = fill.cost / Decimal(fill.qty).scaleb(-COIN_DECIMALS) if fill.qty else Decimal(0)
    return FillView(
        fill.exec_id,
        fill.cl_ord_id,
        fill.pair,
        fill.side.value,
        plain(price.quantize(Decimal("0.1"))),
        fixed_text(fill.qty, COIN_DECIMALS),
        plain(fill.cost),
        fee,
        rfc3339(fill.wall),
    )


def status(memory: Memory, tick_us: float = 0.0) -> Status:
    """The whole view. Publisher's fields (boot, seq) are stamped by the shell."""
    now = memory.now
    pairs = list(memory.pairs.values())
    first = pairs[0]
    slots = tuple(slot_view(memory, pair, slot) for pair in pairs for slot in pair.slots)
    resting = sum(s.state in (State.LIVE, State.AMEND_PENDING, State.CANCEL_PENDING)
                  for s in memory.all_slots())  # fmt: skip
    config = memory.config
    ages = [pair.tape.age(now) / SECOND for pair in pairs]
    return Status(
        boot=memory.boot,
        seq=0,
        heard_at=now,
        changed_at=now,
        mode=config.mode,
        phase="halted" if memory.halt and memory.phase is Phase.TRADING else memory.phase.value,
        hold=bool(memory.hold),
        pause=memory.pause.value,
        regime=first.regime.kind.value,
        pairs=tuple(pair_view(memory, pair) for pair in pairs),
        slots=slots,
        orders=resting,
        lost=memory.lost(),
        foreign_orders=len(memory.foreign),
        fills=memory.fills,
        last_fills=tuple(reversed(memory.last_fills)),
        balances=tuple((asset, plain(total)) for asset, total in sorted(memory.balances.items())),
        ledger_base=fixed_text(memory.held(), COIN_DECIMALS),
        free_base=fixed_text(memory.free(), COIN_DECIMALS),
        drift=fixed_text(drift(memory) or 0, COIN_DECIMALS),
        equity=f"{memory.risk.equity:.2f}",
        drawdown_pct=round(memory.risk.drawdown, 6),
        switch_left_s=round(memory.switch.left_s(now), 1),
        rate_used=round(max(p.limiter.value(now, config.rate_limit) for p in pairs), 2),
        rate_limit=float(first.limiter.threshold or config.rate_limit.max_counter),
        feed_age_s=round(max(ages), 3),
        line=memory.line,
        system=memory.system,
        maker_pct=round((first.maker or 0.0) * 100, 6),
        taker_pct=round((first.taker or 0.0) * 100, 6),
        waits_for=waits_for(memory),
        counters=tuple(sorted(memory.counters.items())),
        uptime_s=round((now - memory.boot) / SECOND, 1),
        tick_us=tick_us,
        alerts=tuple(memory.alerts.values()),
        tax_room=taxview.room_of(memory),
        tax=taxview.in_short(memory),
        advice=advice_view(memory, first),
        build=memory.build,
    )


def advice_view(memory: Memory, pair: PairMemory) -> AdviceView:
    """Advice is given for all pairs at once: that of any one is that of the house."""
    cfg, given, now = memory.config.ai_signal, advise(pair.advice, memory.now), memory.now
    if given == NEUTRAL:
        return AdviceView(cfg.enabled, memory.deaf)
    return AdviceView(
        cfg.enabled,
        memory.deaf,
        given.verdict,
        round(given.confidence, 3),
        given.regime_hint,
        given.source,
        round(given.bias_bps, 3),
        round((now - given.given_at) / SECOND, 1),
        round((given.until - now) / SECOND, 1),
    )


def leaning_by(memory: Memory, pair: PairMemory) -> float:
    """What advice leans this pair's prices by now, bps; 0 where its regime does not listen."""
    listens = values_of(pair.regime, memory.config.regime).signal_enabled
    return round(standing_bps(pair.advice, listens, memory.now), 3)


def pair_view(memory: Memory, pair: PairMemory) -> PairView:
    view, spec = pair.view, pair.tape.pair
    anchor = pair.hung.anchor
    step = anchor.step * BPS

    def text(ticks: float) -> str:
        return price_text(spec, int(ticks)) if spec and ticks > 0 else ""

    return PairView(
        pair=pair.name,
        bid=text(view.bid) if view else "",
        ask=text(view.ask) if view else "",
        anchor=text(anchor.price(0)) if anchor.base > 0 else "",
        vwap=text(view.vwap) if view else "",
        regime=pair.regime.kind.value,
        feed_age_s=round(pair.tape.age(memory.now) / SECOND, 3),
        book_valid=view.fresh if view else False,
        breaker="frozen by a fast move" if pair.breaker.frozen else "",
        buy_spacing_bps=round(step, 2),
        sell_spacing_bps=round(step, 2),
        why=why_so(pair),
        volatility_pct=round(pair.regime.volatility, 4),
        move_60s_pct=round(view.move_60s, 6) if view else 0.0,
        advice_bps=leaning_by(memory, pair),
        lean_bps=round(pair.hung.lean * BPS, 3),
    )


def slot_view(memory: Memory, pair: PairMemory, slot: Slot) -> SlotView:
    spec = pair.tape.pair
    known = spec is not None and slot.state is not State.EMPTY
    return SlotView(
        slot=slot.name,
        pair=pair.name,
        side=slot.side.value,
        state=slot.state.value,
        cl_ord_id=slot.cl_ord_id,
        price=price_text(spec, slot.price) if spec and known else "",
        qty=qty_text(spec, slot.qty) if spec and known else "",
        filled=qty_text(spec, slot.filled) if spec and known else "",
        why="; ".join(reasons(memory, pair, slot)),
    )


def reasons(memory: Memory, pair: PairMemory, slot: Slot) -> list[str]:
    """Why a slot is as it is, most direct reason first."""
    match slot.state:
        case State.LIVE:
            return held_back(memory, pair, slot) or ["rests in the book"]
        case State.PENDING_NEW | State.AMEND_PENDING | State.CANCEL_PENDING:
            return ["waits for the exchange's answer"]
        case State.LOST:
            return [f"unknown to us: waits for the exchange's list (missed {slot.misses} times)"]
        case State.EMPTY:
            found = held_back(memory, pair, slot)
    if slot.name == EXIT_SLOT:
        return found or ["used by flatten and by an emergency alone"]
    found += pair.permit.why
    if pair.laid is not None and not found:
        found += missing(pair.laid, slot.side)
        wishes = pair.laid.buys if slot.side is Side.BUY else pair.laid.sells
        if not found and len(wishes) < memory.config.grid.levels:
            found += pair.plan.why if pair.plan else ()
    return found or ["no rung needs it"]


def held_back(memory: Memory, pair: PairMemory, slot: Slot) -> list[str]:
    """What kept stages 10 to 12 from giving a slot what the plan has for it."""
    note = pair.notes.get(slot.name)
    left = slot.not_before - memory.now
    cools = [f"cools down for {left / SECOND:.0f} s after a reject"] if left > 0 else []
    return [*([note] if note else []), *cools]


def why_so(pair: PairMemory) -> tuple[str, ...]:
    """What the stages said of a pair in this tick; where nothing may change they make no plan."""
    planned = pair.plan.why if pair.plan is not None and pair.permit.change else ()
    return tuple(dict.fromkeys((*pair.permit.why, *planned)))


def missing(laid: Laid, side: Side) -> list[str]:
    """Why rungs of a side are not wished for; those of one reason together."""
    found: dict[str, list[int]] = {}
    for where, rung, why in laid.missing:
        if where is side:
            found.setdefault(why, []).append(rung)
    return [f"rung {', '.join(map(str, rungs))}: {why}" for why, rungs in found.items()]


def waits_for(memory: Memory) -> tuple[str, ...]:
    """What keeps us from trading, in words; empty while all is well."""
    found: list[str] = []
    if memory.halt:
        found.append(f"halted: {memory.halt} (strategy-ctl resume REASON)")
    if memory.hold:
        found.append(f"on hold: {memory.hold} (strategy-ctl resume REASON)")
    if memory.phase in (Phase.STARTING, Phase.SYNCING):
        found += syncing_for(memory)
    elif memory.phase is Phase.TRADING:
        for pair in memory.pairs.values():
            # A hold and a halt stand there already, with the way out of them.
            found += [
                why for why in pair.permit.why if not any(each.startswith(why) for each in found)
            ]
            if not found and pair.plan and pair.laid and not (pair.laid.buys or pair.laid.sells):
                found += pair.plan.why
    return tuple(found)


def syncing_for(memory: Memory) -> list[str]:
    """What is missing before trading may begin."""
    found: list[str] = []
    if memory.line == "down":
        return ["the private line to the exchange"]
    if memory.asking.listed_at < memory.line_up_at or not memory.asking.listed_at:
        found.append("the exchange's list of our orders")
    if memory.lost():
        found.append(f"{memory.lost()} orders of which nothing certain is known")
    if not memory.balances:
        found.append("balances")
    if not memory.kill.stage and not memory.switch.covers(memory.now, memory.config.ws):
        found.append("the dead man's switch to be armed")
    unknown = [lacks for pair in memory.pairs.values() if (lacks := _lacks(pair))]
    if len(unknown) == len(memory.pairs):
        # One pair that is known is enough to begin; the others join when they are.
        found += [what for lacks in unknown for what in lacks]
    return found


def _lacks(pair: PairMemory) -> list[str]:
    found = [f"fees of {pair.name}"] if pair.maker is None else []
    return [*found, f"precisions of {pair.name}"] if pair.tape.pair is None else found


def reconcile_data(memory: Memory) -> dict[str, object]:
    """How the account stands against the exchange's own word, for `strategy-ctl reconcile`."""
    found, now = memory.audit, memory.now
    listed_at = memory.asking.listed_at
    return {
        "coin": memory.coin,
        "balance": plain(memory.balances.get(memory.coin, Decimal(0))),
        "ledger": fixed_text(memory.held(), COIN_DECIMALS),
        "external": fixed_text(found.external, COIN_DECIMALS),
        "withdrawals": withdrawals.shown(memory),
        "drift": fixed_text(drift(memory) or 0, COIN_DECIMALS),
        "drift_s": round((now - found.since) / SECOND, 1) if found.since else 0.0,
        "sells_held": found.held,
        "listed_s": round((now - listed_at) / SECOND, 1) if listed_at else None,
        "lost": memory.lost(),
        "orphans": list(memory.orphans),
        "foreign": list(memory.foreign),
        "history_from": rfc3339(memory.cursor) if memory.cursor else "",
    }


def lots_data(memory: Memory) -> dict[str, object]:
    """The open lots, oldest first, for `strategy-ctl lots --json`."""
    safety = memory.config.tax.holding_safety_days
    rows = [
        {
            "exec_id": lot.basis.id,
            "acquired": rfc3339(lot.basis.wall),
            "qty": _coins(lot.basis.qty),
            "left": _coins(lot.qty),
            "cost": plain(lot.basis.money),
            "currency": lot.basis.currency,
            "free_from": rfc3339(free_from_wall(lot.basis.wall, safety)),
            "free": free_from_wall(lot.basis.wall, safety) <= memory.wall,
        }
        for lot in memory.desk.lots()
    ]
    return {
        "lots": rows,
        "free": fixed_text(memory.free(), COIN_DECIMALS),
        "total": fixed_text(memory.held(), COIN_DECIMALS),
        "leaving": fixed_text(memory.gone(), COIN_DECIMALS),
    }


def _coins(units: int) -> str:
    return fixed_text(units // PER_SAT, COIN_DECIMALS)
