"""The family that finds masks with one of Ultralytics' networks, pretrained on COCO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from model_zoo.average_precision import OVERLAPS
from model_zoo.detection_metrics import average_precisions
from model_zoo.errors import TrainingImpossible
from model_zoo.images import image_size
from model_zoo.instance_segmentation.fitting import MASKS, loss_of
from model_zoo.instance_segmentation.forward import look_for_masks
from model_zoo.instance_segmentation.model import YoloSegModel
from model_zoo.masks import box_around, numbered
from model_zoo.object_detection import bases
from model_zoo.object_detection.course import Course
from model_zoo.object_detection.family import YoloFamily, with_boxes
from model_zoo.object_detection.hyperparameters import FREEZES, Hyperparameters
from model_zoo.object_detection.ladder import Evidence, How, Material, Parts, held, look, trained_without
from model_zoo.object_detection.model import YoloModel
from model_zoo.object_detection.views import Picture
from model_zoo.postprocess import InstancePostprocess
from model_zoo.types import DetectionExample, Example, InstanceExample, InstanceOutput, LabelSpace, Output, TaskKind
from model_zoo.weights import Weights

PAYS = 0.01
"""Mean average precision of masks that training their branch must add."""
FAINT = 0.01
"""Confidence below which candidates make no difference to the choice."""


class YoloSegV1(YoloFamily):
    """Boxes and labels are learnt just as the detector learns them. The masks stay the pretrained network's, unless
    images left out say that training their branch pays. YOLOv8n-seg or YOLO11n-seg, whichever is found first; measured
    on YOLOv8n-seg."""

    name: ClassVar[str] = "instance_segmentation/yolo_seg.v1"
    task: ClassVar[TaskKind] = TaskKind.INSTANCE_SEGMENTATION
    weights: ClassVar[tuple[Weights, ...]] = (bases.YOLOV8N_SEG, bases.YOLO11N_SEG)
    architecture: ClassVar[str] = "yolov8n-seg"
    network_task: ClassVar[str] = "segmentation"
    model: ClassVar[type[YoloModel]] = YoloSegModel
    how: ClassVar[How] = How(
        look_for_masks,
        loss_of,
        # Masks are mixed from what the neck gives: where that changes, they have to follow.
        {name: (*parts, "pictures", "masks") if "neck" in parts else parts for name, parts in FREEZES.items()},
    )

    def checked(self, examples: Sequence[Example], labels: LabelSpace) -> list[DetectionExample]:
        boxes = []
        for row, example in enumerate(examples):
            if not isinstance(example, InstanceExample):
                raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted an InstanceExample.")
            size = image_size(example.item.input)
            strange = next((mask for mask in example.masks if (mask.width, mask.height) != size), None)
            if strange is not None:
                raise TrainingImpossible(
                    f"Example {row} has a mask of {strange.width} x {strange.height} pixels, wanted those of its "
                    f"image, {size[0]} x {size[1]}."
                )
            boxes.append(DetectionExample(example.item, tuple(map(box_around, example.masks))))
        return with_boxes(boxes, labels)

    def drawn(self, images: list[Picture], examples: Sequence[Example]) -> list[Picture]:
        return [
            replace(image, objects=numbered(example.masks, *image.pixels.shape[1::-1]))
            for image, example in zip(images, examples, strict=True)
            if isinstance(example, InstanceExample)
        ]

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
        if "masks" in evidence.parts or not evidence.networks:
            return [], evidence.outputs
        outputs: list[Output | None] = list(evidence.outputs)
        for fold, network in enumerate(evidence.networks):
            taught = trained_without(material, MASKS, fold, hyper, steps, seed, course.folds, network)
            for at in held(material, fold):
                outputs[material.cache.seen[at].image] = look(taught, evidence.parts, material, at)
        gained = _precision(outputs, examples, material) - _precision(evidence.outputs, examples, material)
        return ([MASKS], tuple(outputs)) if gained > PAYS else ([], evidence.outputs)


def _precision(outputs: Sequence[Output | None], examples: Sequence[Example], material: Material) -> float:
    """Mean average precision of masks over ten overlaps, on the images left out."""
    usually = InstancePostprocess.uncalibrated(material.labels)
    found, truths, shares = [], [], []
    for output, example in zip(outputs, examples, strict=True):
        if isinstance(output, InstanceOutput) and isinstance(example, InstanceExample):
            rows, confidence, label = usually.stay(output, FAINT)
            found.append((output.boxes[rows], confidence, label))
            truths.append(example.masks)
            shares.append(usually.shares(output, rows, example.masks))
    table = average_precisions(found, truths, material.labels, OVERLAPS, shares)
    known = table[~np.isnan(table)]
    return float(known.mean()) if known.size else 0.0
