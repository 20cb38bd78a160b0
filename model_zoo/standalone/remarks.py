"""What exported classifiers say of one region, or of one span."""

from __future__ import annotations

from typing import Any

from model_zoo.postprocess import ClassificationPostprocess
from model_zoo.types import ClassificationOutput, FloatArray, LabelSpace


def said(each: ClassificationPostprocess, labels: LabelSpace, probabilities: FloatArray) -> dict[str, Any]:
    """The labels that are shown, the surest first, and the calibrated confidence of every label."""
    decision = each.decide(ClassificationOutput(probabilities), labels)
    every = zip(labels.names, decision.confidence.tolist(), strict=True)
    return {"labels": [name for name, _ in decision.labels], "confidence": dict(every)}
