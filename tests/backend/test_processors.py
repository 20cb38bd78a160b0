"""How many threads tensor work gets, and who gives way to whom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend import processors


@pytest.mark.parametrize(("count", "serving", "training"), [(1, 1, 1), (2, 1, 1), (3, 1, 2), (16, 8, 15)])
def test_somebody_else_always_has_a_processor(
    count: int, serving: int, training: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors, "available", lambda: count)
    assert (processors.serving_threads(), processors.training_threads()) == (serving, training)


def test_the_bound_holds_for_a_torch_that_is_imported_later() -> None:
    program = (
        "from backend.processors import bound_threads; bound_threads(1); import torch; print(torch.get_num_threads())"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert answer.stdout.strip() == "1"


STANDING_BACK = """
import os, sys
from pathlib import Path
from backend.processors import stand_back
if sys.argv[1] == "leader":
    os.setsid()
stand_back(7)
print(os.nice(0), *Path("/proc/self/autogroup").read_text().split()[-1:])
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel ranks no sessions")
@pytest.mark.parametrize("place", ["leader", "member"])
def test_who_stands_back_ranks_its_own_session_and_nobody_else_s(place: str) -> None:
    """Two in a row, since the kernel takes one change of a rank every tenth of a second from whoever is not root."""
    ours = Path("/proc/self/autogroup").read_text()  # empty where nobody has begun a session since the machine started
    for _ in range(2):
        command = [sys.executable, "-c", STANDING_BACK, place]
        nice, *rank = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()
        assert int(nice) == os.nice(0) + 7
        assert rank == ([nice] if place == "leader" else ours.split()[-1:])
    assert Path("/proc/self/autogroup").read_text() == ours
