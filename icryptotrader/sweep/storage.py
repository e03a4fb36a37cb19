"""Where the trials of a search are kept, and whether those that are there are its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sim.backtest.tables import DataError

_MARKS: Final = "about"


def open_study(storage: Path | None, name: str, marks: Mapping[str, str]) -> Any:
    """A fold's study, new or taken up again.

    marks: what the search is about. DataError where the file holds none, or another one's.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise DataError("a search needs Optuna: the extra `search` of pyproject.toml") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        kept = None if storage is None else JournalStorage(JournalFileBackend(str(storage)))
        study = optuna.create_study(
            study_name=name,
            directions=["maximize", "minimize"],
            storage=kept,
            load_if_exists=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"--storage {storage}: not a file of kept trials: {error}") from None
    before = study.user_attrs.get(_MARKS)
    if before is None:
        study.set_user_attr(_MARKS, dict(marks))
    elif before != marks:
        others = ", ".join(key for key, mark in marks.items() if before.get(key) != mark)
        raise DataError(
            f"--storage {storage}: keeps a search of other {others}: give this one its own file"
        )
    return study


def sampler(seed: int, startup: int) -> Any:
    """Who draws the settings of trials: so many at random, then by what was found."""
    import optuna

    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def complete(study: Any) -> list[Any]:
    """The trials that have a result."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.values]
