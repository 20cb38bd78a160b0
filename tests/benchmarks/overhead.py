"""What `/predict` takes beyond the model's own work: HTTP, routing, the media cache, decisions, validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backend.demo.samples import digits
from backend.serving.families import Families
from backend.store.artifacts import Artifacts
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from model_zoo.base import Model
from model_zoo.types import Item
from tests.benchmarks.figures import Figure, median
from tests.benchmarks.pressure import settle
from tests.benchmarks.projects import Known
from tests.benchmarks.stage import Stage

BATCH = 16


def measure(stage: Stage) -> list[Figure]:
    """Requests and bare calls in turn, so that both meet the same machine; images lie on disk for both."""
    settle(stage)
    pictures = _pictures(stage)
    figures = []
    for count in (1, BATCH):
        for kind, known in (("text", stage.texts), ("image", stage.images)):
            tasks = known.unlabelled(count)
            inputs = [pictures.get(known.answer(task), task["data"].get("text")) for task in tasks]
            figures += _compared(stage, known, f"{kind}, {count} a request", tasks, inputs)
    return figures


def _compared(
    stage: Stage, known: Known, what: str, tasks: Sequence[dict[str, Any]], inputs: Sequence[Any]
) -> list[Figure]:
    body, model = known.predict_body(*tasks), _model(stage, known)
    items = [Item(value) for value in inputs]

    def bare() -> Any:
        return model.predict(items)

    def served() -> Any:
        return stage.backend.post("/predict", body)

    for warm_up in (bare, served, bare, served):
        warm_up()
    pairs = [(_timed(bare), _timed(served)) for _ in range(stage.sizes.repeats)]
    alone, answered = (median(column) for column in zip(*pairs, strict=True))
    part = "overhead"
    return [
        Figure(part, f"{what}, bare model call", 1000 * alone, "ms", None, "input read from disk in both"),
        Figure(part, f"{what}, /predict", 1000 * answered, "ms"),
        Figure(part, f"{what}, added", 1000 * median(b - a for a, b in pairs), "ms"),
    ]


def _timed(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _model(stage: Stage, known: Known) -> Model:
    """The model that serves the project, loaded into this process."""
    store = ObjectStore(stage.backend.data_dir / "store")
    manifest = Versions(store).current(known.uid)
    assert manifest is not None
    part = manifest.controls[known.control]
    folder = Artifacts(store, stage.folder / "artifacts").fetch(part.artifact)
    return Families().behind(part).load(folder)


def _pictures(stage: Stage) -> dict[str, Path]:
    """One image file for each digit: which one of them it is makes no difference to the time."""
    folder = stage.folder / "pictures"
    folder.mkdir()
    paths = {}
    for image in digits(50):
        paths[str(image.digit)] = folder / image.name
        paths[str(image.digit)].write_bytes(image.png)
    return paths
