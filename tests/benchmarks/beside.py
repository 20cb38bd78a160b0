"""A training in a process of its own, as a worker runs one: `python -m tests.benchmarks.beside`

It learns the pedestrians of seg_pennfudan again and again until its input ends, niced and bounded as a worker's are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path

from backend.processors import bound_threads, training_threads
from backend.worker import NICE

IMAGES = 12
LABELS = ("person",)


@contextmanager
def training() -> Iterator[None]:
    """While it runs. Raises RuntimeError where it ended by itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.beside"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        if not process.stdout.readline():
            raise RuntimeError("The training beside the benchmark did not begin.")
        time.sleep(5)  # it has imported what it needs, and reads its images
        yield
        if process.poll() is not None:
            raise RuntimeError(f"The training beside the benchmark ended with {process.returncode}.")
    finally:
        process.stdin.close()
        process.kill()
        process.wait()


def main() -> None:
    os.nice(NICE)
    bound_threads(training_threads())
    threading.Thread(target=_end_with_input, daemon=True).start()
    from model_zoo.masks import mask_of
    from model_zoo.recipes import Recipe
    from model_zoo.registry import family
    from model_zoo.types import InstanceExample, Item, LabelSpace, Mask
    from tests.benchmarks.clicking import pedestrians
    from tests.benchmarks.shared_data import shared

    weights = os.environ.get("PRELABEL_WEIGHTS_DIR")
    learner = family("instance_segmentation/yolo_seg.v1", Path(weights) if weights else None)
    examples = []
    for image, people in islice(groupby(pedestrians(shared("seg_pennfudan")), key=lambda one: one.image), IMAGES):
        found = [mask_of(LABELS[0], one.mask, (one.mask.shape[1], one.mask.shape[0])) for one in people]
        masks: tuple[Mask, ...] = tuple(mask for mask in found if mask is not None)
        examples.append(InstanceExample(Item(image), masks))
    print("training", flush=True)
    while True:
        learner.train(examples, LabelSpace(LABELS), Recipe())


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
