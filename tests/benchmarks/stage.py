"""What every part of the benchmark works with, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.backend import Backend
from tests.benchmarks.projects import Known
from tests.label_studio import LabelStudioInstance


@dataclass(frozen=True)
class Sizes:
    """How much is measured. `settled` are numbers of labelled tasks at which submitting is measured."""

    starts: int = 3
    settled: tuple[int, ...] = (30, 1000)
    submissions: int = 24
    served: int = 10
    texts: int = 300
    images: int = 200
    seconds: float = 30.0
    swaps: int = 100
    repeats: int = 30


QUICK = Sizes(
    starts=1, settled=(30,), submissions=4, served=2, texts=60, images=40, seconds=4.0, swaps=8, repeats=4
)  # fmt: skip
"""A look at whether the benchmark works; its figures mean little."""


@dataclass(frozen=True)
class Stage:
    """A Label Studio and a running backend with two connected projects that have a version each."""

    studio: LabelStudioInstance
    backend: Backend
    texts: Known
    images: Known
    sizes: Sizes
    folder: Path
    """For whatever a part writes."""
