"""What is said of single regions: classifications, one a region, calibrated together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.boxes import match_shares
from model_zoo.places import place_overlaps
from model_zoo.postprocess.base import Postprocess, RegionDecision
from model_zoo.postprocess.classification import ClassificationPostprocess
from model_zoo.targets import some_of
from model_zoo.types import ClassificationOutput, FloatArray, Labels, LabelSpace, Output, RegionOutput, Remark, Target

if TYPE_CHECKING:
    from typing_extensions import Self

SAME = 0.99
"""Overlap from which on a region of an output is one that a truth speaks of: outputs are asked about just these."""


@dataclass(frozen=True)
class RegionPostprocess(Postprocess):
    """As for classifications of whole items."""

    each: ClassificationPostprocess

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        return cls(ClassificationPostprocess.uncalibrated(labels, threshold))

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        pairs = [pair for output, truth in zip(outputs, truths, strict=True) for pair in judged(output, truth)]
        return cls(ClassificationPostprocess.fit([one for one, _ in pairs], [true for _, true in pairs], labels))

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> RegionDecision:
        if not isinstance(output, RegionOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a RegionOutput to decide on regions.")
        each = [self.each.decide(ClassificationOutput(row), labels, minimum) for row in output.probabilities]
        best: FloatArray = np.zeros(len(labels), np.float32)
        for decision in each:
            best = np.maximum(best, decision.confidence)
        return RegionDecision(
            tuple(Remark(place, tuple(sorted(one.target))) for place, one in zip(output.regions, each, strict=True)),
            tuple(min((score for _, score in decision.labels), default=0.0) for decision in each),
            best,
            max((decision.uncertainty for decision in each), default=0.0),
        )

    def to_json(self) -> dict[str, Any]:
        return self.each.to_json()

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(ClassificationPostprocess.from_json(content))


def judged(output: Output | None, truth: Target) -> list[tuple[ClassificationOutput, Labels]]:
    """Outputs for single regions with what is true of them, where that is known."""
    remarks = some_of(Remark, truth)
    if not isinstance(output, RegionOutput) or not remarks or not output.regions:
        return []
    pairs = match_shares(place_overlaps(output.regions, tuple(remark.place for remark in remarks)), SAME)
    return [
        (ClassificationOutput(output.probabilities[row]), frozenset(remarks[at].labels))
        for row, at in enumerate(pairs.tolist())
        if at >= 0
    ]
