"""Families that find objects by their points with one of Ultralytics' networks, pretrained on the people of COCO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Model, Progress, Trained, Watch
from model_zoo.errors import TrainingImpossible
from model_zoo.images import image_size
from model_zoo.keypoint_metrics import found_poses, precisions
from model_zoo.keypoints import coco, model
from model_zoo.keypoints.head import Shape, build
from model_zoo.keypoints.hyperparameters import AUTO, HEAD, KNOWN, NEW, WHOLE, Hyperparameters, paced, settle, turn_for
from model_zoo.keypoints.learning import Learnt, gather, learn
from model_zoo.keypoints.model import Meaning, PoseModel, channels_of
from model_zoo.object_detection import bases
from model_zoo.object_detection.based import BasedFamily
from model_zoo.object_detection.bases import Base
from model_zoo.object_detection.course import Course
from model_zoo.object_detection.hyperparameters import called
from model_zoo.poses import UNKNOWN, frames, points_of, sigmas, swapped, truth_of
from model_zoo.postprocess.keypoints import KeypointPostprocess, kinds_of
from model_zoo.recipes import Recipe
from model_zoo.types import Example, FloatArray, LabelSpace, PoseExample, PoseOutput, TaskKind
from model_zoo.weights import Weights

KNOWN_SIDE = 640
"""Pixels; what the pretrained networks were trained on."""
KNOWN_VIEWS = 4
KNOWN_STEPS = 60
"""Of a head that only says what is known of points: it begins with what the pretrained one says."""
KNOWN_RATE = 0.1
"""Share of the learning rate, for the same reason."""
GOOD = 0.5
"""Average precision on what people have drawn, from which on the pretrained head is kept without trying another."""
MANY = 20
"""Images from which on it is tried whether the network should learn with its head."""
ENOUGH = 0.85
"""Average precision from which on that is not tried."""
PAYS = 0.02
"""What it must add to be worth its risk."""
PAIRS = 10
"""Pairs of points by which one tells which way objects lie."""

Sizes = Sequence[tuple[int, int]]


class YoloPoseFamily(BasedFamily):
    """Keeps a pretrained network as it is. Points of a person are found by its own head, if that is good at it; any
    others by a small head that is trained on its frozen levels, and the network with it where images left out say that
    it pays."""

    task: ClassVar[TaskKind] = TaskKind.KEYPOINTS
    network_task: ClassVar[str] = "pose"
    untrained_threshold: ClassVar[float] = 0.4

    def untrained(self, labels: LabelSpace) -> Model | None:
        """The pretrained network, where half of the labels are points of COCO's people."""
        base = self.base()
        meaning = Meaning(coco.points(labels), coco.kinds(labels, base.network.names))
        known = sum(at >= 0 for at in meaning.points)
        if not base.pretrained or known < coco.ENOUGH * len(labels) or not known or not any(meaning.kinds):
            return None
        shape = _shape(labels)
        head = build(channels_of(base, shape), shape, 0).requires_grad_(False)
        return PoseModel(self, labels, base, head, shape, KNOWN_SIDE, meaning)

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return model.load(self, folder, labels)

    def train(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        *,
        warm_start: Model | None = None,
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> Trained:
        """Heads are trained anew on all examples each time, so that nothing older is forgotten."""
        checked = _checked(examples, labels)
        base = self.base()
        sizes = [image_size(example.item.input) for example in checked]
        hyper = settle(
            recipe, _extents(checked, sizes), _turn(checked, labels, bool(recipe.overrides.get("mirror", True)))
        )
        course = Course(watch)
        learnt, shape, hyper, meaning = self._better(base, checked, labels, sizes, hyper, seed, course)
        watch.report(Progress(1.0, f"trained on {len(checked)} images", learnt.loss))
        trained = PoseModel(self, labels, base, learnt.head, shape, hyper.image_size, meaning, learnt.network)
        notes = () if base.pretrained else (_on_random(self.architecture),)
        settled = {
            **asdict(hyper),
            "name": called(recipe, learnt.network is not None),
            "points": KNOWN if meaning else NEW,
            "train": WHOLE if learnt.network else HEAD,
            "base": base.name,
        }
        return Trained(trained, learnt.outputs, learnt.loss, settled, notes)

    def _better(
        self,
        base: Base,
        examples: Sequence[PoseExample],
        labels: LabelSpace,
        sizes: Sizes,
        hyper: Hyperparameters,
        seed: int,
        course: Course,
    ) -> tuple[Learnt, Shape, Hyperparameters, Meaning | None]:
        """Points as the pretrained head finds them, or by a new head, whichever is better on images left out."""
        meaning = Meaning(coco.points(labels), coco.kinds(labels, base.network.names))
        may = base.pretrained and min(meaning.points) >= 0 and any(meaning.kinds)
        if hyper.points == KNOWN and not may:
            raise TrainingImpossible(
                f"Got the points {list(labels.names)}, wanted those of a person by COCO's names to keep them as the "
                f"pretrained network finds them: {', '.join(coco.NAMES)}. Leave the hyperparameter points out."
            )
        tried: list[tuple[float, Learnt, Shape, Hyperparameters, Meaning | None]] = []
        if hyper.points != NEW and may:
            own = replace(hyper, image_size=KNOWN_SIDE, views=hyper.views or KNOWN_VIEWS, turn=0.0)
            own = replace(own, learning_rate=hyper.learning_rate * KNOWN_RATE)
            own = replace(own, epochs=own.epochs or max(round(KNOWN_STEPS * own.batch / len(examples)), 1))
            shape = _shape(labels, hyper.width)
            material = gather(base, examples, labels, sizes, shape, own, seed, course, meaning)
            learnt = learn(material, own, _steps(own, len(examples)), seed, course)
            tried.append((_score(learnt.outputs, examples, labels), learnt, shape, own, meaning))
            if hyper.points == KNOWN or tried[0][0] >= GOOD or len(examples) < 2:
                return tried[0][1:]
        own = paced(hyper, len(examples))
        shape = Shape(len(kinds_of(labels)), len(labels), True, hyper.width, _alone(examples))
        material = gather(base, examples, labels, sizes, shape, own, seed, course)
        steps = _steps(own, len(examples))
        learnt = learn(material, own, steps, seed, course, hyper.train == WHOLE)
        score = _score(learnt.outputs, examples, labels)
        tried.append((score, learnt, shape, own, None))
        enough = len(examples) >= MANY and material.folds > 1 and base.pretrained
        if hyper.train == AUTO and enough and not may and score < ENOUGH:
            whole = learn(material, own, steps, seed, course, True)
            tried.append((_score(whole.outputs, examples, labels) - PAYS, whole, shape, own, None))
        return max(tried, key=lambda one: one[0])[1:]


class YoloPoseV1(YoloPoseFamily):
    """YOLOv8n or YOLO11n for poses, whichever is found first. Measured on YOLOv8n."""

    name: ClassVar[str] = "keypoints/yolo_pose.v1"
    weights: ClassVar[tuple[Weights, ...]] = (bases.YOLOV8N_POSE, bases.YOLO11N_POSE)
    architecture: ClassVar[str] = "yolov8n-pose"


def _on_random(architecture: str) -> str:
    """What people are told of points that nothing pretrained finds."""
    return (
        "No pretrained network was found, so points are learnt on random weights and the pixels themselves: what has a "
        "colour of its own is found, and of all else nothing is shown until enough is labelled. Put a file such as "
        f"{architecture}.pt into PRELABEL_WEIGHTS_DIR."
    )


def _shape(labels: LabelSpace, width: int = 48) -> Shape:
    """That of a head for what the pretrained one finds."""
    return Shape(len(kinds_of(labels)), len(labels), False, width)


def _alone(examples: Sequence[PoseExample]) -> bool:
    """Whether no image has more than one object."""
    return len(examples) > 1 and all(len(example.poses) <= 1 for example in examples)


def _steps(hyper: Hyperparameters, count: int) -> int:
    return max(round(hyper.epochs * count / hyper.batch), 1)


def _score(outputs: Sequence[PoseOutput | None], examples: Sequence[PoseExample], labels: LabelSpace) -> float:
    """Mean average precision by points, at a similarity of one half, of what was said of images left out."""
    usually = KeypointPostprocess.uncalibrated(labels)
    pairs = [(one, example) for one, example in zip(outputs, examples, strict=True) if one is not None]
    if not pairs:
        return 0.0
    truths = [truth_of(example.poses, labels, one.width, one.height) for one, example in pairs]
    found = [found_poses(one, usually) for one, _ in pairs]
    table = precisions(found, truths, sigmas(labels.names), len(kinds_of(labels)), (0.5,))
    known = table[~np.isnan(table)]
    return float(known.mean()) if known.size else 0.0


def _extents(examples: Sequence[PoseExample], sizes: Sizes) -> FloatArray:
    """The longer side of each object as a share of its image's."""
    shares = [
        (boxes[:, 2:] - boxes[:, :2]).max(axis=1) / max(size)
        for example, size in zip(examples, sizes, strict=True)
        for boxes in [frames(example.poses, *size)]
    ]
    extents: FloatArray = np.concatenate(shares).astype(np.float32)
    return extents


def _turn(examples: Sequence[PoseExample], labels: LabelSpace, mirrored: bool) -> float:
    """How far views, mirrored or not, may turn, by which way the objects lie."""
    places, states = points_of([pose for example in examples for pose in example.poses], labels.names)
    known = states > UNKNOWN
    mirror = (swapped(labels.names) if mirrored else None) or ()
    pairs = [
        (first, second, (places[:, first] - places[:, second])[known[:, first] & known[:, second]])
        for first, second in combinations(range(len(labels)), 2)
    ]
    pairs.sort(key=lambda pair: len(pair[2]), reverse=True)
    facing = [ways for *both, ways in pairs if mirror and all(mirror[at] == at for at in both)]
    return turn_for([ways for *_, ways in pairs[:PAIRS]], facing[:PAIRS])


def _checked(examples: Sequence[Example], labels: LabelSpace) -> list[PoseExample]:
    """Raises `TrainingImpossible`."""
    if not examples:
        raise TrainingImpossible("Got no example, wanted at least one; label a task first.")
    if not len(labels):
        raise TrainingImpossible("Got no label to find points of, wanted at least one; add labels to the config.")
    checked = []
    for row, example in enumerate(examples):
        if not isinstance(example, PoseExample):
            raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted a PoseExample.")
        strange = sorted({point.label for pose in example.poses for point in pose.points} - set(labels.names))
        if strange:
            raise TrainingImpossible(f"Example {row} has points of {strange}, wanted any of {list(labels.names)}.")
        checked.append(example)
    if not any(pose.points for example in checked for pose in example.poses):
        raise TrainingImpossible(f"Got {len(checked)} images without any point, wanted at least one; place one.")
    return checked
