"""How many processors tensor work may take, so that the server, Label Studio and training live beside each other."""

from __future__ import annotations

import os


def available() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serving_threads() -> int:
    """Half of them: the others answer requests, and work at what sends and what follows them."""
    return max(1, available() // 2)


def training_threads() -> int:
    """All but one, which stays with the server."""
    return max(1, available() - 1)


def bound_threads(count: int) -> None:
    """Bound the threads of numeric libraries that this process, or one that it forks, has not imported yet.

    They are told not to wait for each other in a busy loop: on two processors that somebody else wants, too, one
    text then takes 34 ms with two threads instead of 700.
    """
    os.environ["OMP_NUM_THREADS"] = str(count)
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
