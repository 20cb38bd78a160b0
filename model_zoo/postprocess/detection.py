"""Detections: objects known by their boxes, turned or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import box
from model_zoo.oriented import as_corners, quad_overlaps, quads, suppress_quads
from model_zoo.postprocess.base import DetectionDecision
from model_zoo.postprocess.objects import OVERLAP, ObjectPostprocess
from model_zoo.types import (
    Box,
    DetectionOutput,
    FloatArray,
    LabelSpace,
    Objects,
    OrientedBox,
    OrientedOutput,
    Output,
    PoseOutput,
)

if TYPE_CHECKING:
    from typing_extensions import Self

APART = 0.3
"""Overlap beyond which turned boxes are the same object, where true ones stand apart: two guesses at how a long thing
lies share far less than upright ones do."""


class DetectionPostprocess(ObjectPostprocess):
    """Suppressed and judged by their boxes: turned ones as they are."""

    def shaped(self, pairs: Sequence[tuple[DetectionOutput, Objects]], apart: float = OVERLAP) -> Self:
        turned = any(isinstance(output, OrientedOutput) for output, _ in pairs)
        return super().shaped(pairs, APART if turned else apart)

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> DetectionDecision:
        if not isinstance(output, DetectionOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a DetectionOutput to decide on boxes.")
        rows, confidence, label, best, doubt = self.shown(output, labels, minimum)
        return DetectionDecision(
            tuple(_box(output, row, labels.names[index]) for row, index in zip(rows, label, strict=True)),
            tuple(confidence.tolist()),
            best,
            doubt,
            output.width,
            output.height,
        )

    def shares(self, output: DetectionOutput, rows: npt.NDArray[np.int64], truth: Objects) -> FloatArray:
        if isinstance(output, OrientedOutput):
            return quad_overlaps(output.points[rows], quads(truth))
        return super().shares(output, rows, truth)

    def suppressed(
        self,
        output: DetectionOutput | PoseOutput,
        rows: npt.NDArray[np.int64],
        confidence: FloatArray,
        apart: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.int64]:
        if isinstance(output, OrientedOutput):
            # Corners may lie outside of the image, hence twice as far.
            moved = output.points[rows] + 2 * apart[:, None, None]
            return suppress_quads(moved.astype(np.float32), confidence, self.overlap)
        return super().suppressed(output, rows, confidence, apart)


def _box(output: DetectionOutput, row: int, label: str) -> Box:
    upright = box(output.boxes[row], label)
    if not isinstance(output, OrientedOutput):
        return upright
    return OrientedBox(*upright.corners, label, as_corners(output.points[row].tolist()))
