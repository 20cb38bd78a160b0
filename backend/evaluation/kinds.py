"""How each kind of task is judged: one explicit table."""

from __future__ import annotations

from collections.abc import Mapping

from backend.evaluation.base import Evaluation
from backend.evaluation.captions import CaptionEvaluation
from backend.evaluation.classification import ClassificationEvaluation
from backend.evaluation.detection import DetectionEvaluation
from backend.evaluation.entities import EntityEvaluation
from backend.evaluation.instance_segmentation import InstanceEvaluation
from backend.evaluation.keypoints import KeypointEvaluation
from backend.evaluation.ordered import OrderedEvaluation
from backend.evaluation.remarks import RemarkEvaluation
from backend.evaluation.semantic_segmentation import SegmentationEvaluation
from model_zoo.types import LabelSpace, TaskKind

_CLASSIFICATION = ClassificationEvaluation()

EVALUATIONS: Mapping[TaskKind, Evaluation] = {
    TaskKind.CAPTIONS: CaptionEvaluation(),
    TaskKind.IMAGE_CLASSIFICATION: _CLASSIFICATION,
    TaskKind.INSTANCE_SEGMENTATION: InstanceEvaluation(),
    TaskKind.OBJECT_DETECTION: DetectionEvaluation(),
    TaskKind.KEYPOINTS: KeypointEvaluation(),
    TaskKind.REGION_CLASSIFICATION: RemarkEvaluation(_CLASSIFICATION),
    TaskKind.TEXT_CLASSIFICATION: _CLASSIFICATION,
    TaskKind.NAMED_ENTITIES: EntityEvaluation(),
    TaskKind.SEMANTIC_SEGMENTATION: SegmentationEvaluation(),
    TaskKind.SPAN_CLASSIFICATION: RemarkEvaluation(_CLASSIFICATION),
}
"""Every kind of task; a test holds the table against `TaskKind`."""


def evaluation_of(kind: TaskKind, labels: LabelSpace) -> Evaluation:
    """How answers to this kind of task are judged, where the labels may make a difference."""
    if not labels.ordered:
        return EVALUATIONS[kind]
    ordered = OrderedEvaluation(labels)
    return RemarkEvaluation(ordered) if isinstance(EVALUATIONS[kind], RemarkEvaluation) else ordered
