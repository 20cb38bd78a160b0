"""Families that find boxes with one of Ultralytics' networks, pretrained on COCO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Progress, Trained, Watch
from model_zoo.errors import Cancelled, TrainingImpossible
from model_zoo.images import image_size
from model_zoo.object_detection import bases, coco
from model_zoo.object_detection.bases import Base
from model_zoo.object_detection.cache import Cache, pictures, views
from model_zoo.object_detection.fitting import fit_parts
from model_zoo.object_detection.hyperparameters import AUTO, Hyperparameters, settle
from model_zoo.object_detection.ladder import BOXES, Evidence, How, Material, Parts, climb, steps_of
from model_zoo.object_detection.model import YoloModel, load
from model_zoo.object_detection.network import LAST, RARE, owned
from model_zoo.object_detection.starting import mixture
from model_zoo.object_detection.trust import blended
from model_zoo.object_detection.views import Picture
from model_zoo.recipes import Recipe
from model_zoo.types import DetectionExample, Example, LabelSpace, Output, TaskKind
from model_zoo.weights import Weights

UNTRAINED_SIDE = 640
"""Pixels; what the pretrained networks were trained on."""


class YoloFamily(Family):
    """Begins with a detector trained on COCO and trains no more of it than pays. A new one names its weights."""

    task: ClassVar[TaskKind] = TaskKind.OBJECT_DETECTION
    licence: ClassVar[str] = bases.LICENCE
    any_weights: ClassVar[bool] = True
    extra: ClassVar[str | None] = "detection"
    package: ClassVar[str | None] = "ultralytics"
    untrained_threshold: ClassVar[float] = 0.3
    architecture: ClassVar[str]
    """What is built with random weights where none are found."""
    network_task: ClassVar[str] = "detection"
    """What its networks are for, a key of `upstream.HEADS`."""
    model: ClassVar[type[YoloModel]] = YoloModel
    how: ClassVar[How] = BOXES

    def encoder(self) -> Encoder | None:
        return None

    def base(self) -> Base:
        """The pretrained network, shared by the process. Raises `WeightsNotFound` for a file of the operator's that is
        no such network, `MissingExtra`."""
        folder, file = self.runtime.weights_dir, self.weights_file
        if file is not None:
            return self.runtime.shared(
                (YoloFamily, self.network_task, file), lambda: bases.from_file(folder, file, self.network_task)
            )
        return self.runtime.shared(
            (YoloFamily, type(self)),
            lambda: bases.first_found(self.weights, folder, self.architecture, self.network_task),
        )

    def base_named(self, name: str) -> Base:
        """The base that a checkpoint began with: this family's own, or another that its weights name."""
        own = self.base()
        wanted = [weights for weights in self.weights if weights.name == name]
        if own.name == name or not wanted:
            return own
        return self.runtime.shared(
            (YoloFamily, type(self), name),
            lambda: bases.first_found(wanted, self.runtime.weights_dir, name, self.network_task),
        )

    def untrained(self, labels: LabelSpace) -> Model | None:
        """The pretrained network, where COCO has at least one of the labels."""
        base = self.base()
        columns = coco.columns(labels, base.network.names)
        if not base.pretrained or not any(columns):
            return None
        return self.model(self, labels, base, base.network, (), UNTRAINED_SIDE, columns)

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return load(self, folder, labels)

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
        """The base is trained anew on all examples each time, so that nothing older is forgotten."""
        known = self.checked(examples, labels)
        base = self.base()
        sizes = [image_size(example.item.input) for example in known]
        hyper = settle(recipe, [example.boxes for example in known], [max(size) for size in sizes])
        course = Course(watch)
        material = self._material(base, known, examples, labels, sizes, hyper, seed, course)
        steps = max(round(hyper.epochs * len(known) / hyper.batch), 1)
        if base.pretrained or hyper.freeze != AUTO:
            evidence = climb(material, hyper, steps, seed, course.folds)
            stages = [(LAST,)] if evidence.parts == (LAST,) else [(LAST,), evidence.parts]
        else:
            nothing = np.ones(len(labels), np.float32)
            evidence = Evidence(self.how.freezes["nothing"], (None,) * len(known), nothing, 0.0, 0.0)
            stages = [evidence.parts]
        more, outputs = self.beyond(material, evidence, examples, hyper, steps, seed, course)
        stages += more
        network, loss = material.start, 0.0
        for number, stage in enumerate(stages):
            told = course.part(number, len(stages), hyper.epochs)
            every = range(len(material.cache.seen))
            count = steps_of(stage, steps)
            network, loss = fit_parts(
                network, stage, material.cache, every, count, hyper, seed, told, material.how.lossy
            )
            if stage == (LAST,):
                network = blended(material.start, network, evidence.trust)
        trained_parts = (*evidence.parts, *(part for stage in more for part in stage))
        watch.report(Progress(1.0, f"trained on {len(known)} images", loss))
        settled: dict[str, float | str] = {
            "trained": " ".join(trained_parts),
            "base": base.name,
            "trust": round(float(evidence.trust.mean()), 2),
        }
        trained = self.model(self, labels, base, network, owned((LAST, *trained_parts)), hyper.image_size)
        notes = () if base.pretrained else (bases.begins_at_random(self.architecture),)
        return Trained(trained, outputs, loss, {**asdict(hyper), **settled}, notes)

    def checked(self, examples: Sequence[Example], labels: LabelSpace) -> list[DetectionExample]:
        """The boxes of all examples. Raises `TrainingImpossible`."""
        for row, example in enumerate(examples):
            if not isinstance(example, DetectionExample):
                raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted a DetectionExample.")
        return with_boxes([example for example in examples if isinstance(example, DetectionExample)], labels)

    def drawn(self, images: list[Picture], examples: Sequence[Example]) -> list[Picture]:
        """The images with all that is known of them beside boxes."""
        return images

    def beyond(
        self,
        material: Material,
        evidence: Evidence,
        examples: Sequence[Example],
        hyper: Hyperparameters,
        steps: int,
        seed: int,
        course: Course,
    ) -> tuple[list[Parts], tuple[Output | None, ...]]:
        """What to train after all that boxes need, and the outputs for images left out."""
        return [], evidence.outputs

    def _material(
        self,
        base: Base,
        known: Sequence[DetectionExample],
        examples: Sequence[Example],
        labels: LabelSpace,
        sizes: Sequence[tuple[int, int]],
        hyper: Hyperparameters,
        seed: int,
        course: Course,
    ) -> Material:
        count = min(hyper.folds, len(known)) if len(known) > 1 else 1
        fold = np.random.default_rng(seed).permutation(len(known)) % max(count, 1)
        images = self.drawn(pictures(known, labels, hyper.image_size, course.check), examples)
        seen = views(images, fold, hyper.views, hyper.image_size, hyper.augmentation, seed)
        cache = Cache(base.network, seen, course.cached(len(seen)))
        named = coco.columns(labels, base.network.names) if base.pretrained else ((),) * len(labels)
        weights = mixture(base.network, cache, labels, named, [at for at, view in enumerate(seen) if view.plain])
        truths = [example.boxes for example in known]
        objects = [sum(box.label == name for boxes in truths for box in boxes) for name in labels.names]
        density = np.array(objects, np.float32) / (len(known) * hyper.image_size**2)
        start = base.network.with_labels(labels.names, weights, np.where(density > 0, density, RARE))
        begun = (weights.sum(axis=1) > 0).tolist()
        return Material(start, cache, fold, count, truths, sizes, labels, objects, begun, self.how)


