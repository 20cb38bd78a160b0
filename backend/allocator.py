"""Memory that is held although nobody uses it any more."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back() -> None:
    """Drop what only refers to itself, as PyTorch's modules do, and have free memory returned to the system.

    Takes tens of milliseconds, in which other threads wait, so it is for the moments after something heavy: a network
    that was compiled leaves its weights behind. Of other C libraries than glibc the second part is left to them.
    """
    gc.collect()
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
