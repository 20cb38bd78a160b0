"""Detections: calibrated confidences, overlapping candidates suppressed, what is too small or too doubtful left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import box, suppress
from model_zoo.calibration import Calibration
from model_zoo.errors import CheckpointError
from model_zoo.postprocess.base import DetectionDecision, Postprocess
from model_zoo.postprocess.detection_fit import Candidates, calibrate, join, judge, shape_of, thresholds
from model_zoo.types import DetectionOutput, FloatArray, LabelSpace, Output, PoseOutput, Target, boxes_of

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

Survivors = tuple[npt.NDArray[np.int64], FloatArray, npt.NDArray[np.int64]]
"""Indices of candidates, confidences and labels' indices, each (n,), the most confident first."""


@dataclass(frozen=True)
class DetectionPostprocess(Postprocess):
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

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        return cls(Calibration(), (USUAL if threshold is None else threshold,) * len(labels))

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        """As promised; boxes, not images, of labels outside the space are left out."""
        known = frozenset(labels.names)
        pairs = [
            (output, tuple(box for box in boxes_of(truth) if box.label in known))
            for output, truth in zip(outputs, truths, strict=True)
            if isinstance(output, DetectionOutput) and isinstance(truth, tuple)
        ]
        usual = cls.uncalibrated(labels)
        if not any(boxes for _, boxes in pairs):
            return usual
        shape = shape_of(
            [boxes for _, boxes in pairs], [max(output.width, output.height) for output, _ in pairs], OVERLAP
        )
        shaped = replace(usual, overlap=shape.overlap, agnostic=shape.agnostic, smallest=shape.smallest)
        evidence = join([judge(*shaped.candidates(output), boxes, labels) for output, boxes in pairs])
        calibration = calibrate(evidence)
        return replace(shaped, calibration=calibration, thresholds=thresholds(evidence, calibration))

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> DetectionDecision:
        if not isinstance(output, DetectionOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a DetectionOutput to decide on boxes.")
        least = np.array(self.thresholds) if minimum is None else np.full(len(labels), minimum)
        boxes, confidence, label = self.candidates(output, min(least.min(initial=DOUBTFUL), DOUBTFUL))
        shown = np.flatnonzero(confidence >= least[label])[: self.most]
        best: FloatArray = np.zeros(len(labels), np.float32)
        np.maximum.at(best, label, confidence)
        return DetectionDecision(
            tuple(box(boxes[at], labels.names[label[at]]) for at in shown),
            tuple(confidence[at].tolist() for at in shown),
            best,
            uncertainty(confidence),
            output.width,
            output.height,
        )

    def candidates(self, output: DetectionOutput, least: float = 0.0) -> Candidates:
        """What is left of confidence `least` and more when overlapping candidates are suppressed: boxes (n, 4),
        calibrated confidences (n,) and labels' indices (n,), the most confident first. A box has its best label."""
        stay, confidence, label = self.survivors(output, least)
        return output.boxes[stay], confidence, label

    def survivors(self, output: DetectionOutput | PoseOutput, least: float = 0.0) -> Survivors:
        """The same with the indices of the candidates (n,) in place of their boxes."""
        if not output.probabilities.size:
            return np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
        calibrated = np.clip(self.calibration(output.probabilities), 0, 1)
        label = calibrated.argmax(axis=1)
        confidence = calibrated[np.arange(len(label)), label]
        extent = max(output.width, output.height)
        sides = (output.boxes[:, 2:] - output.boxes[:, :2]).min(axis=1)
        kept = np.flatnonzero((confidence >= least) & (sides > 0) & (sides >= self.smallest * extent))
        boxes, confidence, label = output.boxes[kept], confidence[kept], label[kept]
        # Each label's boxes at a place of their own suppress no other's.
        place = boxes if self.agnostic else (boxes + (label * 2.0 * extent)[:, None]).astype(np.float32)
        stay = suppress(place, confidence, self.overlap)[:CANDIDATES]
        return kept[stay], confidence[stay], label[stay]

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
