"""Where the runs of a search are done: in processes of this machine, or on a Dask cluster.

Rule 1: whoever runs them, the results come back in the order of the jobs, so nothing else differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from icryptotrader.pool import processes
from sim.backtest.tables import DataError

CONNECT_S: Final = 20

Run = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""(what is done with a job, jobs) -> their results, in the order of the jobs."""


@contextmanager
def on_this_machine(jobs: int) -> Iterator[Run]:
    with processes(jobs) as pool:
        yield lambda work, given: list(pool.map(work, given))


@contextmanager
def on_dask(address: str) -> Iterator[Run]:
    """Workers need this program and the data, under the same path. DataError."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise DataError("--dask needs Dask: the extra `dask` of pyproject.toml") from None
    try:
        client: Any = distributed.Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise DataError(f"--dask {address}: no scheduler answers there ({error})") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except OSError:
            raise DataError(f"--dask {address}: the scheduler has no workers") from None

        def run(work: Callable[[Any], Any], given: Sequence[Any]) -> list[Any]:
            try:
                futures = client.map(work, given, pure=False)
                return list(client.gather(futures))
            except distributed.KilledWorker as error:
                raise DataError(f"--dask {address}: workers died at it: {error}") from None
            except OSError as error:
                raise DataError(f"--dask {address}: {error}") from None

        yield run
