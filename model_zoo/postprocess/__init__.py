"""From raw outputs to decisions: one module a kind of output, one explicit table.

Fitted parameters are part of a version; every family, engine and tracker goes through here.
"""

from __future__ import annotations

from collections.abc import Mapping

from model_zoo.postprocess.base import ClassificationDecision, Decision, DetectionDecision, PoseDecision, Postprocess
from model_zoo.postprocess.classification import ClassificationPostprocess
from model_zoo.postprocess.detection import DetectionPostprocess
from model_zoo.postprocess.keypoints import KeypointPostprocess
from model_zoo.types import TaskKind

_BY_KIND: Mapping[TaskKind, type[Postprocess]] = {
    TaskKind.IMAGE_CLASSIFICATION: ClassificationPostprocess,
    TaskKind.OBJECT_DETECTION: DetectionPostprocess,
    TaskKind.KEYPOINTS: KeypointPostprocess,
    TaskKind.TEXT_CLASSIFICATION: ClassificationPostprocess,
}


def postprocess_of(kind: TaskKind) -> type[Postprocess]:
    """How outputs of this kind of task become decisions; its `fit`, `uncalibrated` and `from_json` make one."""
    return _BY_KIND[kind]


__all__ = [
    "ClassificationDecision",
    "ClassificationPostprocess",
    "Decision",
    "DetectionDecision",
    "DetectionPostprocess",
    "KeypointPostprocess",
    "PoseDecision",
    "Postprocess",
    "postprocess_of",
]
