"""The status page: one plain page, everything on it, readable on a telephone.

Rule 1: every text passes `_t`: some of it comes from the exchange.
Rule 2: nothing is loaded from elsewhere; style and script stand in the page, allowed by their hash.
Rule 3: what is not known is said, not shown as zero, and old values are marked as old.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from monitor.summary import SWITCH_LOW_S, silence, verdict
from monitor.view import View, touch
from shared.frames import FillView, PairView, SlotView, Status
from shared.units import SECOND, Ns

REFRESH_S: Final = 2
FILLS_SHOWN: Final = 15

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6572;--paper:#f6f7f9;--card:#fff;
--line:#dfe3e8;--good:#11703c;--waiting:#8a5a00;--bad:#b3261e;--buy:#11703c;--sell:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#98a2ae;--paper:#14171a;--card:#1c2024;
--line:#30363d;--good:#4cc38a;--waiting:#e0a83c;--bad:#ff8078;--buy:#4cc38a;--sell:#ff8078}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main,.lost{max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.1rem;margin:0}h2{font-size:.95rem;margin:0 0 .6rem}
header{display:flex;gap:.75rem;align-items:baseline;flex-wrap:wrap;margin-bottom:.75rem}
header span,.dim{color:var(--dim)}
.verdict{padding:.8rem 1rem;border-radius:.5rem;background:var(--card);font-size:1.1rem;
border-left:.4rem solid;margin-bottom:1rem;overflow-wrap:anywhere}
.good{color:var(--good)}.waiting{color:var(--waiting)}.bad{color:var(--bad)}
.buy{color:var(--buy)}.sell{color:var(--sell)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(15.5rem,1fr));gap:1rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;
margin-bottom:1rem;min-width:0}
.cards section{margin:0}.cards{margin-bottom:1rem}
dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem .8rem;margin:0}
dt{color:var(--dim)}dd{margin:0;text-align:right;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse}
th{font-weight:400;color:var(--dim);text-align:left}
th,td{padding:.25rem .6rem .25rem 0;border-top:1px solid var(--line);vertical-align:top}
thead th{border:0}.n{text-align:right;white-space:nowrap}.n+.why{padding-left:1rem}
.why{color:var(--dim)}
.mid td{text-align:center;color:var(--dim);background:var(--paper)}
.stale{opacity:.55}ul{margin:0;padding-left:1.1rem}.lost{display:none;color:var(--bad)}
.gone .lost{display:block}.gone main{opacity:.4}
form{display:flex;gap:.5rem;flex-wrap:wrap}input,button{font:inherit;padding:.4rem .6rem}
input{flex:1;min-width:12rem}code{overflow-wrap:anywhere}
@media(max-width:40rem){thead{display:none}tr{display:grid;gap:0 .6rem;padding:.35rem 0;
grid-template-columns:repeat(4,auto);justify-content:space-between;
border-top:1px solid var(--line)}
.grid tr{grid-template-columns:2rem 1fr 1fr 1fr}
td,th,.n+.why{border:0;padding:0}.why,.mid td{grid-column:1/-1}.extra:empty,.long{display:none}}
"""

SCRIPT: Final = f"""
setInterval(async () => {{
  let fresh = "";
  try {{
    const answer = await fetch("/part", {{cache: "no-store"}});
    if (answer.status === 401) location.reload();
    if (answer.ok) fresh = await answer.text();
  }} catch {{}}
  document.body.classList.toggle("gone", !fresh);
  if (fresh) document.querySelector("main").innerHTML = fresh;
}}, {REFRESH_S * 1000});
"""


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_hash(STYLE)}'; script-src 'sha256-{_hash(SCRIPT)}'; "
    "connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)


def page(view: View, now: Ns, wall: Ns) -> str:
    """The whole document. now, wall: house time; the script asks for `body` from then on."""
    return _document(
        f'<div class="lost"><div class="verdict bad">The monitor does not answer: what stands '
        f"below is old.</div></div><main>{body(view, now, wall)}</main><script>{SCRIPT}</script>",
        f'<noscript><meta http-equiv="refresh" content="{REFRESH_S}"></noscript>',
    )


def login_page(token_file: str, *, refused: bool) -> str:
    """What somebody sees who has not shown the token."""
    again = '<p class="bad">This is not the token.</p>' if refused else ""
    return _document(
        "<main><header><h1>iCryptoTrader</h1></header><section><h2>This page needs a token</h2>"
        f"<p>It stands in <code>{_t(token_file)}</code> on the machine that trades, and can only "
        f"be read by the user who started it.</p>{again}"
        '<form method="post" action="/"><input name="token" type="password" aria-label="token" '
        'autocomplete="current-password" autofocus><button>Show the status</button></form>'
        "</section></main>"
    )


