"""Memory that nobody uses any more goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, gc
from pathlib import Path
from backend.allocator import give_back
if not hasattr(ctypes.CDLL(None), "malloc_trim"):
    print("other")
    raise SystemExit
gc.disable()


class Ring:
    def __init__(self):
        self.me = self
        self.held = [bytes([at % 250]) * 65_000 for at in range(1000)]  # each too small for pages of its own


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


kept = []
for _ in range(2):
    Ring()
    kept.append(b"x" * 65_000)  # after it, so that what is free lies between what is used
before = resident()
give_back()
print((before - resident()) // 1_000_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is asked")
def test_what_only_refers_to_itself_is_dropped_and_its_memory_returned() -> None:
    """130 MB in two rings, each before something that lives on."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=60)
    if done.stdout.strip() == "other":
        pytest.skip("this C library is not glibc")
    assert int(done.stdout) > 100
