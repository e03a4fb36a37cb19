"""The page's style and script, and the policy that allows these and what this server sends."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from shared.chartscript import CHARTS, PLOTS, THEME

_STYLE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
.page,.lost{max-width:76rem;margin:0 auto;padding:1rem}
h1{font-size:1.1rem;margin:0}h2{font-size:.95rem;margin:0 0 .6rem}
h3{font-size:.9rem;margin:.9rem 0 .3rem}
a{color:var(--accent)}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
header{display:flex;gap:.4rem .75rem;align-items:baseline;flex-wrap:wrap;margin-bottom:.75rem}
header span,.dim{color:var(--dim)}header nav{margin-left:auto;display:flex;gap:.9rem}
header form{display:inline}.plain{background:none;border:0;padding:0;color:var(--accent);
text-decoration:underline;cursor:pointer}
.verdict{padding:.8rem 1rem;border-radius:.5rem;background:var(--card);font-size:1.15rem;
border-left:.5rem solid;margin-bottom:1rem;overflow-wrap:anywhere;font-weight:600}
.good{color:var(--good)}.waiting{color:var(--waiting)}.bad{color:var(--bad)}
td.buy{color:var(--buy)}td.sell{color:var(--sell)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:1rem;
margin-bottom:1rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;
margin-bottom:1rem;min-width:0}
.cards section{margin:0}
.two{display:grid;grid-template-columns:minmax(0,1fr);gap:0 1rem;align-items:start}
@media(min-width:64rem){.two{grid-template-columns:repeat(2,minmax(0,1fr))}}
dl{display:grid;grid-template-columns:minmax(35%,1fr) fit-content(65%);gap:.2rem .8rem;margin:0}
dt{color:var(--dim)}dd{margin:0;text-align:right;overflow-wrap:break-word}
table{width:100%;border-collapse:collapse}
th{font-weight:400;color:var(--dim);text-align:left}
th,td{padding:.25rem .6rem .25rem 0;border-top:1px solid var(--line);vertical-align:top}
thead th{border:0}.n{text-align:right;white-space:nowrap}.n+.why{padding-left:1rem}
.why{color:var(--dim)}
.mid td{text-align:center;color:var(--dim);background:var(--paper)}
.stale section{border-style:dashed}.stale dl *{color:var(--dim)}
.answer{font-size:1.02rem;margin:0 0 .7rem;font-weight:600}
ul{margin:0;padding-left:1.1rem}.lost{display:none}
.gone .lost{display:block}
.day{white-space:nowrap}
.actions{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1rem}
details{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
summary{cursor:pointer;font-weight:600}
form p{margin:.5rem 0}label{display:block;color:var(--dim);font-size:.9rem}
input,button{font:inherit;padding:.45rem .6rem;color:inherit;background:var(--card);
border:1px solid var(--dim);border-radius:.3rem;max-width:100%}
button{cursor:pointer}.danger{border-color:var(--bad);color:var(--bad)}
code{overflow-wrap:anywhere}
.log{font:12px/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:0;
max-height:20rem;overflow-y:auto}
@media(max-width:40rem){.grid thead,.long{display:none}th,td{padding-right:.3rem}
td:last-child,th:last-child{padding-right:0}
.grid tr{display:grid;gap:0 .6rem;padding:.35rem 0;grid-template-columns:2rem 1fr 1fr 1fr;
justify-content:space-between;border-top:1px solid var(--line)}
.grid td,.grid .n+.why{border:0;padding:0}.why,.mid td{grid-column:1/-1}
.extra:empty{display:none}
table{font-size:.92rem}.page{padding:.6rem}
section{padding:.8rem}summary,button,nav a{padding-block:.3rem}}
@media(prefers-reduced-motion:no-preference){.gone .page{transition:opacity .3s}}
.gone .page [data-part]{opacity:.55}
"""

STYLE: Final = THEME + _STYLE + PLOTS

_SCRIPT: Final = """
const parts = new Map();
for (const node of document.querySelectorAll("[data-part]")) parts.set(node.dataset.part, node);
let heard = Date.now();
function show(event) {
  heard = Date.now();
  const fresh = JSON.parse(event.data);
  for (const name of Object.keys(fresh)) {
    const node = parts.get(name);
    if (!node) continue;
    const kept = [...node.querySelectorAll("[data-keep]")].map(
      (n) => [n.dataset.keep, n.open, n.scrollTop, n.contains(document.activeElement)]);
    charts.refill(node, fresh[name]);
    for (const [key, open, top, focused] of kept) {
      const again = node.querySelector(`[data-keep="${key}"]`);
      if (!again) continue;
      if (open) again.open = true;
      again.scrollTop = top;
      if (focused) (again.querySelector("summary") || again).focus({preventScroll: true});
    }
  }
}
function listen() {
  const source = new EventSource("/events");
  source.addEventListener("parts", show);
  source.addEventListener("figures", (event) => charts.show(JSON.parse(event.data)));
  source.addEventListener("end", () => { source.close(); listen(); });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    fetch("/api/status", {cache: "no-store"}).then(
      (answer) => { if (answer.status === 401) location.reload(); }).catch(() => {});
    setTimeout(listen, 3000);
  };
}
if (parts.size) {
  document.getElementById("library").addEventListener("load", charts.ready);
  listen();
  setInterval(() => document.body.classList.toggle("gone", Date.now() - heard > 6000), 1000);
}
"""

SCRIPT: Final = CHARTS + _SCRIPT


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_LIBRARY_STYLES: Final = (_hash(""), "ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o=")
"""Of the two style elements that plotly.js 4.1 adds: an empty one, which it fills by rules, and
that of its maps. What it sets on elements it sets by script, which needs no leave."""

_STYLES: Final = " ".join(f"'sha256-{each}'" for each in (_hash(STYLE), *_LIBRARY_STYLES))

POLICY: Final = (
    f"default-src 'none'; style-src {_STYLES}; script-src 'sha256-{_hash(SCRIPT)}' 'self'; "
    "connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
