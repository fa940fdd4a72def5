"""Work with torch and Pyro that leaves the process as it found it, and repeats to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyro
import torch


@contextmanager
def undisturbed() -> Iterator[None]:
    """One thread, then threads, torch's random state and Pyro's parameters put back.

    One thread because sums split over threads round differently, and because the first call of some vectorised
    functions from several threads at once is a race. Building a pyroVED model reseeds torch and clears Pyro's store.
    """
    threads, random_state, store = torch.get_num_threads(), torch.get_rng_state(), pyro.get_param_store().get_state()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(random_state)
        pyro.get_param_store().set_state(store)


def warm() -> None:
    """Call each vectorised function of the training loop once; to be done on one thread."""
    ones = torch.ones(4096)
    for function in (torch.tanh, torch.sigmoid, torch.nn.functional.softplus, torch.log, torch.sqrt):
        function(ones)
