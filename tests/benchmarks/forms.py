"""What an item takes when a model serves: in PyTorch, and in the compiled form that serving would choose."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model_zoo.base import Model
from model_zoo.programs import openvino
from model_zoo.programs.program import Program, agrees, deviations
from model_zoo.types import Item
from tests.benchmarks.figures import Figure

AT_ONCE = 8
SLOWEST = 30.0
"""Milliseconds an item that a default may take as compiled."""


def serving_costs(model: Model, items: Sequence[Item], part: str) -> list[Figure]:
    """Milliseconds an item at batch 8, reading and scaling left out. The model stays compiled."""
    prepared = [model.prepare(item) for item in (list(items) * AT_ONCE)[:AT_ONCE]]
    figures = [Figure(part, "PyTorch, at batch 8", _milliseconds(model, prepared), "ms")]
    if openvino.available():
        precisions = [_adopt(program) for program in model.programs()]
        note = " ".join(dict.fromkeys(precisions))
        figures.append(Figure(part, "compiled, at batch 8", _milliseconds(model, prepared), "ms", SLOWEST, note))
    return figures


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
    model.predict(items)
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        model.predict(items)
        times.append(time.perf_counter() - begun)
    return float(np.median(times)) * 1000 / len(items)
