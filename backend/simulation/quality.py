"""How good a version is on data that it has never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.converters import CONVERTERS, Region
from backend.evaluation.kinds import evaluation_of
from backend.jobs.featurise import Featuriser
from backend.labelstudio.config import Control
from backend.serving.pool import LoadedVersion
from backend.simulation.labelled import Task
from model_zoo.targets import asking
from model_zoo.types import Item, Output, Target, TaskKind

MAIN_METRIC: Mapping[TaskKind, str] = {
    TaskKind.CAPTIONS: "token_f1",
    TaskKind.IMAGE_CLASSIFICATION: "accuracy",
    TaskKind.TEXT_CLASSIFICATION: "accuracy",
    TaskKind.REGION_CLASSIFICATION: "accuracy",
    TaskKind.SPAN_CLASSIFICATION: "accuracy",
    TaskKind.INSTANCE_SEGMENTATION: "map50",
    TaskKind.OBJECT_DETECTION: "map50",
    TaskKind.NAMED_ENTITIES: "f1",
    TaskKind.KEYPOINTS: "oks_map50",
    TaskKind.SEMANTIC_SEGMENTATION: "miou",
}
"""The one figure by which each kind of task is compared."""
AT_ONCE = 32
"""Items in one call of a model."""


def quality(
    control: Control,
    version: LoadedVersion,
    featuriser: Featuriser,
    tasks: Sequence[Task],
    given: Sequence[Sequence[Region]],
) -> dict[str, float]:
    """The task's metrics on `tasks`, of which the regions `given` are true; empty where the version has no model or
    nothing can be read."""
    loaded = version.controls.get(control.name)
    if loaded is None:
        return {}
    converter = CONVERTERS[control.tag]
    items: list[Item] = []
    truths: list[Target] = []
    read = featuriser.items(control, loaded.family, tasks, own=loaded.model.own_encoder()).items
    for true, item in zip(given, read, strict=True):
        answer = converter.decode(control, true)
        if item is not None and answer is not None:
            truths.append(converter.target(answer, item))
            items.append(asking(item, truths[-1]))
    outputs: list[Output] = []
    for start in range(0, len(items), AT_ONCE):
        outputs += loaded.model.predict(items[start : start + AT_ONCE])
    labels, postprocess = loaded.model.labels, loaded.postprocess
    return evaluation_of(loaded.family.task, labels).measure(outputs, truths, postprocess, labels)
