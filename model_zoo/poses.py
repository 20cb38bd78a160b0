"""Poses as arrays: points by the label space's order, the frames of objects, and how alike two poses are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.types import FloatArray, LabelSpace, Pose

States = npt.NDArray[np.int64]
"""What is known of points, as COCO numbers it: 0 nothing, 1 hidden and located, 2 seen; (n, k)."""
UNKNOWN, HIDDEN, SEEN = range(3)
NOT_JUDGED = -2
"""In place of a true object's index, where what was found is taken for one of which nothing is known."""

COCO_SIGMAS = {
    "nose": 0.026,
    "left_eye": 0.025,
    "right_eye": 0.025,
    "left_ear": 0.035,
    "right_ear": 0.035,
    "left_shoulder": 0.079,
    "right_shoulder": 0.079,
    "left_elbow": 0.072,
    "right_elbow": 0.072,
    "left_wrist": 0.062,
    "right_wrist": 0.062,
    "left_hip": 0.107,
    "right_hip": 0.107,
    "left_knee": 0.087,
    "right_knee": 0.087,
    "left_ankle": 0.089,
    "right_ankle": 0.089,
}
"""How far people disagree about the points of a person, in shares of its size: https://cocodataset.org/#keypoints-eval.
In COCO's order, which is that of the pretrained networks."""
USUAL_SIGMA = 0.072
"""The median of COCO's, for points that it does not have. Ultralytics takes 1 / number of points: 0.25 for four, with
which a point a third of the object away counts as found."""
COVERED = 0.53
"""The share of its box that an object covers, as Ultralytics has it where only boxes are known."""
MARGIN = 0.15
"""What is added on each side of the points of an object without a box, as a share of their longer extent."""
SLIMMEST = 0.5
"""The least ratio of the sides of such a frame: points in a line have no area."""
LEAST = 0.05
"""The least side of such a frame, as a share of the image's: a single point has no extent at all."""


def plain(name: str) -> str:
    """Case and joining marks do not count."""
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())


def sigmas(names: Sequence[str]) -> FloatArray:
    """The constant of each point's fall-off, (k,)."""
    return np.array([COCO_SIGMAS.get(plain(name), USUAL_SIGMA) for name in names], np.float32)


def points_of(poses: Sequence[Pose], names: Sequence[str]) -> tuple[FloatArray, States]:
    """Places (n, k, 2), zeros where nothing is known, and states (n, k). Points of other names are left out."""
    index = {name: at for at, name in enumerate(names)}
    places: FloatArray = np.zeros((len(poses), len(names), 2), np.float32)
    states = np.zeros((len(poses), len(names)), np.int64)
    for row, pose in enumerate(poses):
        for point in pose.points:
            column = index.get(point.label)
            if column is not None:
                places[row, column] = point.x, point.y
                states[row, column] = SEEN if point.visible else HIDDEN
    return places, states


def frames(poses: Sequence[Pose], width: float, height: float) -> FloatArray:
    """Boxes (n, 4) around the objects of an image of that size: those drawn, else what holds their points. An infinite
    size leaves them unbounded."""
    rows = [
        pose.box.corners if pose.box else around(np.array([(p.x, p.y) for p in pose.points]), width, height)
        for pose in poses
    ]
    return np.array(rows, np.float32).reshape(-1, 4)


@dataclass(frozen=True)
class Truth:
    """The true objects of an image: places (n, k, 2), states (n, k), frames (n, 4), and the index of each one's name
    among the space's objects (n,), 0 where it has none."""

    places: FloatArray
    states: States
    frames: FloatArray
    kinds: npt.NDArray[np.int64]

    def of(self, kind: int) -> Truth:
        """The objects of one name."""
        chosen = self.kinds == kind
        return Truth(self.places[chosen], self.states[chosen], self.frames[chosen], self.kinds[chosen])


def truth_of(poses: Sequence[Pose], labels: LabelSpace, width: float, height: float) -> Truth:
    """What is true of an image of that size."""
    index = {name: at for at, name in enumerate(labels.objects)}
    kinds = np.array([index.get(pose.box.label, 0) if pose.box else 0 for pose in poses], np.int64)
    return Truth(*points_of(poses, labels.names), frames(poses, width, height), kinds)


