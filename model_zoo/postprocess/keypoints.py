"""Poses: objects suppressed and calibrated as detections are, and what is shown of their points.

Two confidences decide on a point: that it is where it is said to be, and that it is seen. With both above their
thresholds it is visible, with the first alone it is occluded, and otherwise it is out of view. A wrong point is worse
than none: somebody has to find it and move it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import box, overlaps
from model_zoo.calibration import Calibration, fit_platt
from model_zoo.errors import CheckpointError
from model_zoo.poses import (
    HIDDEN,
    SEEN,
    UNKNOWN,
    States,
    Truth,
    areas,
    closeness,
    match,
    sigmas,
    similarities,
    truth_of,
)
from model_zoo.postprocess.base import PoseDecision, Postprocess
from model_zoo.postprocess.detection import DetectionPostprocess
from model_zoo.postprocess.objects import uncertainty
from model_zoo.postprocess.objects_fit import HALF, NEVER, Evidence, calibrate, join, shape_of, thresholds, trusted
from model_zoo.targets import some_of
from model_zoo.types import Box, FloatArray, Keypoint, LabelSpace, Output, Pose, PoseOutput, Target

if TYPE_CHECKING:
    from typing_extensions import Self

USUAL = 0.6
"""Confidence that an object and its points need to be shown, and points to be seen, until those held out say
otherwise."""
ENOUGH = 30
"""Points of found objects from which on the two thresholds are fitted; their calibration, which changes little for
little evidence, always is."""
THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)
HELD = 0.05
"""Share of points that a threshold one away from the usual must tell rightly in addition: few images say little."""
RIGHT = 0.5
"""Object keypoint similarity from which on a found object is the true one; an overlap, where that has no points."""
NEAR = 0.1
"""Closeness from which on a point is where it should be: twice the distance at which it is one half. Those of people
were called visible, occluded or out of view rightly in 79 % so, and in 75 % from one half on."""
OVERLAP = 0.65
"""As in Ultralytics' validation of poses: people stand closer than things."""
SINGLE = 2
"""Images with exactly one object each, from which on no image is taken to have more."""


