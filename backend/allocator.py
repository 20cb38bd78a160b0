"""Memory that is held although nobody uses it any more."""

from __future__ import annotations

import ctypes
import gc
import sys

ARENAS = 2
"""Pools of memory that threads share: glibc's eight a processor keep eight times what each of them once needed."""
_ARENA_MAX = -8
"""glibc's number for the option."""


def share_arenas() -> None:
    """Have all threads of this process allocate from a few pools. For its start: pools that are there stay."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Drop what only refers to itself, as PyTorch's modules do, and have free memory returned to the system.

    Takes tens of milliseconds, in which other threads wait, so it is for the moments after something heavy: a network
    that was compiled leaves its weights behind. Of other C libraries than glibc the second part is left to them.
    """
    gc.collect()
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
