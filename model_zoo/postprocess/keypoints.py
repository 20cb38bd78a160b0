"""Poses: objects suppressed and calibrated as detections are, and what is shown of their points.

Two confidences decide on a point: that it is located, and that it is seen. With both above their thresholds it is
visible, with the first alone it is occluded, and otherwise it is out of view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import box, overlaps
from model_zoo.errors import CheckpointError
from model_zoo.poses import HIDDEN, SEEN, UNKNOWN, States, Truth, match, sigmas, similarities, truth_of
from model_zoo.postprocess.base import PoseDecision, Postprocess
from model_zoo.postprocess.detection import DetectionPostprocess
from model_zoo.postprocess.objects import uncertainty
from model_zoo.postprocess.objects_fit import Evidence, calibrate, join, shape_of, thresholds
from model_zoo.targets import some_of
from model_zoo.types import Box, FloatArray, Keypoint, LabelSpace, Output, Pose, PoseOutput, Target

if TYPE_CHECKING:
    from typing_extensions import Self

USUAL = 0.6
"""Confidence that a point needs to be located, and to be seen, until held-out points say otherwise."""
ENOUGH = 30
"""Points of found objects from which on the two thresholds are fitted."""
THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)
HELD = 0.05
"""Share of points that a threshold one away from the usual must tell rightly in addition: few images say little."""
RIGHT = 0.5
"""Object keypoint similarity from which on a found object is the true one; an overlap, where that has no points."""
OVERLAP = 0.65
"""As in Ultralytics' validation of poses: people stand closer than things."""
ALWAYS = 5
"""Images with exactly one object each, from which on every image is taken to have one."""


