"""The pipeline: hear everything, then one tick of twelve stages for each pair, top to bottom.

Each stage is one verb from one file; every write to memory by a stage stands here, left of an `=`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from shared.frames import Book
from shared.orders import AddOrder, AmendOrder, ArmDeadman
from shared.units import MINUTE, SECOND, Ns, Sats, Ticks
from strategy.core import byrest, deadman, exits, hear, killing, reconcile
from strategy.core.account import assess_account, judge
from strategy.core.advice import advise
from strategy.core.allocation import allot, fenced
from strategy.core.audit import audit
from strategy.core.breaker import guard
from strategy.core.bulk import Learned, learn
from strategy.core.daily import turn_day
from strategy.core.decide import decide
from strategy.core.draining import drain, switch_wanted
from strategy.core.fees import PATIENCE, floor_bps, scheduled
from strategy.core.gate import refuse, throttle
from strategy.core.grid import Hung, hang, propose
from strategy.core.ground import Ground, survey
from strategy.core.hedge import hedge
from strategy.core.imbalance import weigh
from strategy.core.inbox import hear_item
from strategy.core.inventory import confine, share
from strategy.core.kept import floors_of, note_rest, restless, rules_of, spaced
from strategy.core.lifecycle import DRAINING, STOPPED, SYNCING, Turn, turn
from strategy.core.limiter import admit, charged, waits
from strategy.core.market import View, observe
from strategy.core.memory import EXIT_SLOT, Memory, PairMemory
from strategy.core.openorders import OpenOrders
from strategy.core.out import In, Out, Report, Tell
from strategy.core.permit import permit
from strategy.core.plan import Laid, Plan, lay, most_sold
from strategy.core.quiet import Band, find
from strategy.core.reference import follow
from strategy.core.regime import Kind, classify
from strategy.core.samples import sample
from strategy.core.skew import leaned, skew
from strategy.core.slots import (
    Add,
    Amend,
    Cancel,
    Intent,
    State,
    added,
    amended,
    canceled,
)
from strategy.core.taxgate import trimmed, withhold
from strategy.core.thresholds import note, rank, thresholds
from strategy.core.view import status, syncing_for
from strategy.core.withdrawals import settle
from strategy.ledger.entries import AuditEntry, IntentEntry, Remember

REPORT_EACH: Final = Ns(SECOND)
REPORT_AT_MOST_EACH: Final = Ns(SECOND // 5)
PEAK_KEPT_EACH: Final = MINUTE
ALERTS_KEPT: Final = 20


class Core:
    """The strategy as a Machine: events and frames in; commands, entries and reports out."""

    def __init__(self, memory: Memory, *, watched: bool = True) -> None:
        """A new life's memory, or one restored from a journal. watched: reports are wanted."""
        self.memory = memory
        self._next_tick = memory.now
        self._anchor_moved = False
        self._stood: tuple[Ns, OpenOrders, Laid | None, Ground] | None = None  # the last tick
        self._reported_at = Ns(0) if watched else Ns(1 << 62)
        self._reported_digest: tuple[object, ...] = ()

    # The Machine.

    def step(self, now: Ns, inbox: Sequence[In]) -> list[Out]:
        """Hear all that waited, then act once."""
        memory = self.memory
        assert now >= memory.now, "time never falls"
        memory.now = now
        out: list[Out] = []
        for item in inbox:
            out += hear_item(memory, item, now)
        out += self._account(now)
        for pair in memory.pairs.values():
            self._learn(pair, now)
        out += assess_account(memory, now)  #                                      3 risk
        for pair in memory.pairs.values():
            out += self._act(pair, now)
        out += self._finish(now)
        memory.clear_once = False
        memory.count("ticks")
        for told in out:
            if type(told) is Tell:
                _keep_alert(memory, told)
        out += self._report(now)
        self._next_tick = Ns(now + int(memory.config.time.tick_sec * SECOND))
        return out

    def wake_at(self) -> Ns:
        """The next tick: the switch, deadlines and patience are all looked at once a tick."""
        return self._next_tick

    # Quiet stretches, for whoever knows what the market did next (sim/backtest).

    def quiet_band(self) -> Band | None:
        """Where ticks ask for nothing, after one that did; None where each has to be run."""
        return find(self.memory, self._think_again)

    def learn(
        self,
        nows: Sequence[Ns],
        mids: Sequence[float],
        frame: Callable[[int], Book],
        kinds: Sequence[Kind],
    ) -> Learned:
        """Learn from the first of these ticks inside a band.

        nows: their moments. mids: of a book of one Tick's spread that weighs the same on both
        sides. frame: the book of one of them, by its place. kinds: those of the band.
        """
        learned = learn(self.memory, nows, mids, frame, kinds)
        if learned.ticks:
            last = nows[learned.ticks - 1]
            self._next_tick = Ns(last + int(self.memory.config.time.tick_sec * SECOND))
        return learned

    # What concerns the whole account, once a step.

    def _account(self, now: Ns) -> list[Out]:
        memory = self.memory
        out: list[Out] = []
        if memory.switch.fired(now):
            out += hear.switch_fired(memory, now)
        for pair in memory.pairs.values():
            out += reconcile.time_out(memory, pair, now)
        out += byrest.take_over(memory, now)
        out += killing.carry_on(memory, now)
        out += settle(memory)
        out += audit(memory, now)
        if switch_wanted(memory) and deadman.due(memory.switch, now, memory.config.ws):
            memory.switch = deadman.asked(memory.switch, now)
            out.append(ArmDeadman(memory.config.ws.cancel_after_timeout_sec))
        out += reconcile.ask(memory, now)
        if memory.phase is SYNCING and not syncing_for(memory):
            memory.phase = turn(memory.phase, Turn.SYNCED)
            does = "halted" if memory.halt else "trading"
            out.append(Tell("info", "phase", f"in sync with the exchange: {does}"))
        out += turn_day(memory)
        why = throttle(memory, now)
        if why and not memory.halt:
            memory.halt = why
            out += [Remember("halt", why), AuditEntry(memory.wall, "bot", "halt", why)]
            out.append(Tell("critical", "halt", f"halted: {why}"))
        return out

    # One tick of one pair: the twelve stages, the third of them once for the account.

    def _learn(self, pair: PairMemory, now: Ns) -> None:
        """What is true of one pair's market."""
        cfg = self.memory.config
        view = pair.view = observe(pair.tape, now, cfg.time)  #                    1 market data
        if view is None:
            return
        waited = self.memory.line != "down" and now - self.memory.line_up_at >= PATIENCE
        if pair.maker is None and waited:
            pair.maker, pair.taker = scheduled(self.memory.wall, cfg.fees)
        pair.samples = sample(pair.samples, view, now, cfg.regime.sample_sec)
        pair.imbalance = weigh(pair.imbalance, pair.tape.book, now, cfg.imbalance)
        pair.reference = follow(pair.reference, view, now)
        pair.breaker = guard(pair.breaker, view, now, cfg.risk)  #                 2 circuit breaker
        record = note(pair.record, pair.regime.volatility, now, cfg.regime.adaptive)
        if record is not pair.record or pair.edges is None:
            pair.record, pair.ranked = record, rank(record.seen, pair.ranked)
            pair.edges = thresholds(record, cfg.regime, pair.ranked)
        pair.regime = classify(pair.regime, view, now, pair.edges, cfg.regime)  #  4 regime
        if pair.maker is not None:
            pair.floor_bps = floor_bps(pair.maker, pair.taker or pair.maker, cfg.grid)
            pair.spacing = spaced(pair, now, cfg)
        pair.advice = advise(pair.advice, now)  #                                  5 advice

    def _act(self, pair: PairMemory, now: Ns) -> list[Out]:
        """What we would like of one pair, and what we do."""
        memory, cfg, view = self.memory, self.memory.config, pair.view
        pair.permit = permit(memory, pair, now)
        laid: Laid | None = None
        if view is not None and pair.permit.change and view.fresh and pair.maker is not None:
            pair.plan, hung, laid = self._think(pair, view, now)  #                6 to 9
            self._anchor_moved = hung.anchor != pair.hung.anchor
            # The same wishes stay the same object: what was found out of them is known still.
            pair.hung, pair.laid = hung, pair.laid if pair.laid == laid else laid
        told = judge(memory, pair)
        pair.notes = {}
        intents = pair.intents = self._decide(pair, view, laid, now)  #           10 order decisions
        if view is not None and laid is not None and not intents:
            note_rest(pair, laid, view, now, cfg.grid)
        admitted = admit(pair.limiter, intents, now, cfg.rate_limit)  #           11 rate limit
        told += self._dispatch(pair, admitted, now)  #                            12 dispatch
        if len(admitted) < len(intents):
            why = waits(pair.limiter, now, cfg.rate_limit)
            pair.notes |= {each.slot.name: why for each in intents if each not in admitted}
        return told

    def _think(self, pair: PairMemory, view: View, now: Ns) -> tuple[Plan, Hung, Laid]:
        """Stages 6 to 9; where price and ground are what they were, so is what is wished."""
        ground = survey(self.memory, pair, now)
        self._stood = now, pair.open, pair.laid, ground
        stood = view.pair, view.bid, view.ask, view.vwap, ground
        if stood != pair.stood or pair.wish is None or pair.hung.away_since:
            pair.stood, pair.wish = stood, self._wish(pair, view, ground, now)
        plan, hung, laid = pair.wish
        return plan, hung, trimmed(laid, self.memory, pair, ground.filled, ground.leave.gate)

    def _think_again(self, pair: PairMemory) -> tuple[Plan, Hung, Laid] | None:
        """What a tick would wish where the last one did, before it is trimmed; None where other
        orders would rest by it."""
        memory, view = self.memory, pair.view
        if view is None or pair.laid is None:
            return None
        if self._stood is not None:
            now, orders, laid, ground = self._stood
            same = now == memory.now and orders is pair.open and laid is pair.laid
            if same and ground.hung == pair.hung:
                return pair.wish  # that tick has changed nothing of what it stood on
        ground = survey(memory, pair, memory.now)
        plan, hung, raw = self._wish(pair, view, ground, memory.now)
        laid = trimmed(raw, memory, pair, ground.filled, ground.leave.gate)
        rests = (laid.buys, laid.sells) == (pair.laid.buys, pair.laid.sells)
        return (plan, hung, raw) if rests and hung == pair.hung else None

    def _wish(
        self, pair: PairMemory, view: View, ground: Ground, now: Ns
    ) -> tuple[Plan, Hung, Laid]:
        """Stages 6 to 9: the Plan goes from hand to hand; then it is laid as prices.

        It looks at market, ground, settings and clock alone, and changes nothing: what a quiet
        stretch is sought with must leave no trace (quiet.py).
        """
        cfg, values, permitted = self.memory.config, ground.values, ground.permit
        base, money, step = ground.base, ground.money, ground.step

        funds = base - ground.reserve, ground.quote
        plan = propose(view, values, step, funds, cfg.grid, ground.who)  #         6 grid
        plan = plan.collared(view.mid, cfg.limits.collar_pct)
        plan = confine(plan, view, (base, money), cfg.inventory.rebalance_cap_pct, values)
        plan = withhold(plan, ground.leave)  #                                     7 tax gating
        plan = fenced(allot(plan, ground.part), ground.fence)
        if not permitted.buy:
            plan = plan.capped(_first(permitted.why), buy=0)
        if not permitted.sell:
            plan = plan.capped(_first(permitted.why), sell=0)
        plan = hedge(  #                                                           8 hedge
            plan, ground.drawdown, cfg.risk.max_portfolio_drawdown_pct, cfg.hedge
        )
        coin_share, leaning = share(base, money, view.mid), (cfg.skew, cfg.avellaneda_stoikov)
        plan = skew(plan, coin_share, values, ground.opinion, leaning)  #          9 skew

        follow_down = plan.buy_levels > 0 and plan.buy_units > 0
        follow_up = plan.sell_levels > 0 and plan.sell_sats > 0
        hung = hang(ground.hung, view, step, (follow_down, follow_up), now, cfg.grid)
        lean = leaned(ground.hung.lean, plan.lean_bps, step)
        hung = hung if lean == hung.lean else replace(hung, lean=lean)
        return plan, hung, self._lay(pair, view, plan, hung, ground)

    def _lay(self, pair: PairMemory, view: View, plan: Plan, hung: Hung, ground: Ground) -> Laid:
        """The plan as prices on this lattice."""
        anchor = hung.leaning
        bound: Sequence[tuple[int, int]] = ()
        if ground.unmatched and self.memory.config.grid.sell_floor == "paired":
            bound = floors_of(pair, ground, most_sold(plan, anchor, view.pair))
        return lay(plan, anchor, view.pair, (view.bid, view.ask), bound, ground.filled)

    def _decide(
        self, pair: PairMemory, view: View | None, laid: Laid | None, now: Ns
    ) -> list[Intent]:
        """Stage 10: wishes against slots; nothing but cancels where nothing may be added."""
        memory = self.memory
        if memory.kill.stage == "cancelling":
            return []  # CancelAll has asked for all of it
        if memory.clear_once or not (pair.permit.buy or pair.permit.sell):
            why = _first(pair.permit.why) or "cancel-all"
            intents: list[Intent] = [
                Cancel(slot, why) for slot in pair.slots if slot.state is State.LIVE
            ]
            return intents + exits.decide(memory, pair, now)
        if laid is None or view is None:
            return []
        sides = restless(pair, laid, now, memory.config.grid).left
        if not sides:
            return []
        rules = rules_of(pair, view, memory.config.grid)
        return [each for side, left in sides for each in decide(left, pair.side(side), now, rules)]

    def _dispatch(self, pair: PairMemory, intents: Sequence[Intent], now: Ns) -> list[Out]:
        """Stage 12: the gate, then the intent on paper, then the letter."""
        memory = self.memory
        out: list[Out] = []
        if self._anchor_moved:
            self._anchor_moved = False
            out.append(hear.anchor_fact(pair))
        deadline = Ns(memory.wall + memory.skew + int(memory.config.time.deadline_sec * SECOND))
        for intent in intents:
            place = pair.place(intent.slot.name)
            if isinstance(intent, Cancel):
                pair.limiter = charged(pair.limiter, intent, now, memory.config.rate_limit)
                pair.slots[place], command = canceled(intent.slot, now)
                pair.notes[intent.slot.name] = intent.why
                memory.count("cancels")
                out.append(command)
                continue
            why = refuse(memory, pair, intent, now)
            if why:
                pair.notes[intent.slot.name] = f"the gate: {why}"
                memory.count("gated")
                continue
            pair.limiter = charged(pair.limiter, intent, now, memory.config.rate_limit)
            price, qty = Ticks(intent.wish.price), Sats(intent.wish.qty)
            if isinstance(intent, Amend):
                change = AmendOrder(intent.slot.cl_ord_id, pair.name, price, qty, deadline)
                pair.amend(place, amended(intent.slot, change, now))
                memory.count("amends")
                out.append(change)
                continue
            out += self._add(pair, place, intent, deadline, now)
        return out

    def _add(self, pair: PairMemory, place: int, add: Add, deadline: Ns, now: Ns) -> list[Out]:
        memory, slot, wish = self.memory, add.slot, add.wish
        order = AddOrder(
            memory.next_id(pair, slot.side),
            pair.name,
            slot.side,
            wish.price,
            wish.qty,
            deadline,
            slot.name == EXIT_SLOT,
        )
        pair.slots[place] = added(slot, order, now)
        memory.index[order.cl_ord_id] = (pair.name, place)
        memory.count("adds")
        told = exits.announce(memory, pair, add) if slot.name == EXIT_SLOT else []
        entry = IntentEntry(
            order.cl_ord_id,
            slot.name,
            pair.name,
            slot.side,
            wish.price,
            wish.qty,
            deadline,
            memory.wall,
        )
        return [*told, entry, order]

    # The end of a step.

    def _finish(self, now: Ns) -> list[Out]:
        """Keep the peak, at most once a minute; and go on draining."""
        memory = self.memory
        out: list[Out] = []
        kept_at, kept = memory.peak_kept
        if memory.risk.peak > kept and now - kept_at >= PEAK_KEPT_EACH:
            memory.peak_kept = (now, memory.risk.peak)
            out.append(Remember("peak", repr(memory.risk.peak)))
        if memory.phase is DRAINING:
            out += drain(memory, now)
        return out

    def _report(self, now: Ns) -> list[Out]:
        """The view: each second, and sooner where something a person sees has changed."""
        memory = self.memory
        since = now - self._reported_at
        if since < REPORT_AT_MOST_EACH and memory.phase is not STOPPED:
            return []
        seen = (
            memory.phase, memory.hold, memory.halt, memory.fills, memory.line,
            [slot for pair in memory.pairs.values() for slot in pair.slots],
        )  # fmt: skip
        if since < REPORT_EACH and seen == self._reported_digest:
            return []
        self._reported_at, self._reported_digest = now, seen
        return [Report(status(memory))]


def _first(why: tuple[str, ...]) -> str:
    return why[0] if why else ""


def _keep_alert(memory: Memory, tell: Tell) -> None:
    """The open matters, newest last; bounded."""
    if tell.level == "info":
        return
    memory.alerts.pop(tell.key, None)
    memory.alerts[tell.key] = (tell.level, tell.text)
    while len(memory.alerts) > ALERTS_KEPT:
        memory.alerts.pop(next(iter(memory.alerts)))
