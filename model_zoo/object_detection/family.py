"""Families that find boxes with one of Ultralytics' networks, pretrained on COCO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Model, Progress, Trained, Watch
from model_zoo.distillation import Distillation
from model_zoo.errors import TrainingImpossible
from model_zoo.images import image_size
from model_zoo.object_detection import bases, coco
from model_zoo.object_detection.based import BasedFamily
from model_zoo.object_detection.bases import Base
from model_zoo.object_detection.cache import Cache, pictures, views
from model_zoo.object_detection.course import Course
from model_zoo.object_detection.fitting import fit_parts
from model_zoo.object_detection.hyperparameters import AUTO, Hyperparameters, recipe_of, settle
from model_zoo.object_detection.ladder import BOXES, Evidence, How, Material, Parts, climb, steps_of
from model_zoo.object_detection.model import YoloModel, load
from model_zoo.object_detection.network import LAST, RARE, owned
from model_zoo.object_detection.soft import Looks, Softly
from model_zoo.object_detection.starting import mixture
from model_zoo.object_detection.trust import blended
from model_zoo.object_detection.views import Augmentation, Picture
from model_zoo.oriented import are_turned
from model_zoo.recipes import Recipe
from model_zoo.types import DetectionExample, Example, LabelSpace, Output, Target, TaskKind
from model_zoo.weights import Weights

ORIENTED = "object_detection/yolo_obb.v1"
"""The family for turned boxes."""
UNTRAINED_SIDE = 640
"""Pixels; what the pretrained networks were trained on."""


class YoloFamily(BasedFamily):
    """Begins with a detector trained on COCO and trains no more of it than pays. A new one names its weights."""

    task: ClassVar[TaskKind] = TaskKind.OBJECT_DETECTION
    untrained_threshold: ClassVar[float] = 0.3
    model: ClassVar[type[YoloModel]] = YoloModel
    how: ClassVar[How] = BOXES

    def untrained(self, labels: LabelSpace) -> Model | None:
        """The pretrained network, where COCO has at least one of the labels."""
        base = self.base()
        columns = coco.columns(labels, base.network.names)
        if not base.pretrained or not any(columns):
            return None
        return self.model(self, labels, base, base.network, (), UNTRAINED_SIDE, columns)

    def unknown(self, labels: LabelSpace) -> tuple[str, ...]:
        columns = coco.columns(labels, self.base().network.names)
        return tuple(name for name, found in zip(labels.names, columns, strict=True) if not found)

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
        taught: Distillation | None = None,
    ) -> Trained:
        """The base is trained anew on all examples each time, so that nothing older is forgotten.

        `warm_start` is left out: it could only shorten the last stage, which at five images takes 5 of 17 seconds of a
        processor. The rest is evidence from images left out, and a network that has seen them cannot give that.
        Measured over three draws of 15 raccoons after a version of 10, old and new ones replayed: half the steps of
        that stage gave 0.478 (mean mAP50-95) from that version, and 0.459 from the usual start, whose full course gave
        0.448; draws differ by 0.1. What a warm start saves by itself is training the last layer first, 1.5 of 20 s.
        """
        known = self.checked(examples, labels)
        base = self.base()
        sizes = [image_size(example.item.input) for example in known]
        hyper = settle(recipe, [example.boxes for example in known], [max(size) for size in sizes])
        course = Course(watch)
        material = self._material(base, known, examples, labels, sizes, hyper, seed, course)
        if taught and taught.items:
            looks = Looks(taught, base.network, hyper.image_size, self.augmentation(hyper), seed, course.check)
            material = replace(material, softly=Softly(looks, self.how.lossy, material.fold))
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
            network, loss = fit_parts(network, stage, material.cache, every, count, hyper, seed, told, material.lossy())
            if stage == (LAST,):
                network = blended(material.start, network, evidence.trust)
        trained_parts = (*evidence.parts, *(part for stage in more for part in stage))
        watch.report(Progress(1.0, f"trained on {len(known)} images", loss))
        settled: dict[str, float | str] = {
            "name": recipe_of(evidence.parts),
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

    def augmentation(self, hyper: Hyperparameters) -> Augmentation:
        """How far views differ from their images."""
        return hyper.augmentation

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
        augmentation = self.augmentation(hyper)
        seen = views(images, fold, hyper.views, hyper.image_size, augmentation, seed, course.check)
        cache = Cache(base.network, seen, course.cached(len(seen)))
        named = coco.columns(labels, base.network.names) if base.pretrained else ((),) * len(labels)
        weights = mixture(base.network, cache, labels, named, [at for at, view in enumerate(seen) if view.plain])
        truths = [example.boxes for example in known]
        objects = [sum(box.label == name for boxes in truths for box in boxes) for name in labels.names]
        density = np.array(objects, np.float32) / (len(known) * hyper.image_size**2)
        start = base.network.with_labels(labels.names, weights, np.where(density > 0, density, RARE))
        begun = (weights.sum(axis=1) > 0).tolist()
        return Material(start, cache, fold, count, truths, sizes, labels, objects, begun, self.how)


class UprightFamily(YoloFamily):
    """Finds boxes as they stand, and learns from teachers that do."""

    def distil(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        taught: Distillation,
        *,
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> Trained:
        return self.train(examples, labels, recipe, seed=seed, watch=watch, taught=taught)


class YoloV1(UprightFamily):
    """YOLOv8n, YOLO11n or YOLO26n, whichever is found first. Measured on YOLOv8n."""

    name: ClassVar[str] = "object_detection/yolo.v1"
    weights: ClassVar[tuple[Weights, ...]] = (bases.YOLOV8N, bases.YOLO11N, bases.YOLO26N)
    architecture: ClassVar[str] = "yolov8n"

    @classmethod
    def instead(cls, truths: Sequence[Target]) -> str | None:
        return ORIENTED if are_turned(truths) else None


class YoloV3Tiny(UprightFamily):
    """For projects that ask for it by name: older, larger, and of two levels only."""

    name: ClassVar[str] = "object_detection/yolov3_tiny.v1"
    weights: ClassVar[tuple[Weights, ...]] = (bases.YOLOV3_TINY,)
    architecture: ClassVar[str] = "yolov3-tiny"


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
