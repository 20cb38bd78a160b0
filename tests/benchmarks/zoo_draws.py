"""Draws of labelled examples, each learnt in a process that has one processor, as many at a time as there are: what a
worker on two processors trains with. Ours and the standard choice of a draw train one after the other in the same
process, so that equal times are equal work.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from backend.processors import available, bound_threads
from model_zoo.base import Family, Model
from tests.benchmarks.machine import forget_peak, peak_megabytes
from tests.benchmarks.zoo_rows import Trial

Job = tuple[Any, ...]


def tried(trial: Callable[..., Trial], jobs: Sequence[Job]) -> list[Trial]:
    """What `trial`, a function of a module, gives for each of `jobs`, its arguments; in their order."""
    begun = time.monotonic()
    bound_threads(1)  # inherited by what is spawned; this process has imported all that it needs
    with ProcessPoolExecutor(min(available(), len(jobs)), get_context("spawn"), _alone) as pool:
        running = {pool.submit(trial, *job): job for job in jobs}
        for done, future in enumerate(as_completed(running), 1):
            future.result()
            said = " ".join(str(part) for part in running[future])
            print(f"  {done} of {len(jobs)} after {time.monotonic() - begun:.0f} s: {said}", flush=True)
        return [future.result() for future in running]


class Cost:
    """What a training takes: `seconds`, and `peak`, the megabytes that the process held at most."""

    seconds = 0.0
    peak = 0.0


@contextmanager
def costing() -> Iterator[Cost]:
    cost, begun = Cost(), time.perf_counter()
    forget_peak()
    yield cost
    cost.seconds, cost.peak = time.perf_counter() - begun, peak_megabytes()


def on_disk(model: Model) -> float:
    """Megabytes of what a version keeps."""
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        model.save(Path(folder) / "model")
        return sum(file.stat().st_size for file in (Path(folder) / "model").rglob("*")) / 1e6


def network_on_disk(kind: Family) -> float:
    """Megabytes of the pretrained network that a family begins with, whichever of them is largest."""
    return max((weights.size for weights in kind.weights), default=0) / 1e6


def _alone() -> None:
    import torch

    torch.set_num_threads(1)
