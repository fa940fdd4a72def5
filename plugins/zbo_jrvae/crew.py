"""Threads that each use torch on one core, whatever the rest of the process does.

Sums that torch splits over its own threads round differently with their number. Here work is cut the same way for any
number of threads, each piece is done on one core, and pieces are put together in order: the bits do not depend on how
many cores there are. Torch's operations release the interpreter's lock, so plain threads run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Lock
from typing import TypeVar

import numba
import torch

from zbo_orchestrator.undisturbed import warm

Result = TypeVar("Result")

_starting = Lock()


def processors(threads: int) -> int:
    """How many threads are meant: 0 for the processors this process may use, or what NUMBA_NUM_THREADS says."""
    return threads or int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


@contextmanager
def crew(threads: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads on which torch uses one core each.

    Each thread has its own number of torch threads, but setting it also sets what later threads begin with: that is
    put back at once, and by one crew at a time.
    """
    met = Barrier(threads)

    def settle(_: int) -> None:
        met.wait()
        torch.get_num_threads()  # a thread's first use of torch takes up the usual number, and would undo what follows
        torch.set_num_threads(1)

    with ThreadPoolExecutor(threads, "jrvae") as pool:
        with _starting:
            usual = _on_a_new_thread(torch.get_num_threads)
            list(pool.map(settle, range(threads)))
            _on_a_new_thread(lambda: torch.set_num_threads(usual))
            pool.submit(warm).result()
        yield pool


def _on_a_new_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()
