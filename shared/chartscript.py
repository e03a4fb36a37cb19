"""What a page with charts carries besides plotly.js: colours of both themes, and our own script."""

from __future__ import annotations

from typing import Final

THEME: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#55606d;--paper:#f4f6f8;--card:#fff;
--line:#d9dee4;--good:#0d6636;--waiting:#855400;--bad:#b3261e;--buy:#0d6636;--sell:#b3261e;
--accent:#1f5fbf;--quiet:#8a94a0;--coin:#b07d00;--up:#7cc49a;--down:#e79b95;--wild:#b58bd6;
--pause:#f0c04a}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#a3adb9;--paper:#14171a;--card:#1c2024;
--line:#333a41;--good:#4cc38a;--waiting:#e0a83c;--bad:#ff8d85;--buy:#4cc38a;--sell:#ff8d85;
--accent:#7fb2ff;--quiet:#8a94a0;--coin:#e0b04a;--up:#2c7a51;--down:#a1403a;--wild:#8455ab;
--pause:#a87d14}}
"""
"""Colours by their names: figures name them "$name"."""

PLOTS: Final = """
.plot{margin:0}figcaption{color:var(--dim);margin:0 0 .3rem}
.js .draw{height:22rem;min-width:0;overflow:hidden}.js .draw.low{height:14rem}
.plot .modebar-btn{background:none;border:0;padding:0 .2rem;min-width:24px;min-height:24px}
@media(max-width:40rem){.js .draw{height:19rem}.js .draw.low{height:13rem}}
"""

CHARTS: Final = """
"use strict";
const charts = (() => {
  const latest = new Map();  // name -> figure
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const small = matchMedia("(max-width: 40rem)");
  const touch = matchMedia("(pointer: coarse)");
  const data = new Set(["x", "y", "text", "name"]);
  const german = {dictionary: {"Zoom in": "Vergrößern", "Zoom out": "Verkleinern",
    "Reset axes": "Alles zeigen", "Double-click to zoom back out": "Doppelklick zeigt alles"}};
  let linking = false;
  const among = (root, key, value) =>
    [...root.querySelectorAll(`[data-${key}="${CSS.escape(value)}"]`)];
  function coloured(value, style) {
    if (typeof value === "string") {
      return value[0] === "$" ? style.getPropertyValue("--" + value.slice(1)).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (!value || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(
      ([key, each]) => [key, data.has(key) ? each : coloured(each, style)]));
  }
  function link(node, change) {
    const [from, to] = change["xaxis.range"]
      || [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    const all = change["xaxis.autorange"];
    if (linking || !node.dataset.group || !(all || from)) return;
    const told = all ? {"xaxis.autorange": true}
      : {"xaxis.range[0]": from, "xaxis.range[1]": to};
    linking = true;
    const peers = among(document, "group", node.dataset.group);
    Promise.all(peers.filter((peer) => peer !== node && peer.on).map(
      (peer) => Plotly.relayout(peer, told))).finally(() => { linking = false; });
  }
  function draw(node) {
    const figure = latest.get(node.dataset.plot);
    if (!figure || !window.Plotly || document.querySelector(".dragcover")) return;
    const fresh = coloured(figure, getComputedStyle(document.documentElement));
    // A finger that moves over a chart scrolls the page.
    fresh.layout.dragmode = touch.matches ? false : "zoom";
    fresh.layout.margin = {l: small.matches ? 52 : 70, r: 8, t: 28, b: 36};
    const bars = fresh.data.some((trace) => trace.type === "bar");
    if (fresh.layout.xaxis.type === "date") {
      fresh.layout.xaxis.nticks = Math.max(2, Math.floor((node.clientWidth - 60) / 90));
    }
    Plotly.react(node, fresh.data, fresh.layout, {
      responsive: true, displaylogo: false, displayModeBar: !bars, doubleClick: "reset",
      modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d"]],
      locale: document.documentElement.lang, locales: {de: german},
    }).then(() => {
      // Its words are read from the sentence and the table beside it.
      for (const drawn of node.querySelectorAll(".main-svg")) drawn.ariaHidden = "true";
      if (node.dataset.drawn) return;
      node.dataset.drawn = "yes";
      node.on("plotly_relayout", (change) => link(node, change));
    });
  }
  function all(root) {
    for (const node of root.querySelectorAll("[data-plot]")) draw(node);
  }
  dark.addEventListener("change", () => all(document));
  small.addEventListener("change", () => all(document));
  document.documentElement.classList.add("js");
  return {
    /** Draw figures by name wherever a place for them stands. */
    show(figures) {
      for (const name of Object.keys(figures)) {
        latest.set(name, figures[name]);
        among(document, "plot", name).forEach(draw);
      }
    },
    /** Replace what a node holds, keeping what is drawn in it, with zoom and focus. */
    refill(node, text) {
      const drawn = [...node.querySelectorAll("[data-drawn]")];
      const focused = drawn.some((old) => old.contains(document.activeElement))
        && document.activeElement;
      node.innerHTML = text;
      for (const old of drawn) {
        among(node, "plot", old.dataset.plot).forEach((again) => again.replaceWith(old));
      }
      if (focused && node.contains(focused)) focused.focus({preventScroll: true});
      for (const place of node.querySelectorAll("[data-plot]:not([data-drawn])")) draw(place);
    },
    ready() { all(document); },
  };
})();
"""
"""Draws the figures of shared/charts.py. Where there is no script, sentences and tables remain."""
