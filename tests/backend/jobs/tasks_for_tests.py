"""Job functions that real workers run in the tests. They take the mark away and count their runs in Redis."""

from __future__ import annotations

import os
import time

from rq import get_current_job

from backend.jobs.marks import DUE
from backend.jobs.progress import report


def _note(uid: str, what: str) -> int:
    job = get_current_job()
    assert job is not None
    if what == "started":
        job.connection.zrem(DUE, uid)
    return int(job.connection.rpush(f"test:{uid}:{what}", f"{os.getpid()}:{time.time()}"))


def quick(uid: str, version: str = "") -> None:
    """End at once."""
    _note(uid, "started")
    report("training", 0.5, "half way")
    _note(uid, "ended")


def slow(uid: str, version: str = "") -> None:
    """The first run sleeps until it is killed; later ones end after half a second."""
    first = _note(uid, "started") == 1
    report("training", 0.25, "sleeping")
    time.sleep(60.0 if first else 0.5)
    _note(uid, "ended")


def lasting(uid: str, version: str = "") -> None:
    """Work for a second."""
    _note(uid, "started")
    time.sleep(1.0)
    _note(uid, "ended")


def detecting(uid: str, version: str = "") -> None:
    """Train a whole detector for longer than anybody waits."""
    import numpy as np

    from model_zoo.base import Progress, Watch
    from model_zoo.recipes import Recipe
    from model_zoo.registry import family
    from model_zoo.types import Box, DetectionExample, Item, LabelSpace

    _note(uid, "started")
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    examples = [DetectionExample(Item(pixels), (Box(at, at, at + 30, at + 40, "car"),)) for at in (5, 20, 40)]
    recipe = Recipe(overrides={"freeze": "nothing", "image_size": 96, "epochs": 100_000, "views": 2})

    def step(progress: Progress) -> None:
        if progress.loss is not None:
            _note(uid, "step")

    family("object_detection/yolo.v1").train(examples, LabelSpace(("car",)), recipe, watch=Watch(step))
    _note(uid, "ended")


def failing(uid: str, version: str = "") -> None:
    """Fail at the first run, succeed at the second."""
    if _note(uid, "started") == 1:
        raise ValueError("no luck at first")
    _note(uid, "ended")


def hopeless(uid: str, version: str = "") -> None:
    """Fail always."""
    _note(uid, "started")
    raise ValueError("no luck")


def describing(uid: str, version: str = "") -> None:
    """Say which settings, how many threads and which niceness the job has."""
    import torch

    from backend.jobs.context import current_settings

    job = get_current_job()
    assert job is not None
    said = f"{current_settings().data_dir}:{torch.get_num_threads()}:{os.nice(0)}"
    job.connection.set(f"test:{uid}:described", said)


def enduring(uid: str, version: str = "") -> None:
    """Work for four seconds, in which the test takes Redis away and brings it back."""
    _note(uid, "started")
    time.sleep(4.0)
    _note(uid, "ended")
