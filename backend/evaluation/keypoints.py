"""Judging keypoints: point by point, a point being right where it is near the one of the same label and object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.evaluation.average_precision import precision_figures
from backend.evaluation.comparison import Scores
from backend.evaluation.detection import RIGHT, TOUCHED
from backend.evaluation.intervals import interval
from model_zoo.boxes import as_array, overlaps
from model_zoo.poses import areas, closeness, frames, points_of, sigmas, truth_of
from model_zoo.postprocess import KeypointPostprocess, Postprocess
from model_zoo.postprocess.keypoints import kinds_of
from model_zoo.targets import all_of
from model_zoo.types import Keypoint, LabelSpace, Output, Pose, PoseOutput, Poses, Target

LEAST = 5.0
"""Pixels, or percent of the image, that every object is wide and high at least: a single point has no extent."""

Place = tuple[int, int | None]
"""An object's index, and that of one of its points; None for its box."""


@dataclass(frozen=True)
class ComparedPoses:
    """What became of predicted points and boxes: `kept` as they were, `changed` (moved, or said to be seen or not, or a
    box renamed), each with the one of the answer; taken away, and placed anew."""

    kept: tuple[tuple[Place, Place], ...]
    changed: tuple[tuple[Place, Place], ...]
    deleted: tuple[Place, ...]
    added: tuple[Place, ...]

    @property
    def edits(self) -> int:
        return len(self.changed) + len(self.deleted) + len(self.added)


def compare_poses(before: Poses, after: Poses) -> ComparedPoses:
    """Each object of one side is taken for at most one of the other's, those that are most alike first.

    Coordinates may be in percent of the image: a circle around a point is then as wide as the image is. Boxes count
    where the answer has some.
    """
    pairs = _pairs(before, after)
    partner = dict(pairs)
    kept: list[tuple[Place, Place]] = []
    changed: list[tuple[Place, Place]] = []
    deleted: list[Place] = []
    added: list[Place] = []
    boxed = any(pose.box is not None for pose in after)
    for first, pose in enumerate(before):
        second = partner.get(first)
        other = after[second] if second is not None else Pose(())
        for at, to in _points(pose, other):
            if at is None and to is not None and second is not None:
                added.append((second, to))
            elif at is not None and (to is None or second is None):
                deleted.append((first, at))
            elif at is not None and to is not None and second is not None:
                right = _is_right(pose.points[at], other.points[to], other)
                (kept if right else changed).append(((first, at), (second, to)))
        if boxed and pose.box is not None and (second is None or other.box is None):
            deleted.append((first, None))
        elif second is not None and other.box is not None:
            if pose.box is None:
                added.append((second, None))
            else:
                same = _overlap(pose, other) >= RIGHT and pose.box.label == other.box.label
                (kept if same else changed).append(((first, None), (second, None)))
    missing = set(range(len(after))) - set(partner.values())
    for second in sorted(missing):
        added += [(second, at) for at in range(len(after[second].points))]
        added += [(second, None)] if after[second].box is not None else []
    return ComparedPoses(tuple(kept), tuple(changed), tuple(deleted), tuple(added))


class KeypointEvaluation:
    """An image is right when every point of every object is where it should be, and no other."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """F1 of each image's points and boxes; 1 where there are none on either side."""
        return np.array(
            [_f1(all_of(Pose, answer), all_of(Pose, truth)) for answer, truth in zip(answers, truths, strict=True)]
        )

    def edits(self, predicted: Target, answered: Target) -> int:
        """Points and boxes to place, to take away, to move, or to call seen or hidden; one edit each."""
        return compare_poses(all_of(Pose, predicted), all_of(Pose, answered)).edits

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """`oks_map50` and `oks_map50_95` are COCO's; `visibility_accuracy` is of the points of objects that were found;
        `recall` and `precision` those of the points and boxes shown."""
        from model_zoo.keypoint_metrics import found_poses, pose_rankings, states_told

        if len(outputs) != len(truths):
            raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each.")
        if not outputs:
            return {}
        found = [output for output in outputs if isinstance(output, PoseOutput)]
        if len(found) != len(outputs) or not isinstance(postprocess, KeypointPostprocess):
            raise TypeError(f"Got outputs for {type(postprocess).__name__}, wanted those of keypoints.")
        true = [all_of(Pose, truth) for truth in truths]
        compared = [
            compare_poses(postprocess.decide(output, labels).poses, poses)
            for output, poses in zip(found, true, strict=True)
        ]
        counts = np.array([_counts(one) for one in compared])
        figures = {"items": float(len(outputs)), "objects": float(sum(map(len, true)))}
        for name, statistic in _STATISTICS.items():
            figures[name] = statistic(counts)
            low, high = interval(lambda rows, of=statistic: of(counts[rows]), len(counts))  # type: ignore[misc]
            figures |= {f"{name}_low": low, f"{name}_high": high}
        sigma, kinds = sigmas(labels.names), len(kinds_of(labels))
        truth = [
            truth_of(poses, labels, output.width, output.height) for output, poses in zip(found, true, strict=True)
        ]
        places = [found_poses(output, postprocess) for output in found]
        figures |= precision_figures(pose_rankings(places, truth, sigma, kinds), len(found), "oks_")
        told = [states_told(output, one, postprocess, sigma) for output, one in zip(found, truth, strict=True)]
        rights = np.array([(one.sum(), one.size) for one in told])
        if not rights[:, 1].any():
            return figures
        low, high = interval(lambda rows: _share(*rights[rows].sum(axis=0)), len(rights))
        said = {"visibility_accuracy_low": low, "visibility_accuracy_high": high}
        return figures | {"visibility_accuracy": _share(*rights.sum(axis=0)), **said}


