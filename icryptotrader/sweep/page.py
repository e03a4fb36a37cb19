"""A search as one HTML file that opens from disk: what each fold found, and what it was worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Final

from icryptotrader.document import section, table, write_document
from icryptotrader.sweep.search import Fold, Score
from shared.charts import PERCENT, Figure, bars, by_name, framed
from shared.units import SECOND

TITLE: Final = "A search, walked forward"
_MEANING: Final = (
    "Each fold searched on the data before its border and was judged once on what came after it, "
    "which no search had seen. In sample is what the chosen settings brought where they were "
    "chosen; deflated takes off what the best of so many trials would show by luck alone; out of "
    "sample is what may be expected. Gains are after tax, with everything sold at the end."
)


def write_page(folds: Sequence[Fold], path: Path, asked: Sequence[str]) -> None:
    """asked: what the search was, a sentence each. OSError, ChartsError."""
    drawn: dict[str, Figure] = {"gain": _gains(folds), "drawdown": _drawdowns(folds)}
    trials = sum(fold.trials for fold in folds)
    inside, outside = (
        fmean(score.gain for score in scores)
        for scores in ([f.inside for f in folds], [f.outside for f in folds])
    )
    told = f"Mean {inside:+.2%} in sample, {outside:+.2%} out of sample, after {trials} trials."
    body = [
        f"<h1>{TITLE}</h1>",
        *(f"<p>{escape(text)}</p>" for text in (*asked, _MEANING)),
        section("Gain after tax, % of the account", framed("gain", told)),
        section("Largest drawdown, %", framed("drawdown", "Of the chosen settings.", low=True)),
        section("Folds", table(_HEAD, [_row(n, fold) for n, fold in enumerate(folds, 1)])),
        section("Chosen settings", table(("setting", *_names(folds)), _settings(folds), 1)),
    ]
    write_document(path, TITLE, "".join(body), drawn)


_HEAD: Final = (
    *("fold", "searched from", "judged from", "to", "trials"),
    *("gain in sample", "drawdown", "deflated", "gain out of sample", "drawdown", "fills"),
)


def _row(number: int, fold: Fold) -> tuple[object, ...]:
    return (
        number, *(_day(wall) for wall in (fold.train[0], *fold.test)), fold.trials,
        *_score(fold.inside), f"{fold.deflated:+.2%}", *_score(fold.outside), fold.outside.fills,
    )  # fmt: skip


def _score(score: Score) -> tuple[str, str]:
    return f"{score.gain:+.2%}", f"{score.drawdown:.2%}"


def _settings(folds: Sequence[Fold]) -> list[tuple[object, ...]]:
    return [(key, *(fold.chosen.get(key, "") for fold in folds)) for key in sorted(folds[0].chosen)]


def _names(folds: Sequence[Fold]) -> list[str]:
    return [f"fold {number}" for number in range(1, len(folds) + 1)]


def _gains(folds: Sequence[Fold]) -> Figure:
    kinds = (
        ("in sample", [fold.inside.gain for fold in folds], "$quiet"),
        ("deflated", [fold.deflated for fold in folds], "$coin"),
        ("out of sample", [fold.outside.gain for fold in folds], "$accent"),
    )
    return by_name([_bars(folds, *kind) for kind in kinds], PERCENT)


def _drawdowns(folds: Sequence[Fold]) -> Figure:
    kinds = (
        ("in sample", [-fold.inside.drawdown for fold in folds], "$quiet"),
        ("out of sample", [-fold.outside.drawdown for fold in folds], "$bad"),
    )
    return by_name([_bars(folds, *kind) for kind in kinds], PERCENT)


def _bars(
    folds: Sequence[Fold], name: str, ratios: Sequence[float], colour: str
) -> dict[str, object]:
    return bars(name, _names(folds), [ratio * 100 for ratio in ratios], colour)


def _day(wall: int) -> str:
    return datetime.fromtimestamp(wall // SECOND, UTC).strftime("%Y-%m-%d %H:%M")
