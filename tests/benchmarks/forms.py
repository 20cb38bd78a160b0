"""What an item takes when a model serves: in PyTorch, and in the compiled form that serving would choose."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from model_zoo.base import Model
from model_zoo.programs import openvino
from model_zoo.programs.program import Program, agrees, deviations
from model_zoo.types import Item

AT_ONCE = 8
CALLS = 5


def serving_costs(model: Model, items: Sequence[Item]) -> tuple[float | None, str]:
    """Milliseconds an item at batch 8 as compiled, reading and scaling left out, None where nothing compiles; and in
    words the precision, and what PyTorch takes. Where there are enough, each call has items of its own, for texts that
    were read before cost nothing. The model stays compiled."""
    prepared = [model.prepare(item) for item in islice(cycle(items), max(len(items), AT_ONCE))]
    eager = f"{_milliseconds(model, prepared[: len(prepared) // 2 or None]):.1f} ms in PyTorch"
    if not openvino.available():
        return None, eager
    precision = " ".join(dict.fromkeys(_adopt(program) for program in model.programs()))
    return _milliseconds(model, prepared[len(prepared) // 2 :] or prepared), f"compiled in {precision}; {eager}"


def _adopt(program: Program) -> str:
    """Have the program run compiled; in which precision."""
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        openvino.export(program, Path(folder) / "form")
        for coarse in (True, False):
            if coarse and (program.coarse is None or not openvino.has_bfloat16()):
                continue
            form = openvino.load(Path(folder) / "form", coarse=coarse)
            if not coarse or agrees(program, deviations(program, form, mean=True), coarse=True):
                program.adopt(form)
                return "bfloat16" if coarse else "float32"
    return "PyTorch"


def _milliseconds(model: Model, items: Sequence[Item]) -> float:
    """An item, the median of five calls after a first one."""
    every = cycle(items)
    times = []
    for _ in range(CALLS + 1):
        batch = list(islice(every, AT_ONCE))
        begun = time.perf_counter()
        model.predict(batch)
        times.append(time.perf_counter() - begun)
    return float(np.median(times[1:])) * 1000 / AT_ONCE
