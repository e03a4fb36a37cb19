"""`icryptotrader sweep` as it is typed: options to a search, the folds to the screen and a file.

Exit codes: 0 done, 1 where --out cannot be written, 2 for data that cannot be used or where Optuna
is absent, 130 after Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from icryptotrader.backtest.command import (
    EXIT_DATA,
    EXIT_INTERRUPTED,
    EXIT_UNWRITTEN,
    Options,
    config_of,
    default_fill,
    rates_of,
    terms_of,
    writable,
)
from icryptotrader.files import write_whole
from icryptotrader.sweep.page import write_page
from icryptotrader.sweep.search import Fold, Search, as_json, told
from icryptotrader.sweep.search import sweep as search_all
from icryptotrader.sweep.space import read_space
from shared.charts import ChartsError, script_file
from shared.config import Home
from shared.unread import unread
from sim.backtest.data import History
from sim.backtest.parts import Fill
from sim.backtest.run import fits
from sim.backtest.tables import DataError
from sim.engine.instruments import LISTINGS
from strategy.ledger.book import BookError
from strategy.ledger.rates import RatesError


def sweep(
    options: Options,
    space: Path,
    numbers: tuple[int, int, int, int],
    storage: Path | None,
    dask: str,
    out: Path | None,
    home: Home,
    say: Callable[[str], None],
) -> int:
    """numbers: trials, folds, jobs, seed."""
    config = config_of(options, home)
    trials, folds, jobs, seed = numbers
    if out is not None and not writable(out.parent, say):
        return EXIT_UNWRITTEN
    try:
        if out is not None:
            script_file()  # What the page needs is missed before the search, not after it.
        history = History(options.data, LISTINGS[config.pair].pair)
        fill = cast(Fill, options.fill or default_fill(history))
        fits(history, fill)
        found = search_all(
            Search(
                options.data, config, replace(terms_of(options, config), fill=fill),
                read_space(space, config), trials, folds, Decimal(options.tax_rate),
                rates_of(options.rates), seed, jobs, storage, dask,
            ),
            say,
        )  # fmt: skip
    except (DataError, BookError, RatesError, ChartsError) as error:
        say(str(error))
        return EXIT_DATA
    except OSError as error:
        say(unread(error.filename or "the data", error))
        return EXIT_DATA
    except KeyboardInterrupt:
        kept = "kept: the same command goes on" if storage else "not kept (no --storage)"
        say(f"interrupted; complete trials are {kept}")
        return EXIT_INTERRUPTED
    for line in told(found):
        say(line)
    if out is not None:
        asked = (
            f"{', '.join(part.path.name for part in history.parts)}, {config.pair}; "
            f"{trials} trials in each of {folds} folds, fill {fill}, latency "
            f"{options.latency_ms:g} ms, tax {Decimal(options.tax_rate):.0%}, seed {seed}.",
        )
        try:
            for path in write_out(found, out, asked):
                say(f"wrote {path}")
        except OSError as error:
            say(f"--out {error.filename or out}: {error.strerror}")
            return EXIT_UNWRITTEN
    return 0


def write_out(folds: Sequence[Fold], out: Path, asked: Sequence[str]) -> tuple[Path, Path]:
    """The folds as JSON and, beside it, as a page; OSError."""
    data = out if out.suffix not in ("", ".html") else out.with_suffix(".json")
    page = out.with_suffix(".html")
    write_whole(data, as_json(folds))
    write_page(folds, page, asked)
    return data, page
