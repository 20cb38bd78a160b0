"""What held-out images say about a model that finds objects: how they may overlap, what its confidences are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import as_array, match_shares
from model_zoo.calibration import Calibration, fit_platt
from model_zoo.oriented import box_overlaps
from model_zoo.types import FloatArray, LabelSpace, Objects

RIGHT = 0.5
"""Overlap from which on a found box counts as the true one of its label."""
ENOUGH = 10
"""True boxes of a label from which on it has parameters of its own; below, all labels share them."""
TELLING = 0.02
"""Confidence below which candidates, all of them wrong and many, would only bend the calibration."""
# Tried and left out, for want of a gain over people in a video, raccoons and COCO's classes: the threshold at which
# correcting takes the least time (a missing object costing 2.7 times a wrong one), and the lowest of nearly equal F1.
# Both leave the seconds as they are: what is found besides is paid for by what must be taken away. Overlaps of 0.7 and
# 0.8 for suppression show more doubles than couples, also where people walk side by side.
THRESHOLDS = np.round(np.arange(0.1, 0.81, 0.05), 2)
LOOSEST = 0.8
HALF, NEVER = 0.5, 1.01
"""Share of what is shown that must be right where a wrong object is worse than none, and a threshold that nothing
passes."""

Candidates = tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]
"""Boxes (n, 4), confidences (n,) and labels' indices (n,), the most confident first."""


@dataclass(frozen=True)
class Shape:
    """What the true boxes by themselves ask for; see `ObjectPostprocess`."""

    overlap: float
    agnostic: bool
    smallest: float


@dataclass(frozen=True)
class Evidence:
    """Found boxes: confidence, index of the label, and whether there is such an object, all of shape (n,); and the
    number of true boxes of each label (labels,)."""

    confidence: FloatArray
    label: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]
    true: npt.NDArray[np.int64]


def shape_of(truths: Sequence[Objects], extents: Sequence[int], usual: float = 0.6) -> Shape:
    """`extents` are the images' longer sides in pixels; `usual` is the overlap where objects stand apart."""
    same, other, sides = [0.0], [0.0], []
    for boxes, extent in zip(truths, extents, strict=True):
        corners = as_array(boxes)
        pairs = box_overlaps(boxes, boxes)[np.triu_indices(len(boxes), 1)]
        alike = np.array([a.label == b.label for at, a in enumerate(boxes) for b in boxes[at + 1 :]], np.bool_)
        same += pairs[alike].tolist()
        other += pairs[~alike].tolist()
        sides += ((corners[:, 2:] - corners[:, :2]).min(axis=1) / extent).tolist()
    several = len({box.label for boxes in truths for box in boxes}) > 1
    enough = len(sides) >= ENOUGH
    return Shape(
        # Objects that truly overlap must be let stand; the worst few are left to people.
        overlap=round(float(np.clip(np.quantile(same, 0.98) + 0.1, usual, LOOSEST)), 2),
        agnostic=enough and several and max(other) < RIGHT,
        smallest=round(min(sides) / 2, 4) if enough else 0.0,
    )


def judge(
    shares: FloatArray,
    confidence: FloatArray,
    label: npt.NDArray[np.int64],
    truth: Objects,
    labels: LabelSpace,
) -> Evidence:
    """Hold one image's candidates against its true objects, which they overlap by `shares` (candidates, objects)."""
    right = np.zeros(len(label), np.bool_)
    counts = np.zeros(len(labels), np.int64)
    for index, name in enumerate(labels.names):
        true = np.array([piece.label == name for piece in truth], np.bool_)
        counts[index] = int(true.sum())
        found = label == index
        right[found] = match_shares(shares[found][:, true], RIGHT) >= 0
    return Evidence(confidence, label, right, counts)


def join(parts: Sequence[Evidence]) -> Evidence:
    """The evidence of all images; at least one."""
    return Evidence(
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.right for part in parts]),
        np.sum([part.true for part in parts], axis=0),
    )


def calibrate(evidence: Evidence) -> Calibration:
    """A slope and a shift for each label, from its own boxes where they suffice and from all labels' otherwise."""
    telling = evidence.confidence >= TELLING

    def line(chosen: npt.NDArray[np.bool_]) -> tuple[float, float]:
        fitted = fit_platt(evidence.confidence[chosen][:, None], evidence.right[chosen][:, None])
        return (fitted.slopes[0], fitted.shifts[0]) if fitted.slopes else (1.0, 0.0)

    shared = line(telling)
    lines = [
        line(telling & (evidence.label == index)) if count >= ENOUGH else shared
        for index, count in enumerate(evidence.true)
    ]
    return Calibration(slopes=tuple(slope for slope, _ in lines), shifts=tuple(shift for _, shift in lines))


def thresholds(
    evidence: Evidence, calibration: Calibration, grid: npt.NDArray[np.float64] = THRESHOLDS
) -> tuple[float, ...]:
    """For each label the calibrated confidence of `grid` where F1 is highest, the lowest among equals."""
    confidence = _calibrated(evidence, calibration)

    def best(chosen: npt.NDArray[np.bool_], true: int) -> float:
        def f1(threshold: float) -> float:
            shown = chosen & (confidence >= threshold)
            return 2 * float((shown & evidence.right).sum()) / float(max(shown.sum() + true, 1))

        return float(max(grid, key=lambda threshold: (f1(threshold), -threshold)))

    shared = best(np.ones(len(confidence), np.bool_), int(evidence.true.sum()))
    return tuple(
        best(evidence.label == index, int(count)) if count >= ENOUGH else shared
        for index, count in enumerate(evidence.true)
    )


def trusted(
    evidence: Evidence,
    calibration: Calibration,
    least: tuple[float, ...],
    grid: npt.NDArray[np.float64] = THRESHOLDS,
) -> tuple[float, ...]:
    """The thresholds raised, within `grid`, until most of what each label shows is right, or of what all show where it
    has too few boxes of its own; `NEVER` where none does."""
    confidence = _calibrated(evidence, calibration)

    def raised(chosen: npt.NDArray[np.bool_], threshold: float) -> float:
        for higher in [threshold, *(float(one) for one in grid if one > threshold)]:
            shown = chosen & (confidence >= higher)
            if (shown & evidence.right).sum() > HALF * shown.sum():
                return higher
        return NEVER

    every = np.ones(len(confidence), np.bool_)
    return tuple(
        raised(evidence.label == index if evidence.true[index] >= ENOUGH else every, threshold)
        for index, threshold in enumerate(least)
    )


def _calibrated(evidence: Evidence, calibration: Calibration) -> FloatArray:
    lines = np.array([calibration.slopes, calibration.shifts])[:, evidence.label]
    return Calibration(slopes=tuple(lines[0]), shifts=tuple(lines[1]))(evidence.confidence)
