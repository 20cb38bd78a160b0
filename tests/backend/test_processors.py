"""How many threads tensor work gets."""

from __future__ import annotations

import subprocess
import sys

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
