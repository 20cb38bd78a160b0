"""How many processors tensor work may take, so that the server, Label Studio and training live beside each other."""

from __future__ import annotations

import os
import time
from pathlib import Path


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


def stand_back(nice: int) -> None:
    """Have this process and those that it will fork give way to everybody else on the machine; not to be undone.

    Linux' autogroup divides the processors between sessions first, and heeds `nice` only within each. A session
    leader therefore asks it to rank the session as well: what a niced trainer uses would otherwise be taken from
    the share of the server that started it, and a server in another session would have to divide with it evenly.
    """
    os.nice(nice)
    autogroup = Path("/proc/self/autogroup")
    if os.getsid(0) != os.getpid() or not autogroup.exists():
        return
    for _ in range(20):
        try:
            autogroup.write_text(str(os.nice(0)))
        except BlockingIOError:  # the kernel takes one change every tenth of a second
            time.sleep(0.05)
        except OSError:  # not allowed here: nice alone has to do
            return
        else:
            return
