"""The pretrained networks that detectors begin with, shared by all models of a process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_zoo.errors import WeightsNotFound
from model_zoo.object_detection import upstream
from model_zoo.object_detection.network import Network, digest
from model_zoo.weights import Weights, locate

log = logging.getLogger(__name__)

LICENCE = "AGPL-3.0"
AT_RANDOM = "random"
"""Origin of weights that no file gave."""


def begins_at_random(architecture: str) -> str:
    """What people are told of a model that began with nothing pretrained."""
    return (
        "No pretrained network was found, so this one begins with random weights and will need hundreds of labelled "
        f"images. Put a file such as {architecture}.pt into PRELABEL_WEIGHTS_DIR."
    )


def coco_weights(name: str, size: int, hub: str | None) -> Weights:
    """A detector trained on COCO, as Ultralytics publishes it."""
    return Weights(name, (f"{name}.pt",), "", "", "", size, LICENCE, hub, plain=True)


YOLOV8N = coco_weights("yolov8n", 6_549_796, "Ultralytics/YOLOv8")
YOLO11N = coco_weights("yolo11n", 5_613_764, "Ultralytics/YOLO11")
YOLO26N = coco_weights("yolo26n", 5_544_453, "Ultralytics/YOLO26")
YOLOV8N_SEG = coco_weights("yolov8n-seg", 7_071_756, "Ultralytics/YOLOv8")
YOLO11N_SEG = coco_weights("yolo11n-seg", 6_182_636, "Ultralytics/YOLO11")
YOLOV8N_POSE = coco_weights("yolov8n-pose", 6_832_633, "Ultralytics/YOLOv8")
YOLO11N_POSE = coco_weights("yolo11n-pose", 6_255_593, "Ultralytics/YOLO11")
YOLOV3_TINY = coco_weights("yolov3-tinyu", 24_432_168, None)


@dataclass(frozen=True)
class Base:
    """A network that nobody changes. `name` is an architecture's, or the name of an operator's file; `digest` is that
    of its tensors, whatever file they came in."""

    name: str
    digest: str
    network: Network
    origin: str

    @property
    def pretrained(self) -> bool:
        return self.origin != AT_RANDOM


def from_file(folder: Path | None, file: str, task: str = "detection") -> Base:
    """A network for `task` in the operator's weights folder. Raises `WeightsNotFound`."""
    found = locate(YOLOV8N, folder, file)
    return _made(file, found.main, found.origin, task)


def first_found(wanted: Sequence[Weights], folder: Path | None, architecture: str, task: str = "detection") -> Base:
    """The first of `wanted` that lies on this machine, else the first that the hub gives, else `architecture` with
    random weights, which is said loudly."""
    for hub in (False, True):
        for weights in wanted:
            try:
                found = locate(weights, folder, hub=hub)
            except WeightsNotFound:
                continue
            return _made(weights.name, found.main, found.origin, task)
    log.warning(
        "No pretrained network was found (%s): %s begins with random weights and will need hundreds of labelled "
        "images. Put a file into PRELABEL_WEIGHTS_DIR.",
        ", ".join(weights.main for weights in wanted),
        architecture,
    )
    network = Network.of(upstream.build(architecture, task))
    return Base(architecture, digest(network), network, AT_RANDOM)


def _made(name: str, file: Path, origin: str, task: str) -> Base:
    network = Network.of(upstream.load(file, task))
    return Base(name, digest(network), network, origin)
