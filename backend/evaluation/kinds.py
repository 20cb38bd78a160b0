"""How each kind of task is judged: one explicit table."""

from __future__ import annotations

from collections.abc import Mapping

from backend.evaluation.base import Evaluation
from backend.evaluation.classification import ClassificationEvaluation
from backend.evaluation.detection import DetectionEvaluation
from backend.evaluation.keypoints import KeypointEvaluation
from model_zoo.types import TaskKind

_CLASSIFICATION = ClassificationEvaluation()

EVALUATIONS: Mapping[TaskKind, Evaluation] = {
    TaskKind.IMAGE_CLASSIFICATION: _CLASSIFICATION,
    TaskKind.OBJECT_DETECTION: DetectionEvaluation(),
    TaskKind.KEYPOINTS: KeypointEvaluation(),
    TaskKind.TEXT_CLASSIFICATION: _CLASSIFICATION,
}
"""Every kind of task; a test holds the table against `TaskKind`."""