@dataclass(frozen=True)
class KeypointPostprocess(Postprocess):
    """`objects` decides which candidates are shown, `located` and `seen` which of their points. With `always`, the
    best candidate is shown whatever its confidence: every image has exactly one object. `boxed` says whether people
    draw boxes around objects."""

    objects: DetectionPostprocess
    located: float = USUAL
    seen: float = USUAL
    always: bool = False
    boxed: bool = True

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        return cls(replace(DetectionPostprocess.uncalibrated(kinds_of(labels), threshold), overlap=OVERLAP))

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
        judged = [_judge(shaped, output, truth, sigma, len(kinds)) for output, truth in pairs]
        evidence = join([one for one, _ in judged])
        calibration = calibrate(evidence)
        objects = replace(shaped, calibration=calibration, thresholds=thresholds(evidence, calibration))
        located, seen = _fitted(_Points.join([points for _, points in judged]))
        # An image without a box around anything is that of one object: the frame.
        boxless = all(pose.box is None for truth in truths for pose in some_of(Pose, truth))
        single = len(pairs) >= ALWAYS and all(len(truth.kinds) == 1 for _, truth in pairs)
        return cls(objects, located, seen, single and boxless, not boxless)

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> PoseDecision:
        if not isinstance(output, PoseOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a PoseOutput to decide on points.")
        least = np.array(self.objects.thresholds) if minimum is None else np.full(len(kinds_of(labels)), minimum)
        index, confidence, kind = self.objects.stay(output)
        shown = np.flatnonzero(confidence >= least[kind])[: self.objects.most]
        if self.always and minimum is None and len(index):
            shown = np.array([0])
        names = kinds_of(labels).names
        poses, sure = [], []
        for at in shown:
            points = self._points(output, int(index[at]), labels)
            drawn = box(output.boxes[index[at]], names[kind[at]]) if self.boxed else None
            poses.append(Pose(tuple(point for point, _ in points), drawn))
            # That a point is located says nothing of an object that may not be there.
            sure.append(tuple(certainty * float(confidence[at]) for _, certainty in points))
        best: FloatArray = np.zeros(len(labels), np.float32)
        if len(index):
            best = (confidence[:, None] * output.located[index]).max(axis=0).astype(np.float32)
        return PoseDecision(
            tuple(poses),
            tuple(float(one) for one in confidence[shown]),
            tuple(sure),
            best,
            max(uncertainty(confidence), self._doubt(output.located[index[shown]])),
            output.width,
            output.height,
        )

    def states(self, located: FloatArray, seen: FloatArray) -> States:
        """What the two confidences, of any shape, say of points: COCO's numbers."""
        return np.where(located >= self.located, np.where(seen >= self.seen, SEEN, HIDDEN), UNKNOWN)

    def _points(self, output: PoseOutput, row: int, labels: LabelSpace) -> list[tuple[Keypoint, float]]:
        """What is shown of a candidate, each with its confidence. Nothing is shown outside of the image."""
        states = self.states(output.located[row], output.seen[row])
        found = []
        for name, place, state, sure in zip(labels.names, output.points[row], states, output.located[row], strict=True):
            x, y = place.tolist()
            if state > UNKNOWN and 0 <= x <= output.width and 0 <= y <= output.height:
                found.append((Keypoint(name, x, y, bool(state == SEEN)), float(np.clip(sure, 0, 1))))
        return found

    def _doubt(self, located: FloatArray) -> float:
        """The mean doubt about the points of what is shown: 1 at the threshold, 0 where nothing is left open."""
        if not located.size:
            return 0.0
        room = np.where(located >= self.located, 1 - self.located, self.located)
        return float(np.clip(1 - np.abs(located - self.located) / np.maximum(room, 1e-6), 0, 1).mean())

    def to_json(self) -> dict[str, Any]:
        own = {"located": self.located, "seen": self.seen, "always": self.always, "boxed": self.boxed}
        return {"objects": self.objects.to_json(), **own}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            objects = DetectionPostprocess.from_json(content["objects"])
            flags = bool(content["always"]), bool(content["boxed"])
            return cls(objects, float(content["located"]), float(content["seen"]), *flags)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The version's postprocessing is damaged ({error!r}); train again.") from error


def kinds_of(labels: LabelSpace) -> LabelSpace:
    """The names of the objects that hold the points: a single empty one where they have none."""
    return LabelSpace(labels.objects or ("",))


@dataclass(frozen=True)
class _Points:
    """Points of objects that were found: the two confidences, and what is true, each (n, k)."""

    located: FloatArray
    seen: FloatArray
    states: States

    @classmethod
    def join(cls, parts: Sequence[_Points]) -> _Points:
        return cls(
            np.concatenate([part.located for part in parts]),
            np.concatenate([part.seen for part in parts]),
            np.concatenate([part.states for part in parts]),
        )


def _judge(
    objects: DetectionPostprocess, output: PoseOutput, truth: Truth, sigma: FloatArray, count: int
) -> tuple[Evidence, _Points]:
    """Hold one image's candidates against its true objects: which are right, and what their points' confidences are."""
    index, confidence, kind = objects.stay(output)
    right = np.zeros(len(index), np.bool_)
    located, seen, states = [output.located[:0]], [output.seen[:0]], [truth.states[:0]]
    counts = np.bincount(truth.kinds, minlength=count)[:count]
    for at in range(count):
        own, chosen = truth.of(at), np.flatnonzero(kind == at)
        taken = match(likeness(output, index[chosen], own, sigma), RIGHT, np.ones(len(own.kinds), np.bool_))
        right[chosen] = taken >= 0
        hit = taken >= 0
        located.append(output.located[index[chosen[hit]]])
        seen.append(output.seen[index[chosen[hit]]])
        states.append(own.states[taken[hit]])
    points = _Points(np.concatenate(located), np.concatenate(seen), np.concatenate(states))
    return Evidence(confidence, kind, right, counts), points


def likeness(output: PoseOutput, index: npt.NDArray[np.int64], truth: Truth, sigma: FloatArray) -> FloatArray:
    """How like each chosen candidate is to each true object (n, m): by points, or by boxes where that has no point."""
    alike = similarities(output.points[index], truth.places, truth.states, truth.frames, sigma)
    bare = ~(truth.states > UNKNOWN).any(axis=1)
    alike[:, bare] = overlaps(output.boxes[index], truth.frames[bare])
    return alike


def _fitted(points: _Points) -> tuple[float, float]:
    """The two thresholds that say most often what is true, the nearest to the usual among equals."""
    if points.states.size < ENOUGH:
        return USUAL, USUAL
    known = points.states > UNKNOWN

    def best(scores: Sequence[float]) -> float:
        doubts = np.abs(THRESHOLDS - USUAL) * HELD
        return float(THRESHOLDS[int((np.array(scores) - doubts).argmax())])

    located = best([float(((points.located >= least) == known).mean()) for least in THRESHOLDS])
    if not known.any():
        return located, USUAL
    visible = points.states[known] == SEEN
    return located, best([float(((points.seen[known] >= least) == visible).mean()) for least in THRESHOLDS])


def _named(boxes: Sequence[Box], truth: Truth, kinds: LabelSpace) -> list[Box]:
    return [replace(one, label=kinds.names[kind]) for one, kind in zip(boxes, truth.kinds, strict=True)]
