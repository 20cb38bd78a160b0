"""From raw outputs to decisions: one module a kind of output, one explicit table.

Fitted parameters are part of a version; every family, engine and tracker goes through here.
"""

from __future__ import annotations

from collections.abc import Mapping

from model_zoo.postprocess.base import (
    CaptionDecision,
    ClassificationDecision,
    Decision,
    DetectionDecision,
    EntityDecision,
    InstanceDecision,
    PoseDecision,
    Postprocess,
    RegionDecision,
    SegmentationDecision,
)
from model_zoo.postprocess.captions import CaptionPostprocess
from model_zoo.postprocess.classification import ClassificationPostprocess
from model_zoo.postprocess.detection import DetectionPostprocess
from model_zoo.postprocess.entities import EntityPostprocess
from model_zoo.postprocess.instance_segmentation import InstancePostprocess
from model_zoo.postprocess.keypoints import KeypointPostprocess
from model_zoo.postprocess.regions import RegionPostprocess
from model_zoo.postprocess.semantic_segmentation import SegmentationPostprocess
from model_zoo.types import TaskKind

_BY_KIND: Mapping[TaskKind, type[Postprocess]] = {
    TaskKind.CAPTIONS: CaptionPostprocess,
    TaskKind.IMAGE_CLASSIFICATION: ClassificationPostprocess,
    TaskKind.INSTANCE_SEGMENTATION: InstancePostprocess,
    TaskKind.OBJECT_DETECTION: DetectionPostprocess,
    TaskKind.KEYPOINTS: KeypointPostprocess,
    TaskKind.REGION_CLASSIFICATION: RegionPostprocess,
    TaskKind.SPAN_CLASSIFICATION: RegionPostprocess,
    TaskKind.TEXT_CLASSIFICATION: ClassificationPostprocess,
    TaskKind.NAMED_ENTITIES: EntityPostprocess,
    TaskKind.SEMANTIC_SEGMENTATION: SegmentationPostprocess,
}


def postprocess_of(kind: TaskKind) -> type[Postprocess]:
    """How outputs of this kind of task become decisions; its `fit`, `uncalibrated` and `from_json` make one."""
    return _BY_KIND[kind]


__all__ = [
    "CaptionDecision",
    "CaptionPostprocess",
    "ClassificationDecision",
    "ClassificationPostprocess",
    "Decision",
    "DetectionDecision",
    "DetectionPostprocess",
    "EntityDecision",
    "EntityPostprocess",
    "InstanceDecision",
    "InstancePostprocess",
    "KeypointPostprocess",
    "PoseDecision",
    "Postprocess",
    "RegionDecision",
    "RegionPostprocess",
    "SegmentationDecision",
    "SegmentationPostprocess",
    "postprocess_of",
]