def body(view: View, now: Ns, wall: Ns) -> str:
    """What changes: the inside of <main>."""
    state = verdict(view, now)
    mode = view.status.mode if view.status else ""
    head = (
        f"<header><h1>iCryptoTrader</h1><span>{_t(mode)}</span><span>{_time(wall)}</span></header>"
        f'<div class="verdict {state.mood}" role="status">{_t(state.text)}</div>'
    )
    about = f'<div class="cards">{_feed(view, now)}{_alerts(view)}</div>'
    return head + _strategy(view, now) + _fills(view.fills) + about


def _strategy(view: View, now: Ns) -> str:
    status = view.status
    if status is None:
        return ""
    known = ' class="stale"' if not view.strategy.up(now) else ""
    old = f"<p>Last known, {_seconds(view.strategy.silent_ns(now))} ago:</p>" if known else ""
    cards = _card("State", _state(status)) + _card("Safety", _safety(status))
    cards += _card("Money", _money(status))
    grids = "".join(_pair(view, status, pair) for pair in status.pairs)
    return f'<div{known}>{old}<div class="cards">{cards}</div>{grids}</div>'


def _state(status: Status) -> Sequence[tuple[str, str]]:
    return (
        ("phase", _mark(status.phase, "good" if status.phase == "trading" else "waiting")),
        ("pause", _mark(status.pause, "good" if status.pause == "ACTIVE_TRADING" else "waiting")),
        ("hold", _mark("yes", "waiting") if status.hold else "no"),
        ("regime", _t(status.regime)),
        ("exchange", _t(status.system or "unknown")),
        ("up for", _duration(status.uptime_s)),
        ("last tick", f"{status.tick_us / 1000:.2f} ms"),
        ("done", _t(", ".join(f"{count} {what}" for what, count in status.counters) or "nothing")),
    )


def _safety(status: Status) -> Sequence[tuple[str, str]]:
    left = status.switch_left_s
    switch = "not armed" if left <= 0 else f"{int(left)} s"
    return (
        ("dead man's switch fires in", _mark(switch, "good" if left > SWITCH_LOW_S else "bad")),
        ("age of market data", f"{status.feed_age_s:.1f} s"),
        ("private line", _mark(status.line, "good" if status.line == "up" else "bad")),
        ("own orders", f"{status.orders}"),
        ("orders of unknown fate", _mark(f"{status.lost}", "bad" if status.lost else "")),
        (
            "orders of others",
            _mark(f"{status.foreign_orders}", "bad" * bool(status.foreign_orders)),
        ),
        ("rate counter", f"{status.rate_used:.0f} of {status.rate_limit:.0f}"),
    )


def _money(status: Status) -> Sequence[tuple[str, str]]:
    agree = status.drift.strip("-0.") == ""
    return (
        ("equity", _t(status.equity)),
        ("drawdown", f"{status.drawdown_pct * 100:.2f} %"),
        *((f"balance {_t(asset)}", _t(total)) for asset, total in status.balances),
        ("in the ledger", _t(status.ledger_base)),
        ("of these free of tax", _t(status.free_base)),
        ("balance less ledger", _mark(status.drift, "" if agree else "bad")),
        ("fills booked", f"{status.fills}"),
        ("fees", f"{status.maker_pct:g} % maker, {status.taker_pct:g} % taker"),
    )


def _pair(view: View, status: Status, pair: PairView) -> str:
    bid, ask = touch(view, pair.pair) or (pair.bid, pair.ask)
    price = f"{bid} / {ask}" if bid and ask else "no valid book"
    facts = [f"anchor {pair.anchor}" if pair.anchor else "", f"VWAP {pair.vwap}" * bool(pair.vwap)]
    facts += [f"step {pair.buy_spacing_bps:g} bps", f"volatility {pair.volatility_pct:.0%}"]
    facts += [f"{pair.breaker}" if pair.breaker else ""]
    reasons = "".join(f"<li>{_t(why)}</li>" for why in pair.why)
    return (
        f"<section><h2>{_t(pair.pair)} &ensp; {_t(price)}</h2>"
        f'<p class="dim">{_t(", ".join(filter(None, facts)))}</p>'
        f"{_grid([s for s in status.slots if s.pair == pair.pair], price)}"
        f"{f'<ul>{reasons}</ul>' if reasons else ''}</section>"
    )


