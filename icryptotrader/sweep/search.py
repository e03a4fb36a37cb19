"""`icryptotrader sweep`: a search over settings, walked forward, that tells how far to believe it.

The span is cut into equal parts. Each fold searches on the parts up to one, and the settings it
chose are then run once on the next part, which no search has seen.

Rule 1: the sampler is asked for a batch of fixed size and told its results in order, so the number
of processes changes nothing but the time it takes.
Rule 2: every trial is kept (--storage), so a search that was interrupted goes on where it stood.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any, Final

import msgspec
from msgspec import Struct

from icryptotrader.backtest.figures import frame_of
from icryptotrader.backtest.money import events_of, outcome
from icryptotrader.sweep.runners import Run, on_dask, on_this_machine
from icryptotrader.sweep.space import Range, Space, Value, with_settings
from icryptotrader.sweep.storage import complete, open_study, sampler
from shared.config import Config, ConfigError
from shared.units import cost_of
from sim.backtest.data import History
from sim.backtest.parts import Terms
from sim.backtest.run import headline, play
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS
from strategy.ledger.rates import Rates

BATCH: Final = 8
_EULER: Final = 0.5772156649015329
_WORST: Final = (-1.0, 1.0)
"""What settings get that do not fit together: all lost, all of it drawn down."""

Say = Callable[[str], None]


class Job(Struct, frozen=True):
    """One run: settings on a stretch of the data (ns since 1970)."""

    data: tuple[Path, ...]
    config: Config
    terms: Terms
    tax_rate: Decimal
    rates: Rates | None
    settings: dict[str, Value]
    span: tuple[int, int]


class Score(Struct, frozen=True):
    """Ratios: return after tax, everything sold at the end, and the largest drawdown."""

    gain: float
    drawdown: float
    fills: int = 0

    @property
    def worth(self) -> float:
        """By what a fold chooses among its trials."""
        return self.gain - self.drawdown


class Fold(Struct, frozen=True):
    """deflated: the gain of the chosen less what the best of so many lucky trials would show."""

    train: tuple[int, int]
    test: tuple[int, int]
    trials: int
    chosen: dict[str, Value]
    inside: Score
    deflated: float
    outside: Score


class Search(Struct, frozen=True):
    """What is searched, and how."""

    data: tuple[Path, ...]
    config: Config
    terms: Terms
    space: Space
    trials: int
    folds: int
    tax_rate: Decimal
    rates: Rates | None
    seed: int = 0
    jobs: int = 1
    storage: Path | None = None
    dask: str = ""  # address of a scheduler; "" for processes of this machine


def sweep(search: Search, say: Say) -> list[Fold]:
    """Every fold, in the order of time. DataError, ConfigError."""
    parts = _parts(search)
    marks = marks_of(search)
    found = []
    with on_dask(search.dask) if search.dask else on_this_machine(search.jobs) as run:
        for number in range(search.folds):
            train = (parts[0], parts[number + 1])
            test = (parts[number + 1], parts[number + 2])
            study = open_study(search.storage, f"fold-{number + 1}-of-{search.folds}", marks)
            _search(search, study, train, run, say, number)
            found.append(_judge(search, study, train, test))
    return found


def run_job(job: Job) -> Score:
    """One backtest; the worst score for settings that are refused."""
    try:
        config = with_settings(job.config, job.settings)
    except ConfigError:
        return Score(*_WORST)
    history = History(job.data, LISTINGS[config.pair].pair)
    played = play(history, config, job.terms, job.span, lambda rows, wall: True)
    run = headline(played)
    frame = frame_of(run, played, job.terms, (job.tax_rate, job.rates))
    start = cost_of(frame.pair, frame.first[1], frame.coins) + frame.money
    money = cost_of(frame.pair, 1, run.ended.money)
    ended = outcome(frame, "", events_of(run.course.fills), run.ended.coins, money)
    gain = float(ended.sold_out / start) - 1.0
    return Score(gain, run.course.drawdown, len(run.course.fills))


def deflated(gains: Sequence[float]) -> float:
    """The best gain less the best that as many trials without any merit would show by luck.

    Expected maximum of N normal draws (Bailey and López de Prado, The Deflated Sharpe Ratio, 2014).
    """
    best, count = max(gains), len(gains)
    if count < 2:
        return best
    normal = NormalDist()
    luck = (1.0 - _EULER) * normal.inv_cdf(1.0 - 1.0 / count)
    luck += _EULER * normal.inv_cdf(1.0 - 1.0 / (count * math.e))
    return best - max(0.0, luck) * stdev(gains)


def told(folds: Sequence[Fold]) -> Iterator[str]:
    """In-sample against out-of-sample, as lines."""
    yield f"{'fold':>4} {'trials':>7} {'in sample':>18} {'deflated':>10} {'out of sample':>18}"
    for number, fold in enumerate(folds, start=1):
        inside, outside = fold.inside, fold.outside
        yield (
            f"{number:>4} {fold.trials:>7} {inside.gain:>+9.2%} {-inside.drawdown:>8.2%} "
            f"{fold.deflated:>+10.2%} {outside.gain:>+9.2%} {-outside.drawdown:>8.2%}   "
            + ", ".join(f"{key} {value}" for key, value in fold.chosen.items())
        )
    inside_mean = fmean(fold.inside.gain for fold in folds)
    outside_mean = fmean(fold.outside.gain for fold in folds)
    yield f"mean gain after tax: {inside_mean:+.2%} in sample, {outside_mean:+.2%} out of sample,"
    yield f"after {sum(fold.trials for fold in folds)} trials; second column: largest drawdown"


def as_json(folds: Sequence[Fold]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(folds), indent=1)


def marks_of(search: Search) -> dict[str, str]:
    """What a search is about, as digests by name: trials of another one are not mixed with it."""
    data = hashlib.blake2b(digest_size=8)
    for path in search.data:
        with path.open("rb") as file:
            data.update(hashlib.file_digest(file, "sha256").digest())
    settings = msgspec.to_builtins((search.config, search.terms))
    tax = (search.tax_rate, search.rates is None)
    return {
        "data": data.hexdigest(),
        **{
            name: hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
            for name, value in (("settings", settings), ("space", search.space), ("tax", tax))
        },
    }


def _parts(search: Search) -> list[int]:
    """The borders of folds + 1 equal stretches of the data."""
    history = History(search.data, LISTINGS[search.config.pair].pair)
    last = first = history.begins
    for row in history.bars() if history.is_bars else history.deals():
        last = row[0]
    count = search.folds + 1
    if last - first < count * max(history.interval, 1) * 10:
        raise DataError(f"too little data for {search.folds} folds: fewer than ten rows in each")
    return [first + (last + 1 - first) * n // count for n in range(count + 1)]


def _search(
    search: Search,
    study: Any,
    train: tuple[int, int],
    run: Run,
    say: Say,
    number: int,
) -> None:
    """Ask for batches until there are enough complete trials."""
    while (done := len(complete(study))) < search.trials:
        # What a batch draws follows from what is known before it: interrupted or not, alike.
        study.sampler = sampler(search.seed + done, BATCH)
        trials = [study.ask() for _ in range(min(BATCH, search.trials - done))]
        jobs = [_job(search, _draw(trial, search.space), train) for trial in trials]
        for trial, score in zip(trials, run(run_job, jobs), strict=True):
            trial.set_user_attr("fills", score.fills)
            study.tell(trial, (score.gain, score.drawdown))
        say(f"fold {number + 1}: {len(complete(study))} of {search.trials} trials")


def _judge(search: Search, study: Any, train: tuple[int, int], test: tuple[int, int]) -> Fold:
    """Choose by the training part, then run once what no search has seen."""
    trials = complete(study)
    scores = [
        Score(trial.values[0], trial.values[1], trial.user_attrs["fills"]) for trial in trials
    ]
    best = max(range(len(scores)), key=lambda place: scores[place].worth)
    chosen = dict(trials[best].params)
    gains = [score.gain for score in scores]
    return Fold(
        train,
        test,
        len(trials),
        chosen,
        scores[best],
        deflated(gains) - (max(gains) - scores[best].gain),
        run_job(_job(search, chosen, test)),
    )


def _job(search: Search, settings: dict[str, Value], span: tuple[int, int]) -> Job:
    return Job(
        search.data, search.config, search.terms, search.tax_rate, search.rates, settings, span
    )


def _draw(trial: Any, space: Space) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, given in space.items():
        if not isinstance(given, Range):
            found[key] = trial.suggest_categorical(key, given)
        elif isinstance(given.low, int) and isinstance(given.high, int):
            step = int(given.step) if given.step is not None else 1
            found[key] = trial.suggest_int(key, given.low, given.high, step=step, log=given.log)
        else:
            found[key] = trial.suggest_float(
                key, given.low, given.high, step=given.step, log=given.log
            )
    return found
