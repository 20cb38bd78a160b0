"""What families return, raw, per kind of task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.types.inputs import FloatArray
from model_zoo.types.targets import Caption, Places


@dataclass(frozen=True)
class ClassificationOutput:
    """Probabilities of shape (labels,) in the label space's order, raw: neither calibrated nor thresholded."""

    probabilities: FloatArray


@dataclass(frozen=True)
class DetectionOutput:
    """Candidates, raw: overlapping ones not suppressed, neither calibrated nor thresholded.

    `boxes` of shape (n, 4), left, top, right and bottom in pixels of the upright image, within it; `probabilities`
    of shape (n, labels), each label's by itself, in the label space's order; `width` and `height` of that image.
    """

    boxes: FloatArray
    probabilities: FloatArray
    width: int
    height: int


@dataclass(frozen=True)
class OrientedOutput(DetectionOutput):
    """Candidates that are turned: `points` of shape (n, 4, 2), x and y of their corners as of `OrientedBox`; `boxes`
    are the upright ones around them, within the image."""

    points: FloatArray


@dataclass(frozen=True)
class EntityOutput:
    """Candidates, raw: overlapping ones not suppressed, neither calibrated nor thresholded.

    `spans` of shape (n, 2), start and end (behind the last) in characters of `text`; `probabilities` of shape
    (n, labels), in the label space's order: that exactly this span has this label.
    """

    text: str
    spans: npt.NDArray[np.int64]
    probabilities: FloatArray


@dataclass(frozen=True)
class CaptionOutput:
    """Captions, the best first, none twice, with `scores` of shape (captions,) in [0, 1], raw: one family's say how
    good a caption is, in order, and nothing beside another family's."""

    captions: tuple[Caption, ...]
    scores: FloatArray


@dataclass(frozen=True)
class InstanceOutput(DetectionOutput):
    """Candidates with masks, raw like their boxes. A pixel is an object's where a weighted sum is above 0.

    `coefficients` of shape (n, k) weigh the k pictures of `basis` (k, rows, columns), half precision. `frame` says
    where in these pictures the image lies: its left, top, right and bottom edges in cells. Nothing outside of a
    candidate's box is part of it.
    """

    coefficients: FloatArray
    basis: npt.NDArray[np.float16]
    frame: tuple[float, float, float, float]


@dataclass(frozen=True)
class SegmentationOutput:
    """What each cell of an image is, raw. `probabilities` of shape (labels + 1, rows, columns), in the label space's
    order and at the end that of none, sum to 1 in each cell. `frame` says where in these cells the image lies: its
    left, top, right and bottom edges. `width` and `height` are those of the upright image in pixels.
    """

    probabilities: FloatArray
    frame: tuple[float, float, float, float]
    width: int
    height: int


@dataclass(frozen=True)
class PoseOutput:
    """Candidates as of `DetectionOutput`, n of them, with all k points of each, in the label space's order.

    `probabilities` of shape (n, objects), of one column where objects have no names; `points` of shape (n, k, 2), x and
    y in pixels of the upright image, which may lie outside of it; `located` (n, k), how probable it is that the
    point's place can be told, and `seen` (n, k), that nothing hides it; each by itself.
    """

    boxes: FloatArray
    probabilities: FloatArray
    points: FloatArray
    located: FloatArray
    seen: FloatArray
    width: int
    height: int


@dataclass(frozen=True)
class RegionOutput:
    """What holds of each of the `regions` asked about; `probabilities` of shape (regions, labels), a row as of
    `ClassificationOutput`."""

    regions: Places
    probabilities: FloatArray


Output = (
    ClassificationOutput
    | DetectionOutput
    | InstanceOutput
    | SegmentationOutput
    | PoseOutput
    | EntityOutput
    | CaptionOutput
    | RegionOutput
)
"""The union of all output types; grows with the kinds of task."""