@dataclass(frozen=True)
class KeypointPostprocess(Postprocess):
    """`objects` decides which candidates are shown; `located`, of the confidence that `points` calibrates, and `seen`
    which of their points. With `single` no image has more than one object: of the best candidate each point speaks for
    itself. `boxed` says whether people draw boxes around objects."""

    objects: DetectionPostprocess
    located: float = USUAL
    seen: float = USUAL
    single: bool = False
    boxed: bool = True
    points: Calibration = field(default_factory=Calibration)

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        least = USUAL if threshold is None else threshold
        return cls(replace(DetectionPostprocess.uncalibrated(kinds_of(labels), least), overlap=OVERLAP))

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        """As promised; points of labels outside the space are left out."""
        pairs = [
            (output, truth_of(some_of(Pose, truth), labels, output.width, output.height))
            for output, truth in zip(outputs, truths, strict=True)
            if isinstance(output, PoseOutput) and isinstance(truth, tuple)
        ]
        usual = cls.uncalibrated(labels)
        if not any(len(truth.kinds) for _, truth in pairs):
            return usual
        kinds, sigma = kinds_of(labels), sigmas(labels.names)
        framed = [[box(corners, "") for corners in truth.frames] for _, truth in pairs]
        shape = shape_of(
            [tuple(_named(boxes, truth, kinds)) for boxes, (_, truth) in zip(framed, pairs, strict=True)],
            [max(output.width, output.height) for output, _ in pairs],
            OVERLAP,
        )
        shaped = replace(usual.objects, overlap=shape.overlap, agnostic=shape.agnostic, smallest=shape.smallest)
        # An image without a box around anything is that of one object: the frame.
        boxless = all(pose.box is None for truth in truths for pose in some_of(Pose, truth))
        single = boxless and len(pairs) >= SINGLE and all(len(truth.kinds) == 1 for _, truth in pairs)
        judged = [_judge(shaped, output, truth, sigma, len(kinds), single) for output, truth in pairs]
        evidence = join([one for one, _ in judged])
        calibration = calibrate(evidence)
        least = trusted(evidence, calibration, thresholds(evidence, calibration))
        objects = replace(shaped, calibration=calibration, thresholds=least)
        points = _Points.join([points for _, points in judged])
        sure = fit_platt(points.located.reshape(-1, 1), points.right.reshape(-1, 1))
        located, seen = _fitted(replace(points, located=sure(points.located[..., None])[..., 0]))
        return cls(objects, located, seen, single, not boxless, sure)

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> PoseDecision:
        if not isinstance(output, PoseOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a PoseOutput to decide on points.")
        least = np.array(self.objects.thresholds) if minimum is None else np.full(len(kinds_of(labels)), minimum)
        index, confidence, kind = self.objects.stay(output)
        located = self._located(output.located[index])
        if self.single:
            index, confidence, kind, located = index[:1], np.ones(len(index[:1]), np.float32), kind[:1], located[:1]
            needed = self.located if minimum is None else minimum
            shown = np.flatnonzero((located >= needed).any(axis=1))
        else:
            needed = self.located
            shown = np.flatnonzero(confidence >= least[kind])[: self.objects.most]
        names = kinds_of(labels).names
        poses, sure = [], []
        for at in shown:
            points = self._points(output, int(index[at]), located[at], needed, labels)
            drawn = box(output.boxes[index[at]], names[kind[at]]) if self.boxed else None
            poses.append(Pose(tuple(point for point, _ in points), drawn))
            # That a point is located says nothing of an object that may not be there.
            sure.append(tuple(certainty * float(confidence[at]) for _, certainty in points))
        best: FloatArray = np.zeros(len(labels), np.float32)
        if len(index):
            best = (confidence[:, None] * located).max(axis=0).astype(np.float32)
        whole = located.mean(axis=1) if self.single else confidence
        return PoseDecision(
            tuple(poses),
            tuple(float(one) for one in whole[shown]),
            tuple(sure),
            best,
            max(uncertainty(whole.astype(np.float32)), self._doubt(located[shown])),
            output.width,
            output.height,
        )

    def states(self, located: FloatArray, seen: FloatArray) -> States:
        """What the two confidences of an output, of any shape, say of points: COCO's numbers."""
        return np.where(self._located(located) >= self.located, np.where(seen >= self.seen, SEEN, HIDDEN), UNKNOWN)

    def _located(self, located: FloatArray) -> FloatArray:
        """How sure it is that points of any shape are where they are said to be."""
        return self.points(located[..., None])[..., 0]

    def _points(
        self, output: PoseOutput, row: int, located: FloatArray, least: float, labels: LabelSpace
    ) -> list[tuple[Keypoint, float]]:
        """What is shown of a candidate, each with its confidence. Nothing is shown outside of the image."""
        found = []
        for name, place, sure, seen in zip(labels.names, output.points[row], located, output.seen[row], strict=True):
            x, y = place.tolist()
            if sure >= least and 0 <= x <= output.width and 0 <= y <= output.height:
                found.append((Keypoint(name, x, y, bool(seen >= self.seen)), float(np.clip(sure, 0, 1))))
        return found

    def _doubt(self, located: FloatArray) -> float:
        """The mean doubt about the points of what is shown: 1 at the threshold, 0 where nothing is left open."""
        if not located.size:
            return 0.0
        room = np.where(located >= self.located, 1 - self.located, self.located)
        return float(np.clip(1 - np.abs(located - self.located) / np.maximum(room, 1e-6), 0, 1).mean())

    def to_json(self) -> dict[str, Any]:
        own = {"located": self.located, "seen": self.seen, "single": self.single, "boxed": self.boxed}
        lines = {"slopes": list(self.points.slopes), "shifts": list(self.points.shifts)}
        return {"objects": self.objects.to_json(), **own, "points": lines}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            objects = DetectionPostprocess.from_json(content["objects"])
            flags = bool(content["single"]), bool(content["boxed"])
            slopes, shifts = (tuple(float(x) for x in content["points"][key]) for key in ("slopes", "shifts"))
            lines = Calibration(1.0, slopes, shifts)
            return cls(objects, float(content["located"]), float(content["seen"]), *flags, lines)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The version's postprocessing is damaged ({error!r}); train again.") from error


def kinds_of(labels: LabelSpace) -> LabelSpace:
    """The names of the objects that hold the points: a single empty one where they have none."""
    return LabelSpace(labels.objects or ("",))


@dataclass(frozen=True)
class _Points:
    """Points of objects that were found: the two confidences, what is true, and which are where they should be; each
    (n, k)."""

    located: FloatArray
    seen: FloatArray
    states: States
    right: npt.NDArray[np.bool_]

    @classmethod
    def join(cls, parts: Sequence[_Points]) -> _Points:
        return cls(
            np.concatenate([part.located for part in parts]),
            np.concatenate([part.seen for part in parts]),
            np.concatenate([part.states for part in parts]),
            np.concatenate([part.right for part in parts]),
        )


def _judge(
    objects: DetectionPostprocess, output: PoseOutput, truth: Truth, sigma: FloatArray, count: int, single: bool
) -> tuple[Evidence, _Points]:
    """Hold one image's candidates against its true objects: which are right, and what their points' confidences are.
    The points are those of candidates that are right or, where images have a `single` object, of the best, which is
    shown for it."""
    index, confidence, kind = objects.stay(output)
    right = np.zeros(len(index), np.bool_)
    points = [_compared(output, index[:0], truth, np.zeros(0, np.int64), sigma)]
    counts = np.bincount(truth.kinds, minlength=count)[:count]
    for at in range(count):
        own, chosen = truth.of(at), np.flatnonzero(kind == at)
        taken = match(likeness(output, index[chosen], own, sigma), RIGHT, np.ones(len(own.kinds), np.bool_))
        right[chosen] = taken >= 0
        hit = taken >= 0
        if not single:
            points.append(_compared(output, index[chosen[hit]], own, taken[hit], sigma))
    if single:
        points.append(_compared(output, index[:1], truth, np.zeros(len(index[:1]), np.int64), sigma))
    return Evidence(confidence, kind, right, counts), _Points.join(points)


def _compared(
    output: PoseOutput, rows: npt.NDArray[np.int64], truth: Truth, true: npt.NDArray[np.int64], sigma: FloatArray
) -> _Points:
    """The points of candidates `rows` (n,) beside those of the objects `true` (n,) that they are taken for."""
    states = truth.states[true]
    near = closeness(output.points[rows], truth.places[true], areas(truth.frames[true]), sigma) >= NEAR
    return _Points(output.located[rows], output.seen[rows], states, near & (states > UNKNOWN))


def likeness(output: PoseOutput, index: npt.NDArray[np.int64], truth: Truth, sigma: FloatArray) -> FloatArray:
    """How like each chosen candidate is to each true object (n, m): by points, or by boxes where that has no point."""
    alike = similarities(output.points[index], truth.places, truth.states, truth.frames, sigma)
    bare = ~(truth.states > UNKNOWN).any(axis=1)
    alike[:, bare] = overlaps(output.boxes[index], truth.frames[bare])
    return alike


def _fitted(points: _Points) -> tuple[float, float]:
    """The two thresholds that say most often what is true, the nearest to the usual among equals; and the first one
    not so low that most of what it shows is wrong."""
    if points.states.size < ENOUGH:
        return _trusted(points, USUAL), USUAL
    known = points.states > UNKNOWN

    def best(scores: Sequence[float]) -> float:
        doubts = np.abs(THRESHOLDS - USUAL) * HELD
        return float(THRESHOLDS[int((np.array(scores) - doubts).argmax())])

    located = best([float(((points.located >= least) == points.right).mean()) for least in THRESHOLDS])
    located = _trusted(points, max(located, HALF))
    if not known.any():
        return located, USUAL
    visible = points.states[known] == SEEN
    return located, best([float(((points.seen[known] >= least) == visible).mean()) for least in THRESHOLDS])


def _trusted(points: _Points, least: float) -> float:
    """The threshold raised while most of the points that it shows are wrong; `NEVER` where not one point was right."""
    if points.states.size and not points.right.any():
        return NEVER
    for higher in [least, *(float(one) for one in THRESHOLDS if one > least)]:
        shown = points.located >= higher
        if not shown.any() or points.right[shown].mean() > HALF:
            return higher
    return NEVER


def _named(boxes: Sequence[Box], truth: Truth, kinds: LabelSpace) -> list[Box]:
    return [replace(one, label=kinds.names[kind]) for one, kind in zip(boxes, truth.kinds, strict=True)]
