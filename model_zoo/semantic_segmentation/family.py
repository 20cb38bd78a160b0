"""The family that says of each pixel what it is, with a U-Net on EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Progress, Trained, Watch
from model_zoo.errors import TrainingImpossible
from model_zoo.image_classification.efficientnet_lite0 import EfficientNetLite0Encoder
from model_zoo.images import image_size
from model_zoo.masks import WHOLE as COVERED
from model_zoo.masks import covered
from model_zoo.object_detection.course import Course
from model_zoo.object_detection.hyperparameters import called
from model_zoo.object_detection.pixels import Fitted
from model_zoo.recipes import Recipe
from model_zoo.semantic_segmentation import model
from model_zoo.semantic_segmentation.cache import Cache, pixels_of
from model_zoo.semantic_segmentation.fitting import fit
from model_zoo.semantic_segmentation.hyperparameters import AUTO, Hyperparameters, settle
from model_zoo.semantic_segmentation.model import UnetModel
from model_zoo.semantic_segmentation.network import DECODER, WHOLE, Network, build, encoder_of
from model_zoo.semantic_segmentation.views import UNKNOWN, drawn, views
from model_zoo.types import Example, LabelSpace, Output, SegmentationExample, TaskKind
from model_zoo.weights import Weights

PAYS = 0.02
"""Mean overlap that training the encoder, too, must add to be worth its time and its risk."""
ENOUGH = 0.85
"""Mean overlap from which on that is not tried."""
LEAST = 2
"""Images that a fold must hold to say anything."""
SHORTER = 0.6
"""Share of the final steps that a fold is trained for."""
FEWER = 0.5
"""Share of the steps in which the whole network is trained after its decoder, which is some four times as slow."""
JUDGED = 200
"""Images that are left out once each: more say little more, and their outputs fill memory."""

Folds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Material:
    """What is trained on: the network to begin with, cached views, each image's fold (-1 for images that all train
    on), and how many folds there are."""

    start: Network
    cache: Cache
    fold: Folds
    folds: int
    sizes: Sequence[tuple[int, int]]
    labels: LabelSpace


class UnetFamily(Family):
    """A decoder is trained on the frozen encoder's levels; the encoder with it where images left out say that it pays.
    A new family names its encoder."""

    task: ClassVar[TaskKind] = TaskKind.SEMANTIC_SEGMENTATION
    licence: ClassVar[str] = EfficientNetLite0Encoder.weights.licence
    weights: ClassVar[tuple[Weights, ...]] = (EfficientNetLite0Encoder.weights,)

    def encoder(self) -> Encoder | None:
        """None: it learns from pixels, not from what an encoder says of whole images."""
        return None

    @property
    def encoder_name(self) -> str:
        """The pretrained encoder by architecture and weights."""
        return self._weights().name

    def begun(self, classes: int, seed: int = 0) -> Network:
        """A network to begin with. Raises `WeightsNotFound`."""
        weights = self._weights()
        pretrained: Any = self.runtime.shared((UnetFamily, weights.name), lambda: encoder_of(weights))
        return build(pretrained, classes, seed)

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
        """Trained anew on all examples each time, so that nothing older is forgotten."""
        checked = _checked(examples, labels)
        hyper = settle(recipe, len(checked))
        course = Course(watch)
        background = float(np.mean([covered(one.map.masks) for one in checked])) < COVERED
        material = self._material(checked, labels, background, hyper, seed, course)
        steps = max(round(hyper.epochs * len(checked) / hyper.batch), 1)
        outputs, parts = _evidence(material, hyper, steps, seed, course)
        stages = [DECODER, WHOLE] if parts == WHOLE else [DECODER]
        network, loss = material.start, 0.0
        for number, stage in enumerate(stages):
            told = course.part(number, len(stages), hyper.epochs)
            every = range(len(material.cache.seen))
            network, loss = fit(network, stage, material.cache, every, _steps(stage, steps), hyper, seed, told)
        watch.report(Progress(1.0, f"trained on {len(checked)} images", loss))
        settled = {**asdict(hyper), "name": called(recipe, parts == WHOLE), "train": parts, "background": background}
        trained = UnetModel(self, labels, network, hyper.image_size, background)
        return Trained(trained, outputs, loss, settled)

    def _material(
        self,
        examples: Sequence[SegmentationExample],
        labels: LabelSpace,
        background: bool,
        hyper: Hyperparameters,
        seed: int,
        course: Course,
    ) -> _Material:
        count = len(examples)
        folds = min(hyper.folds, count) if count > 1 else 0
        order = np.random.default_rng(seed).permutation(count)
        fold = np.full(count, -1, np.int64)
        fold[order[:JUDGED]] = np.arange(min(count, JUDGED)) % max(folds, 1)
        start = self.begun(len(labels) + background, seed)
        images = drawn(examples, labels, background, hyper.image_size, course.check)
        seen = views(images, hyper.views, hyper.image_size, hyper.augmentation, seed)
        cache = Cache(start, seen, course.cached(len(seen)))
        return _Material(start, cache, fold, folds, [image.size for image in images], labels)

    def _weights(self) -> EfficientNetLite0Encoder:
        return self.runtime.encoder(EfficientNetLite0Encoder, self.weights_file)


class UnetLite0(UnetFamily):
    """On EfficientNet-Lite0, whose weights a package carries."""

    name: ClassVar[str] = "semantic_segmentation/unet_lite0.v1"


def _evidence(
    material: _Material, hyper: Hyperparameters, steps: int, seed: int, course: Course
) -> tuple[tuple[Output | None, ...], str]:
    """Outputs of networks for images that they have not seen, and what to train. Whether the encoder should be trained
    is asked of the first fold alone, and its outputs are then those of the better network; the others' are those of
    decoders, and so rather worse than what will serve."""
    outputs: list[Output | None] = [None] * len(material.fold)
    rungs = [DECODER, WHOLE] if hyper.train == WHOLE else [DECODER]
    parts = rungs[-1]
    if hyper.folds < 2 or material.folds < 2:
        return tuple(outputs), parts
    for fold in range(material.folds):
        network = material.start
        for rung in rungs:
            network = _left_out(material, network, rung, fold, hyper, steps, seed, course)
        score = _look(material, network, fold, outputs, course)
        large = int((material.fold == fold).sum()) >= LEAST
        if fold == 0 and hyper.train == AUTO and large and score < ENOUGH:
            whole = _left_out(material, network, WHOLE, fold, hyper, steps, seed, course)
            better: list[Output | None] = list(outputs)
            if _look(material, whole, fold, better, course) > score + PAYS:
                outputs, parts = better, WHOLE
    return tuple(outputs), parts


def _left_out(
    material: _Material,
    start: Network,
    parts: str,
    fold: int,
    hyper: Hyperparameters,
    steps: int,
    seed: int,
    course: Course,
) -> Network:
    """`start` trained on all folds but one."""
    chosen = [at for at, view in enumerate(material.cache.seen) if material.fold[view.image] != fold]

    def told(share: float, loss: float) -> None:
        course.folds([parts], (fold + share) / material.folds, loss)

    count = max(round(SHORTER * _steps(parts, steps)), 1)
    return fit(start, parts, material.cache, chosen, count, hyper, seed, told)[0]


def _look(material: _Material, network: Network, fold: int, outputs: list[Output | None], course: Course) -> float:
    """Put the network's outputs for a fold's images where they belong; and the mean overlap of the classes there."""
    import torch

    both, either = np.zeros(network.classes), np.zeros(network.classes)
    for at, view in enumerate(material.cache.seen):
        if not view.plain or material.fold[view.image] != fold:
            continue
        course.check()
        with torch.no_grad():
            levels = network.levels(pixels_of([view])) if network.parts == WHOLE else material.cache.levels([at])
            probabilities = network.scores(levels).softmax(dim=1)[0].numpy()
        size = material.sizes[view.image]
        fitted = Fitted(view.pixels, view.pixels.shape[0] / max(size), int(view.left), int(view.top), *size)
        outputs[view.image] = model.output(fitted, probabilities, len(material.labels))
        known = view.classes != UNKNOWN
        found, true = probabilities.argmax(axis=0)[known], view.classes[known]
        for index in range(network.classes):
            both[index] += int(((found == index) & (true == index)).sum())
            either[index] += int(((found == index) | (true == index)).sum())
    occurring = either > 0
    return float((both[occurring] / either[occurring]).mean()) if occurring.any() else 1.0


def _steps(parts: str, steps: int) -> int:
    return max(round(FEWER * steps), 1) if parts == WHOLE else steps


def _checked(examples: Sequence[Example], labels: LabelSpace) -> list[SegmentationExample]:
    """The examples, where they can be learnt from. Raises `TrainingImpossible`."""
    if not examples:
        raise TrainingImpossible("Got no example, wanted at least one; label a task first.")
    if not len(labels):
        raise TrainingImpossible("Got no label to give pixels, wanted at least one; add labels to the config.")
    checked = []
    for row, example in enumerate(examples):
        if not isinstance(example, SegmentationExample):
            raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted a SegmentationExample.")
        strange = sorted({mask.label for mask in example.map.masks} - set(labels.names))
        if strange:
            raise TrainingImpossible(f"Example {row} has areas of {strange}, wanted any of {list(labels.names)}.")
        size = image_size(example.item.input)
        if (example.map.width, example.map.height) != size:
            raise TrainingImpossible(
                f"Example {row} has a map of {example.map.width} x {example.map.height} pixels, wanted that of its "
                f"image, {size[0]} x {size[1]}."
            )
        checked.append(example)
    if not any(example.map.masks for example in checked):
        raise TrainingImpossible(f"Got {len(checked)} images without any area, wanted at least one; paint one.")
    return checked
