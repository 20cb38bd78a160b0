"""The family that finds turned boxes: the detector's pretrained network with an oriented head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from model_zoo.images import image_size
from model_zoo.object_detection import bases
from model_zoo.object_detection.bases import Base
from model_zoo.object_detection.family import ORIENTED, YoloFamily
from model_zoo.object_detection.hyperparameters import FREEZES, Hyperparameters
from model_zoo.object_detection.ladder import How
from model_zoo.object_detection.marks import Quads
from model_zoo.object_detection.model import YoloModel
from model_zoo.object_detection.views import Augmentation, Picture
from model_zoo.oriented import quads
from model_zoo.oriented_detection.fitting import loss_of
from model_zoo.oriented_detection.forward import look_for_turned
from model_zoo.oriented_detection.model import YoloObbModel
from model_zoo.types import DetectionExample, Example
from model_zoo.weights import Weights

TURN = 20.0
"""Degrees by which views are turned at most: with a handful of images most angles have never been seen."""


class YoloObbV1(YoloFamily):
    """Labels are learnt just as the detector learns them, from the weights that it begins with; then boxes and how they
    stand, for which the head has a branch that nothing was pretrained for. The architectures are Ultralytics'
    yolov8n-obb and yolo11n-obb; measured on YOLOv8n's weights."""

    name: ClassVar[str] = ORIENTED
    weights: ClassVar[tuple[Weights, ...]] = (bases.YOLOV8N, bases.YOLO11N)
    architecture: ClassVar[str] = "yolov8n"
    model: ClassVar[type[YoloModel]] = YoloObbModel
    how: ClassVar[How] = How(
        look_for_turned,
        loss_of,
        # Sides of a box are measured along it: without angles, they cannot follow.
        {
            name: (*parts, *(part for part in ("boxes", "angles") if part not in parts))
            for name, parts in FREEZES.items()
        },
        ("neck", "backbone"),
    )

    def base(self) -> Base:
        return self._with_angles(super().base())

    def base_named(self, name: str) -> Base:
        return self._with_angles(super().base_named(name))

    def drawn(self, images: list[Picture], examples: Sequence[Example]) -> list[Picture]:
        return [
            replace(image, marks=_corners(image, example))
            for image, example in zip(images, examples, strict=True)
            if isinstance(example, DetectionExample)
        ]

    def augmentation(self, hyper: Hyperparameters) -> Augmentation:
        return replace(hyper.augmentation, turn=TURN)

    def _with_angles(self, base: Base) -> Base:
        if base.network.has_angles:
            return base
        key = (YoloObbV1, base.name, base.digest)
        return self.runtime.shared(key, lambda: replace(base, network=base.network.with_angles()))


def _corners(image: Picture, example: DetectionExample) -> Quads:
    """The corners of an example's boxes in pixels of its picture, which may be smaller than the image."""
    height, width = image.pixels.shape[:2]
    ratio = np.array([width, height]) / image_size(example.item.input)
    return Quads.of_corners((quads(example.boxes) * ratio).astype(np.float32))
