"""Measures of keypoints, as COCO counts them: https://cocodataset.org/#keypoints-eval

What COCO has no constants for is judged by the median of those that it has (`poses.sigmas`), and an object covers the
share of its box that `poses.COVERED` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.average_precision import OVERLAPS, Ranked, ranked, table_of
from model_zoo.poses import NOT_JUDGED, Truth, marked, match, sigmas, similarities, truth_of
from model_zoo.postprocess import KeypointPostprocess
from model_zoo.postprocess.keypoints import RIGHT, kinds_of, likeness
from model_zoo.types import FloatArray, LabelSpace, PoseOutput, Poses

MOST = 20
"""Objects an image, the most confident first, that COCO looks at."""


@dataclass(frozen=True)
class FoundPoses:
    """Objects found in an image, the most confident first: points (n, k, 2), confidences (n,), kinds (n,)."""

    points: FloatArray
    confidence: FloatArray
    kinds: npt.NDArray[np.int64]


@dataclass(frozen=True)
class KeypointMetrics:
    """All in [0, 1]. `map50` and `map50_95`: average precision by object keypoint similarity, over all confidences, at
    one half and as the mean over ten. `visibility`: of the points of objects that were found, the share of which it is
    said rightly whether they are visible, occluded or out of view; NaN where none was found."""

    map50: float
    map50_95: float
    visibility: float
    images: int


def keypoint_metrics(
    outputs: Sequence[PoseOutput],
    truths: Sequence[Poses],
    postprocess: KeypointPostprocess,
    labels: LabelSpace,
    sigma: FloatArray | None = None,
) -> KeypointMetrics:
    """Hold outputs against all true objects; `sigma` (k,) replaces the points' own. Raises ValueError when there is
    nothing to measure or lengths differ."""
    if not truths or len(outputs) != len(truths):
        raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each, at least one.")
    sigma = sigmas(labels.names) if sigma is None else sigma
    true = [truth_of(poses, labels, output.width, output.height) for output, poses in zip(outputs, truths, strict=True)]
    found = [found_poses(output, postprocess) for output in outputs]
    table = precisions(found, true, sigma, len(kinds_of(labels)))
    known = table[:, ~np.isnan(table[0])]
    told = np.concatenate(
        [states_told(output, truth, postprocess, sigma) for output, truth in zip(outputs, true, strict=True)]
    )
    return KeypointMetrics(
        map50=float(known[0].mean()) if known.size else 0.0,
        map50_95=float(known.mean()) if known.size else 0.0,
        visibility=float(told.mean()) if told.size else float("nan"),
        images=len(truths),
    )


def found_poses(output: PoseOutput, postprocess: KeypointPostprocess) -> FoundPoses:
    """What is left when overlapping candidates are suppressed, whatever its confidence."""
    index, confidence, kind = postprocess.objects.stay(output)
    return FoundPoses(output.points[index][:MOST], confidence[:MOST], kind[:MOST])


def precisions(
    found: Sequence[FoundPoses],
    truths: Sequence[Truth],
    sigma: FloatArray,
    kinds: int,
    overlaps: Sequence[float] = OVERLAPS,
) -> FloatArray:
    """Average precision of shape (overlaps, kinds), by 101 points of recall; NaN for kinds without a true object of
    which a point is known. Those without any are no mistake where they are found."""
    return table_of(pose_rankings(found, truths, sigma, kinds, overlaps), len(truths), len(overlaps))


def pose_rankings(
    found: Sequence[FoundPoses],
    truths: Sequence[Truth],
    sigma: FloatArray,
    kinds: int,
    overlaps: Sequence[float] = OVERLAPS,
) -> list[Ranked]:
    """What was found of each kind."""
    made = []
    for kind in range(kinds):
        true = [truth.of(kind) for truth in truths]
        taken = []
        for one, truth in zip(found, true, strict=True):
            points = one.points[one.kinds == kind]
            alike = similarities(points, truth.places, truth.states, truth.frames, sigma)
            taken.append(np.stack([match(alike, least, marked(truth.states)) for least in overlaps]))
        confidence = [one.confidence[one.kinds == kind] for one in found]
        objects = [int(marked(truth.states).sum()) for truth in true]
        made.append(ranked(confidence, [one >= 0 for one in taken], objects, [one != NOT_JUDGED for one in taken]))
    return made


def states_told(
    output: PoseOutput, truth: Truth, postprocess: KeypointPostprocess, sigma: FloatArray
) -> npt.NDArray[np.bool_]:
    """For each point of each object that was found, whether its state is told rightly; (points,)."""
    index, _, kinds = postprocess.objects.stay(output)
    told: list[npt.NDArray[np.bool_]] = [np.empty(0, np.bool_)]
    for kind in np.unique(truth.kinds):
        own, chosen = truth.of(int(kind)), index[kinds == kind]
        taken = match(likeness(output, chosen, own, sigma), RIGHT, marked(own.states))
        hit = chosen[taken >= 0]
        said = postprocess.states(output.located[hit], output.seen[hit])
        told.append((said == own.states[taken[taken >= 0]]).ravel())
    return np.concatenate(told)
