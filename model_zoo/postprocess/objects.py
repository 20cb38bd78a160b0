"""Objects in images: calibrated confidences, overlapping candidates suppressed, the too small and doubtful left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import as_array, overlaps, suppress
from model_zoo.calibration import Calibration
from model_zoo.errors import CheckpointError
from model_zoo.postprocess.base import Postprocess
from model_zoo.postprocess.objects_fit import Candidates, calibrate, join, judge, shape_of, thresholds, trusted
from model_zoo.targets import objects_of
from model_zoo.types import DetectionOutput, FloatArray, LabelSpace, Objects, Output, PoseOutput, Target

if TYPE_CHECKING:
    from typing_extensions import Self

USUAL = 0.3
"""Confidence from which on a box is shown while nothing is known of the model: taking a wrong box away costs a person
less than drawing a missing one."""
OVERLAP = 0.6
CANDIDATES = 300
"""Boxes of one image, best first, that are looked at."""
DOUBTFUL = 0.05
"""Confidence below which a candidate is no reason to doubt."""
UNSEEN = 0.5
"""Uncertainty about an image in which nothing was found."""


Stay = tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.int64]]
"""Rows of an output (n,), calibrated confidences (n,) and labels' indices (n,), the most confident first."""
Shown = tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.int64], FloatArray, float]
"""The same of what is shown, each label's highest confidence (labels,), and the uncertainty."""


@dataclass(frozen=True)
class ObjectPostprocess(Postprocess):
    """`thresholds`, and slopes and shifts of `calibration`, one a label.

    Of candidates that overlap by more than `overlap` the best stays: among those of one label, or of all labels
    where `agnostic`. `smallest` is the least side of a box, as a share of the image's longer side; `most` is how
    many an image may show.
    """

    calibration: Calibration
    thresholds: tuple[float, ...]
    overlap: float = OVERLAP
    agnostic: bool = False
    smallest: float = 0.0
    most: int = CANDIDATES

    careful: ClassVar[bool] = False
    """Whether to show nothing where most of it was wrong on images left out."""

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        return cls(Calibration(), (USUAL if threshold is None else threshold,) * len(labels))

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        """As promised; boxes, not images, of labels outside the space are left out."""
        known = frozenset(labels.names)
        pairs: list[tuple[DetectionOutput, Objects]] = []
        for output, truth in zip(outputs, truths, strict=True):
            if isinstance(output, DetectionOutput) and isinstance(truth, tuple):
                pairs.append((output, tuple(piece for piece in objects_of(truth) if piece.label in known)))
        usual = cls.uncalibrated(labels)
        if not any(pieces for _, pieces in pairs):
            return usual
        shaped = usual.shaped(pairs)
        evidence = []
        for output, pieces in pairs:
            stay, confidence, label = shaped.stay(output)
            evidence.append(judge(shaped.shares(output, stay, pieces), confidence, label, pieces, labels))
        joined = join(evidence)
        calibration = calibrate(joined)
        least = thresholds(joined, calibration)
        least = trusted(joined, calibration, least) if cls.careful else least
        return replace(shaped, calibration=calibration, thresholds=least)

    def shaped(self, pairs: Sequence[tuple[DetectionOutput, Objects]], apart: float = OVERLAP) -> Self:
        """The same with what the true objects by themselves ask for; `apart` is the overlap where they stand apart."""
        extents = [max(output.width, output.height) for output, _ in pairs]
        shape = shape_of([pieces for _, pieces in pairs], extents, apart)
        return replace(self, overlap=shape.overlap, agnostic=shape.agnostic, smallest=shape.smallest)

    def shares(self, output: DetectionOutput, rows: npt.NDArray[np.int64], truth: Objects) -> FloatArray:
        """How far candidates of these rows overlap true objects, of shape (rows, objects)."""
        return overlaps(output.boxes[rows], as_array(truth))

    def shown(self, output: DetectionOutput, labels: LabelSpace, minimum: float | None) -> Shown:
        """What people see of an output, as `decide` promises."""
        least = np.array(self.thresholds) if minimum is None else np.full(len(labels), minimum)
        rows, confidence, label = self.stay(output, min(least.min(initial=DOUBTFUL), DOUBTFUL))
        shown = np.flatnonzero(confidence >= least[label])[: self.most]
        best: FloatArray = np.zeros(len(labels), np.float32)
        np.maximum.at(best, label, confidence)
        return rows[shown], confidence[shown], label[shown], best, uncertainty(confidence)

    def candidates(self, output: DetectionOutput, least: float = 0.0) -> Candidates:
        """What is left of confidence `least` and more when overlapping candidates are suppressed: boxes (n, 4),
        calibrated confidences (n,) and labels' indices (n,), the most confident first. A box has its best label."""
        rows, confidence, label = self.stay(output, least)
        return output.boxes[rows], confidence, label

    def stay(self, output: DetectionOutput | PoseOutput, least: float = 0.0) -> Stay:
        """The same with the rows of the output for boxes."""
        if not output.probabilities.size:
            return np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
        calibrated = np.clip(self.calibration(output.probabilities), 0, 1)
        label = calibrated.argmax(axis=1)
        confidence = calibrated[np.arange(len(label)), label]
        extent = max(output.width, output.height)
        sides = (output.boxes[:, 2:] - output.boxes[:, :2]).min(axis=1)
        rows = np.flatnonzero((confidence >= least) & (sides > 0) & (sides >= self.smallest * extent))
        confidence, label = confidence[rows], label[rows]
        # Each label's boxes at a place of their own suppress no other's.
        apart = np.zeros(len(label)) if self.agnostic else label * 2.0 * extent
        stay = self.suppressed(output, rows, confidence, apart)[:CANDIDATES]
        return rows[stay], confidence[stay], label[stay]

    def suppressed(
        self,
        output: DetectionOutput | PoseOutput,
        rows: npt.NDArray[np.int64],
        confidence: FloatArray,
        apart: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.int64]:
        """Places in `rows` of the candidates that stay, each moved `apart` (rows,) pixels, the most confident first."""
        return suppress((output.boxes[rows] + apart[:, None]).astype(np.float32), confidence, self.overlap)

    def to_json(self) -> dict[str, Any]:
        return {
            "slopes": list(self.calibration.slopes),
            "shifts": list(self.calibration.shifts),
            "thresholds": list(self.thresholds),
            "overlap": self.overlap,
            "agnostic": self.agnostic,
            "smallest": self.smallest,
            "most": self.most,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            numbers = {key: tuple(float(x) for x in content[key]) for key in ("slopes", "shifts", "thresholds")}
            made = cls(
                Calibration(1.0, numbers["slopes"], numbers["shifts"]),
                numbers["thresholds"],
                float(content["overlap"]),
                bool(content["agnostic"]),
                float(content["smallest"]),
                int(content["most"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The version's postprocessing is damaged ({error!r}); train again.") from error
        if len({len(numbers[key]) for key in numbers} - {0}) > 1:
            raise CheckpointError(
                f"Got {len(made.calibration.slopes)} slopes for {len(made.thresholds)} thresholds; train again."
            )
        return made


def uncertainty(confidence: FloatArray) -> float:
    """That of the candidate nearest one half. Nothing found at all says little: people know what was overlooked."""
    worth = confidence[confidence >= DOUBTFUL]
    return float(1 - np.abs(2 * worth - 1).min()) if len(worth) else UNSEEN