def around(points: npt.NDArray[np.floating], width: float, height: float) -> tuple[float, float, float, float]:
    """A box that holds `points` (n, 2) with a margin, within the image; the whole image for none."""
    if not len(points):
        return 0.0, 0.0, width, height
    low, high = points.min(0), points.max(0)
    longest = float((high - low).max())
    sides = np.maximum(high - low, SLIMMEST * longest) + 2 * MARGIN * longest
    if np.isfinite(width):
        sides = np.maximum(sides, LEAST * np.array([width, height]))
    centre = (low + high) / 2
    left, top = (float(one) for one in np.maximum(centre - sides / 2, 0 if np.isfinite(width) else -np.inf))
    right, bottom = (float(one) for one in np.minimum(centre + sides / 2, [width, height]))
    return left, top, max(right, left + 1e-3), max(bottom, top + 1e-3)


def areas(boxes: FloatArray) -> FloatArray:
    """What objects in these frames cover, (n,)."""
    covered: FloatArray = COVERED * np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    return covered


def closeness(found: FloatArray, true: FloatArray, area: FloatArray, sigma: FloatArray) -> FloatArray:
    """How near each found point is to the true one, in (0, 1]: `found` (..., k, 2), `true` (..., k, 2), `area` (...) of
    the true objects. 1 at its place, 0.61 at twice its sigma, in units of the object's size (https://cocodataset.org/#keypoints-eval)."""
    distance = np.square(found - true).sum(-1)
    spread = np.square(2 * sigma) * 2 * np.maximum(area, 1e-9)[..., None]
    near: FloatArray = np.exp(-distance / spread).astype(np.float32)
    return near


def similarities(
    found: FloatArray, true: FloatArray, states: States, boxes: FloatArray, sigma: FloatArray
) -> FloatArray:
    """Object keypoint similarity (n, m) of found points (n, k, 2) and true ones (m, k, 2), whose `states` (m, k) say
    which are known, in frames `boxes` (m, 4). As in pycocotools, an object without any known point is likened to what
    lies within or near its frame."""
    near = closeness(found[:, None], true[None], areas(boxes)[None], sigma)
    known = (states > UNKNOWN)[None]
    alike: FloatArray = (near * known).sum(-1) / np.maximum(known.sum(-1), 1)
    for column in np.flatnonzero(~known[0].any(-1)):
        sides = boxes[column, 2:] - boxes[column, :2]
        beyond = np.maximum(boxes[column, :2] - sides - found, 0) + np.maximum(found - boxes[column, 2:] - sides, 0)
        alike[:, column] = closeness(beyond, np.zeros_like(beyond), areas(boxes[[column]]), sigma).mean(-1)
    return alike


def match(alike: FloatArray, least: float, judged: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each found object, best first, the index of the true one it is taken for, by `alike` (n, m): the free one
    that it is most like, by `least` or more. -1 for none, and `NOT_JUDGED` for one that is not `judged` (m,), as COCO
    counts."""
    taken = np.full(len(alike), -1, np.int64)
    free = np.ones(alike.shape[1], np.bool_)
    for place, row in enumerate(alike):
        for among, mark in ((free & judged, None), (free & ~judged, NOT_JUDGED)):
            best = int(np.where(among, row, -1.0).argmax()) if among.any() else -1
            if best >= 0 and row[best] >= least:
                taken[place] = best if mark is None else mark
                free[best] = False
                break
    return taken


def marked(states: States) -> npt.NDArray[np.bool_]:
    """Which objects have a point of which anything is known, (n,)."""
    some: npt.NDArray[np.bool_] = np.asarray((states > UNKNOWN).any(axis=1), np.bool_)
    return some


def swapped(names: Sequence[str]) -> tuple[int, ...] | None:
    """For each point the one that takes its place in a mirrored image: left and right change where names say so. None
    where a side has no partner, so that nothing may be mirrored."""
    index = {plain(name): at for at, name in enumerate(names)}
    partners = []
    for at, name in enumerate(map(plain, names)):
        other = _other_side(name)
        if other is not None and other not in index:
            return None
        partners.append(at if other is None else index[other])
    return tuple(partners)


_SIDES = {"left": "right", "right": "left"}
_LETTERS = {"l": "r", "r": "l"}


def _other_side(name: str) -> str | None:
    """The name of the same part on the other side; None where the name has no side."""
    words = name.split("_")
    for table in (_SIDES, _LETTERS):
        if any(word in table for word in words) and len(words) > 1:
            return "_".join(table.get(word, word) for word in words)
    for side, other in _SIDES.items():
        if name.startswith(side):
            return other + name.removeprefix(side)
        if name.endswith(side):
            return name.removesuffix(side) + other
    return None