def right_points(predicted: Poses, answered: Poses) -> tuple[int, int, int]:
    """How many points and boxes the prediction has, the answer has, and both have."""
    right, shown, true, _ = _counts(compare_poses(predicted, answered))
    return shown, true, right


_Counts = npt.NDArray[np.int64]
"""For each image how many points and boxes are right, shown and true, and how many edits that takes; (images, 4)."""

_STATISTICS: Mapping[str, Callable[[_Counts], float]] = {
    "accuracy": lambda counts: float((counts[:, 3] == 0).mean()),
    "recall": lambda counts: float(counts[:, 0].sum() / max(counts[:, 2].sum(), 1)),
    "precision": lambda counts: float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1)),
    "f1": lambda counts: float(2 * counts[:, 0].sum() / max(counts[:, 1:3].sum(), 1)),
}


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _counts(compared: ComparedPoses) -> tuple[int, int, int, int]:
    both = len(compared.kept) + len(compared.changed)
    return len(compared.kept), both + len(compared.deleted), both + len(compared.added), compared.edits


def _f1(answer: Poses, truth: Poses) -> float:
    right, shown, true, _ = _counts(compare_poses(answer, truth))
    return 2 * right / (shown + true) if shown + true else 1.0


def _pairs(before: Poses, after: Poses) -> list[tuple[int, int]]:
    """Indices of objects that are the same, by their points or, where one side has none, by their frames."""
    names = sorted({point.label for pose in (*before, *after) for point in pose.points})
    if not before or not after:
        return []
    (places, known), (true, states) = points_of(before, names), points_of(after, names)
    first, second = _frames(before), _frames(after)
    alike = overlaps(first, second)
    if names:
        shared = (known[:, None] > 0) & (states[None] > 0)
        near = closeness(places[:, None], true[None], areas(second)[None], sigmas(names))
        together = (near * shared).sum(-1) / np.maximum(shared.sum(-1), 1)
        alike = np.where(shared.any(-1), np.maximum(together, alike), alike)
    pairs: list[tuple[int, int]] = []
    for one, other in sorted(np.argwhere(alike >= TOUCHED).tolist(), key=lambda pair: -alike[pair[0], pair[1]]):
        if all(one != first and other != second for first, second in pairs):
            pairs.append((one, other))
    return pairs


def _points(pose: Pose, other: Pose) -> list[tuple[int | None, int | None]]:
    """Indices of points of the same label; None where one side has none."""
    places = {point.label: at for at, point in enumerate(other.points)}
    both: list[tuple[int | None, int | None]] = [(at, places.get(point.label)) for at, point in enumerate(pose.points)]
    known = {point.label for point in pose.points}
    return both + [(None, at) for at, point in enumerate(other.points) if point.label not in known]


def _is_right(found: Keypoint, true: Keypoint, of: Pose) -> bool:
    if found.visible != true.visible:
        return False
    here = np.array([[found.x, found.y]], np.float32)
    there = np.array([[true.x, true.y]], np.float32)
    return bool(closeness(here, there, areas(_frames((of,)))[0], sigmas([true.label]))[0] >= RIGHT)


def _overlap(first: Pose, second: Pose) -> float:
    boxes = [as_array([pose.box]) for pose in (first, second) if pose.box is not None]
    return float(overlaps(*boxes)[0, 0]) if len(boxes) == 2 else 0.0


def _frames(poses: Poses) -> npt.NDArray[np.float32]:
    """Frames wherever the image ends, for neither side of a comparison knows its size; never quite without extent."""
    found = frames(poses, np.inf, np.inf)
    centre, sides = (found[:, :2] + found[:, 2:]) / 2, np.maximum(found[:, 2:] - found[:, :2], LEAST)
    return np.concatenate([centre - sides / 2, centre + sides / 2], axis=1)