def _grid(slots: Sequence[SlotView], price: str) -> str:
    """Sells above, the market in the middle, buys below: as the prices stand."""
    sells = [slot for slot in slots if slot.side == "sell"]
    buys = [slot for slot in slots if slot.side != "sell"]
    middle = f'<tr class="mid"><td colspan="6">{_t(price)}</td></tr>'
    rows = _slots(reversed(_outwards(sells, 1))) + middle + _slots(_outwards(buys, -1))
    head = '<th>slot</th><th>state</th><th class="n">price</th><th class="n">quantity</th>'
    head += '<th class="n">filled</th><th class="why">why</th>'
    return f'<table class="grid"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _outwards(slots: Iterable[SlotView], away: int) -> list[SlotView]:
    """From the market outwards (away: +1 up, -1 down), the empty ones last."""

    def place(slot: SlotView) -> tuple[bool, Decimal, str]:
        price = _decimal(slot.price)
        return not price, price * away, slot.slot

    return sorted(slots, key=place)


def _slots(slots: Iterable[SlotView]) -> str:
    return "".join(
        f'<tr><td class="{_side(slot.side)}">{_t(slot.slot)}</td><td>{_t(slot.state)}</td>'
        f'<td class="n">{_t(slot.price)}</td><td class="n">{_t(slot.qty)}</td>'
        f'<td class="n extra">{_t(slot.filled if _decimal(slot.filled) else "")}</td>'
        f'<td class="why">{_t(slot.why)}</td></tr>'
        for slot in slots
    )


def _feed(view: View, now: Ns) -> str:
    beat = view.beat
    if beat is None:
        return f"<section><h2>Feed</h2>The feed {_t(silence(view.feed, now))}.</section>"
    up = view.feed.up(now)
    rows = (
        ("phase", _t(beat.phase) if up else _mark(f"The feed {silence(view.feed, now)}", "bad")),
        ("exchange heard", f"{_seconds(Ns(now - beat.heard_at))} ago"),
        ("checksums", f"{beat.checksums} good, {beat.checksum_faults} wrong"),
        ("connections, resubscriptions", f"{beat.connects}, {beat.resubscribes}"),
        ("not understood", f"{beat.dropped}"),
        ("waits for", _t(beat.note or "nothing")),
        ("frames missed by this page", f"{view.wire.missed}"),
    )
    return _card("Feed", rows)


def _fills(fills: Sequence[FillView]) -> str:
    rows = "".join(
        f"<tr><td>{_t(fill.time[:19].replace('T', ' '))}</td>"
        f'<td class="{_side(fill.side)}">{_t(fill.side)}</td>'
        f'<td class="n">{_t(fill.price)}</td><td class="n">{_t(fill.qty)}</td>'
        f'<td class="n long">{_t(fill.cost)}</td><td class="n long">{_t(fill.fee)}</td></tr>'
        for fill in fills[:FILLS_SHOWN]
    )
    head = '<th>time (UTC)</th><th>side</th><th class="n">price</th><th class="n">quantity</th>'
    head += '<th class="n">cost</th><th class="n">fee</th>'
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<section><h2>Fills</h2>{table if rows else 'None yet.'}</section>"


def _alerts(view: View) -> str:
    now = view.status.alerts if view.status else ()
    open_now = "".join(f"<li>{_mark(level, _mood(level))} {_t(text)}</li>" for level, text in now)
    past = "".join(
        f'<li><span class="dim">{_time(told.wall)}</span> {_mark(told.level, _mood(told.level))} '
        f"{_t(told.text)}</li>"
        for told in view.alerts
    )
    return (
        f"<section><h2>Alerts</h2>{f'<ul>{open_now}</ul>' if open_now else 'None open.'}"
        f"{f'<h2>Earlier</h2><ul>{past}</ul>' if past else ''}</section>"
    )


def _document(inside: str, head: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>iCryptoTrader</title><link rel="icon" href="data:,">{head}'
        f"<style>{STYLE}</style></head><body>{inside}</body></html>"
    )


def _card(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """rows: name and value, the value as HTML."""
    inside = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f"<section><h2>{_t(title)}</h2><dl>{inside}</dl></section>"


def _mark(text: str, mood: str) -> str:
    return f'<span class="{mood}">{_t(text)}</span>' if mood else _t(text)


def _mood(level: str) -> str:
    return {"info": "", "warning": "waiting"}.get(level, "bad")


def _side(side: str) -> str:
    return "sell" if side == "sell" else "buy"


def _t(text: str) -> str:
    return html.escape(text, quote=True)


def _time(wall: Ns) -> str:
    return f"{datetime.fromtimestamp(wall // SECOND, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _seconds(duration: Ns | None) -> str:
    return "never" if duration is None else f"{max(duration, 0) / SECOND:.0f} s"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)
