"""Processes that end with the process that started them, however that one ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process `by` when the thread that forked it ends. Linux only; elsewhere nothing.

    Call it in the child, right after the fork. `parent` is the id of the process that forked it, in its main thread.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(by))
    if os.getppid() != parent:  # it was gone before the kernel was asked
        os.kill(os.getpid(), by)


def bound_to_parent(by: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """A `preexec_fn` for `subprocess.Popen`: the child dies with us, and does not hear the terminal's Ctrl-C.

    A process group of its own and not a session of its own: Linux' autogroup divides processors between sessions
    first, and what a server waits for belongs to its share. Who is to stand back has a session (`stand_back`).
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before the fork: a child must not

    def prepare() -> None:
        os.setpgid(0, 0)
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, int(by))

    return prepare
