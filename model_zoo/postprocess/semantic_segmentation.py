"""Maps of images: which labels are there, what each pixel is, and how sure each label's area is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.calibration import Calibration
from model_zoo.errors import CheckpointError
from model_zoo.masks import area, map_of, mask_of, mask_overlaps
from model_zoo.postprocess.base import Postprocess, SegmentationDecision
from model_zoo.postprocess.objects_fit import ENOUGH, RIGHT, THRESHOLDS, Evidence, calibrate, join, thresholds
from model_zoo.targets import some_of
from model_zoo.types import FloatArray, LabelSpace, Mask, Masks, Output, SegmentationOutput, Target

if TYPE_CHECKING:
    from typing_extensions import Self

GRID = np.concatenate([[0.0], THRESHOLDS])
"""Thresholds that are tried, none among them: where labels cover the image, a doubtful one is better than a gap."""
SMALLEST = 0.001
"""Share of the image below which an area is not shown while nothing is known of the labels: specks of noise."""
LARGEST = 0.02
"""The same at most: however large all areas were so far, a smaller one may come."""


@dataclass(frozen=True)
class _Found:
    """Labels found in an output, by index (n,), and for each the mean probability that its cells have (n,)."""

    label: npt.NDArray[np.int64]
    confidence: FloatArray


@dataclass(frozen=True)
class SegmentationPostprocess(Postprocess):
    """`thresholds`, and slopes and shifts of `calibration`, one a label: what is calibrated, and held against the
    threshold, is how probable it is that a label's area overlaps the true one by half or more. A label that is not
    shown leaves its pixels to the next likely. `smallest` is the least share of the image that an area may have."""

    calibration: Calibration
    thresholds: tuple[float, ...]
    smallest: float = SMALLEST

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        return cls(Calibration(), (0.0 if threshold is None else threshold,) * len(labels))

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        usual = cls.uncalibrated(labels)
        known = frozenset(labels.names)
        pairs: list[tuple[SegmentationOutput, Masks]] = []
        for output, truth in zip(outputs, truths, strict=True):
            if isinstance(output, SegmentationOutput) and isinstance(truth, tuple):
                pairs.append((output, tuple(mask for mask in some_of(Mask, truth) if mask.label in known)))
        shares = [area(mask) / (mask.width * mask.height) for _, truth in pairs for mask in truth]
        if not shares:
            return usual
        # What is far smaller than anything that people have painted is noise along an edge.
        part = 2 if len(shares) >= ENOUGH else 4
        usual = replace(usual, smallest=round(min(min(shares) / part, LARGEST), 6))
        evidence = join([usual._judged(output, truth, labels) for output, truth in pairs])
        calibration = calibrate(evidence)
        return replace(usual, calibration=calibration, thresholds=thresholds(evidence, calibration, GRID))

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> SegmentationDecision:
        if not isinstance(output, SegmentationOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a SegmentationOutput to decide on maps.")
        least = np.array(self.thresholds) if minimum is None else np.full(len(labels), minimum)
        found = self._found(output)
        sure = self._calibrated(found)
        best: FloatArray = np.zeros(len(labels), np.float32)
        best[found.label] = sure
        shown = found.label[sure >= least[found.label]]
        masks = draw(output, shown, labels, (output.width, output.height))
        drawn = [mask for mask in masks if area(mask) >= self.smallest * output.width * output.height]
        return SegmentationDecision(
            tuple(drawn),
            tuple(float(best[labels.names.index(mask.label)]) for mask in drawn),
            best,
            uncertainty(output),
            output.width,
            output.height,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "slopes": list(self.calibration.slopes),
            "shifts": list(self.calibration.shifts),
            "thresholds": list(self.thresholds),
            "smallest": self.smallest,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            slopes, shifts, least = (
                tuple(float(x) for x in content[key]) for key in ("slopes", "shifts", "thresholds")
            )
            made = cls(Calibration(1.0, slopes, shifts), least, float(content["smallest"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The version's postprocessing is damaged ({error!r}); train again.") from error
        if len({len(slopes), len(shifts), len(least)} - {0}) > 1:
            raise CheckpointError(f"Got {len(slopes)} slopes for {len(least)} thresholds; train again.")
        return made

    def _found(self, output: SegmentationOutput) -> _Found:
        """The labels that are the likeliest somewhere, in areas large enough."""
        winner = output.probabilities.argmax(axis=0)
        labels, confidence = [], []
        for label in range(len(output.probabilities) - 1):
            cells = winner == label
            if cells.sum() >= max(self.smallest * cells.size, 1):
                labels.append(label)
                confidence.append(float(output.probabilities[label][cells].mean()))
        return _Found(np.array(labels, np.int64), np.array(confidence, np.float32))

    def _calibrated(self, found: _Found) -> FloatArray:
        if not self.calibration.slopes:
            return found.confidence
        lines = np.array([self.calibration.slopes, self.calibration.shifts])[:, found.label]
        return Calibration(slopes=tuple(lines[0]), shifts=tuple(lines[1]))(found.confidence)

    def _judged(self, output: SegmentationOutput, truth: Masks, labels: LabelSpace) -> Evidence:
        """Which areas are right, compared in cells: a map knows no more."""
        found = self._found(output)
        size = output.probabilities.shape[2], output.probabilities.shape[1]
        masks = {mask.label: mask for mask in draw(output, found.label, labels, size)}
        true = {mask.label: mask for mask in map_of(truth, size).masks}
        names = [labels.names[index] for index in found.label]
        right = [
            name in masks and name in true and float(mask_overlaps([masks[name]], [true[name]])[0, 0]) >= RIGHT
            for name in names
        ]
        counts = np.array([name in true for name in labels.names], np.int64)
        return Evidence(found.confidence, found.label, np.array(right, np.bool_), counts)


def draw(
    output: SegmentationOutput, shown: npt.NDArray[np.int64], labels: LabelSpace, size: tuple[int, int]
) -> list[Mask]:
    """What each pixel of an image of `size` (width, height) is, of the labels `shown` and none of them."""
    candidates = [*shown.tolist(), len(output.probabilities) - 1]
    best = np.full(size[::-1], -1.0, np.float32)
    winner = np.full(size[::-1], -1, np.int16)
    for index in candidates:
        probability = enlarged(output.probabilities[index], output.frame, size)
        ahead = probability > best
        winner[ahead] = index
        np.maximum(best, probability, out=best)
    found = [mask_of(labels.names[index], winner == index, size) for index in shown.tolist()]
    return [mask for mask in found if mask is not None]


def enlarged(cells: FloatArray, frame: tuple[float, float, float, float], size: tuple[int, int]) -> FloatArray:
    """An image of `size` as cells (rows, columns) have it, between them as their neighbours do in proportion. `frame`
    is where in them the image lies."""
    import cv2

    width, height = size
    across, down = (frame[2] - frame[0]) / width, (frame[3] - frame[1]) / height
    place = np.array([[across, 0, frame[0] + across / 2 - 0.5], [0, down, frame[1] + down / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    whole = cv2.warpAffine(np.ascontiguousarray(cells), place, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(whole, np.float32)


def uncertainty(output: SegmentationOutput) -> float:
    """How near the second likeliest comes to the likeliest, in the mean over all cells."""
    if output.probabilities.shape[1] * output.probabilities.shape[2] == 0:
        return 1.0
    second, first = np.partition(output.probabilities, -2, axis=0)[-2:]
    return float(np.clip(1 - (first - second).mean(), 0, 1))
