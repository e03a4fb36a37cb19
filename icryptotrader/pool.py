"""Processes of this machine for work that is cut into pieces; none of them outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from shared.process import die_with_parent


@contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes, which end at once where they are not waited for to their end."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=follow_parent)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown()


def follow_parent() -> None:
    """The first thing a process of a pool does.

    Ctrl-C reaches every process of a terminal, and one of them answers it; whatever ends that one
    (a TERM, a kill) ends the others.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        # It ended while this one was still starting: nobody will ever give it work.
        os.kill(os.getpid(), signal.SIGTERM)
