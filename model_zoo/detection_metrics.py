"""Measures of detection, as COCO counts them: https://cocodataset.org/#detection-eval"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.average_precision import OVERLAPS, Ranked, ranked, table_of
from model_zoo.boxes import as_array, match_shares
from model_zoo.boxes import overlaps as box_shares
from model_zoo.oriented import box_overlaps
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.postprocess.objects import ObjectPostprocess
from model_zoo.types import Box, Boxes, DetectionOutput, FloatArray, LabelSpace, Objects

Found = tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]
"""Boxes (n, 4), confidences (n,) and labels' indices (n,) of what was found in an image, the most confident first."""


@dataclass(frozen=True)
class DetectionMetrics:
    """All in [0, 1]. `map50` and `map50_95`: average precision, over all confidences, at an overlap of one half and
    as the mean over ten overlaps, means over the labels that occur. `recall` and `precision`: of the boxes shown at
    the working thresholds, at an overlap of one half, over all labels. `images`: how many were measured."""

    map50: float
    map50_95: float
    recall: float
    precision: float
    images: int


def detection_metrics(
    outputs: Sequence[DetectionOutput], truths: Sequence[Boxes], postprocess: DetectionPostprocess, labels: LabelSpace
) -> DetectionMetrics:
    """Hold outputs against all true boxes. Raises ValueError when there is nothing to measure or lengths differ."""
    if not truths or len(outputs) != len(truths):
        raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each, at least one.")
    table = output_precisions(outputs, truths, postprocess, labels)
    shown = [postprocess.decide(output, labels).boxes for output in outputs]
    right = sum(
        int((match_shares(box_overlaps(_of(boxes, name), _of(truth, name)), 0.5) >= 0).sum())
        for boxes, truth in zip(shown, truths, strict=True)
        for name in {box.label for box in truth}
    )
    return DetectionMetrics(
        map50=_mean(table[0]),
        map50_95=_mean(table),
        recall=right / max(sum(map(len, truths)), 1),
        precision=right / max(sum(map(len, shown)), 1),
        images=len(truths),
    )


def output_precisions(
    outputs: Sequence[DetectionOutput],
    truths: Sequence[Objects],
    postprocess: ObjectPostprocess,
    labels: LabelSpace,
    overlaps: Sequence[float] = OVERLAPS,
    least: float = 0.0,
) -> FloatArray:
    """`average_precisions` of what a postprocessing leaves of outputs, of confidence `least` and more."""
    found, shares = [], []
    for output, truth in zip(outputs, truths, strict=True):
        rows, confidence, label = postprocess.stay(output, least)
        found.append((output.boxes[rows], confidence, label))
        shares.append(postprocess.shares(output, rows, truth))
    return average_precisions(found, truths, labels, overlaps, shares)


def average_precisions(
    found: Sequence[Found],
    truths: Sequence[Objects],
    labels: LabelSpace,
    overlaps: Sequence[float] = OVERLAPS,
    shares: Sequence[FloatArray] | None = None,
) -> FloatArray:
    """Average precision of shape (overlaps, labels), by 101 points of recall; NaN for labels without a true object."""
    return table_of(rankings(found, truths, labels, overlaps, shares), len(truths), len(overlaps))


def rankings(
    found: Sequence[Found],
    truths: Sequence[Objects],
    labels: LabelSpace,
    overlaps: Sequence[float] = OVERLAPS,
    shares: Sequence[FloatArray] | None = None,
) -> list[Ranked]:
    """What was found of each label. `shares` says how far it overlaps all true objects of each image, of shape (n, m),
    where not the boxes count."""
    if shares is None:
        shares = [box_shares(boxes, as_array(truth)) for (boxes, _, _), truth in zip(found, truths, strict=True)]
    made = []
    for index, name in enumerate(labels.names):
        true = [np.array([piece.label == name for piece in truth], np.bool_) for truth in truths]
        hits = []
        for share, (_, _, label), wanted in zip(shares, found, true, strict=True):
            own = share[label == index][:, wanted]
            hits.append(np.stack([match_shares(own, least) >= 0 for least in overlaps]))
        confidence = [scores[label == index] for _, scores, label in found]
        made.append(ranked(confidence, hits, [int(one.sum()) for one in true]))
    return made


def _of(boxes: Boxes, name: str) -> list[Box]:
    return [box for box in boxes if box.label == name]


def _mean(table: FloatArray) -> float:
    known = table[~np.isnan(table)]
    return float(known.mean()) if known.size else 0.0
