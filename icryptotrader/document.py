"""A report as one HTML file that opens from disk: the chart library stands inside, once.

Rule 1: nothing is fetched, and nothing could be: the page's own policy forbids it.
Rule 2: every text out of the data is escaped.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

import msgspec

from icryptotrader.files import appearing
from shared.charts import Figure, script_file
from shared.chartscript import CHARTS, PLOTS, THEME

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
)

_STYLE: Final = """
body{font:14px/1.45 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;
background:var(--paper);color:var(--ink);font-variant-numeric:tabular-nums}
h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1rem;margin:0 0 .6rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;
margin:1rem 0;min-width:0}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.2rem .5rem;border-top:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:400}thead th{border:0}
th:first-child,td:first-child{text-align:left}td.left,th.left{text-align:left}
.warn{border-left:.5rem solid var(--waiting);padding:.4rem .8rem;background:var(--card)}
summary{cursor:pointer}code{font-size:.9em;overflow-wrap:anywhere}
@media(max-width:40rem){body{padding:.6rem}section{padding:.7rem}th,td{padding:.2rem .3rem}}
"""


def write_document(path: Path, title: str, body: str, figures: Mapping[str, Figure]) -> None:
    """Write the page. body: HTML, with a place for each figure (shared.charts.framed).

    ChartsError where the chart library is missing; OSError leaves nothing behind.
    """
    library = script_file()
    # "<" could end the script that the data stands in.
    data = msgspec.json.encode(figures).replace(b"<", b"\\u003c").decode()
    with appearing(path) as page:
        page.write(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            f'<title>{escape(title)}</title><link rel="icon" href="data:,">'
            f"<style>{THEME}{_STYLE}{PLOTS}</style></head><body><main>{body}</main><script>"
        )
        with library.open(encoding="utf-8") as script:
            shutil.copyfileobj(script, page)
        page.write(
            f'</script><script type="application/json" id="figures">{data}</script>'
            f"<script>{CHARTS}"
            'charts.show(JSON.parse(document.getElementById("figures").textContent));'
            "</script></body></html>\n"
        )


def section(title: str, inside: str) -> str:
    """HTML with a heading; nothing where nothing is inside."""
    return f"<section><h2>{escape(title)}</h2>{inside}</section>" if inside else ""


def table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """Cells as text; "" without rows. left: so many columns hold words, the others figures."""
    if not rows:
        return ""
    top = "".join(
        f'<th scope="col"{_side(place, left)}>{escape(cell)}</th>'
        for place, cell in enumerate(head)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_side(place, left)}>{escape(str(cell))}</td>" for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    inside = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    # Whoever has no mouse scrolls it with the arrow keys.
    return f'<div class="wide" tabindex="0">{inside}</div>'


def _side(place: int, left: int) -> str:
    return ' class="left"' if 0 < place < left else ""