class YoloV1(YoloFamily):
    """YOLOv8n, YOLO11n or YOLO26n, whichever is found first. Measured on YOLOv8n."""

    name: ClassVar[str] = "object_detection/yolo.v1"
    weights: ClassVar[tuple[Weights, ...]] = (bases.YOLOV8N, bases.YOLO11N, bases.YOLO26N)
    architecture: ClassVar[str] = "yolov8n"


class YoloV3Tiny(YoloFamily):
    """For projects that ask for it by name: older, larger, and of two levels only."""

    name: ClassVar[str] = "object_detection/yolov3_tiny.v1"
    weights: ClassVar[tuple[Weights, ...]] = (bases.YOLOV3_TINY,)
    architecture: ClassVar[str] = "yolov3-tiny"


class Course:
    """Tells the watch how far a training is, and asks it whether to go on."""

    PREPARED, FOLDS = 0.15, 0.6
    """Shares of the whole at which views are cached and cross-validation ends."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._told = 0.0
        self._cached = 0

    def check(self) -> None:
        if self._watch.cancelled():
            raise Cancelled("Training was stopped on request.")

    def cached(self, count: int) -> Callable[[], None]:
        def one() -> None:
            self.check()
            self._cached += 1
            self._tell(self.PREPARED * self._cached / count, f"{self._cached} of {count} views seen", None)

        return one

    def folds(self, parts: Parts, share: float, loss: float) -> None:
        self.check()
        self._tell(self.PREPARED + (self.FOLDS - self.PREPARED) * share, f"trying {', '.join(parts)}", loss)

    def part(self, number: int, count: int, epochs: int) -> Callable[[float, float], None]:
        """For one of several stages on all images, each of so many epochs."""

        def told(share: float, loss: float) -> None:
            self.check()
            fraction = self.FOLDS + (0.999 - self.FOLDS) * (number + share) / count
            epoch = (min(int(share * epochs) + 1, epochs), epochs)
            self._tell(fraction, "training on all images", loss, epoch)

        return told

    def _tell(self, fraction: float, message: str, loss: float | None, epoch: tuple[int, int] | None = None) -> None:
        """Fractions never fall: a second rung is tried within the time that the first one seemed to need."""
        if fraction >= self._told + 0.01:
            self._told = fraction
            self._watch.report(Progress(fraction, message, loss, epoch))


def with_boxes(examples: Sequence[DetectionExample], labels: LabelSpace) -> list[DetectionExample]:
    """The examples, where they can be learnt from. Raises `TrainingImpossible`."""
    if not examples:
        raise TrainingImpossible("Got no example, wanted at least one; label a task first.")
    if not len(labels):
        raise TrainingImpossible("Got no label to find objects of, wanted at least one; add labels to the config.")
    for row, example in enumerate(examples):
        strange = sorted({box.label for box in example.boxes} - set(labels.names))
        if strange:
            raise TrainingImpossible(f"Example {row} has objects of {strange}, wanted any of {list(labels.names)}.")
    if not any(example.boxes for example in examples):
        raise TrainingImpossible(f"Got {len(examples)} images without any object, wanted at least one; draw one.")
    return list(examples)
