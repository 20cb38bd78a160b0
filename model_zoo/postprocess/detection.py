"""Detections: objects known by their boxes."""

from __future__ import annotations

from model_zoo.boxes import box
from model_zoo.postprocess.base import DetectionDecision
from model_zoo.postprocess.objects import ObjectPostprocess
from model_zoo.types import DetectionOutput, LabelSpace, Output


class DetectionPostprocess(ObjectPostprocess):
    """Suppressed and judged by their boxes."""

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> DetectionDecision:
        if not isinstance(output, DetectionOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a DetectionOutput to decide on boxes.")
        rows, confidence, label, best, doubt = self.shown(output, labels, minimum)
        return DetectionDecision(
            tuple(box(output.boxes[row], labels.names[index]) for row, index in zip(rows, label, strict=True)),
            tuple(confidence.tolist()),
            best,
            doubt,
            output.width,
            output.height,
        )
