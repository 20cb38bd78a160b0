"""The points of the person in a box, by a pose network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from model_zoo.boxes import overlaps
from model_zoo.interactive.prompts import Corners, Pixels
from model_zoo.object_detection import upstream
from model_zoo.object_detection.pixels import Fitted, fit
from model_zoo.types import FloatArray
from model_zoo.weights import Weights

SIDE = 640
STRIDE = 32
LEAST = 0.4
"""Overlap with the drawn box from which on a pose is that of its person."""
SEEN = 0.5
"""Confidence from which on a point counts as visible."""
FAINT = 0.2
"""Confidence below which a point is left to people."""

COCO_POINTS = (
    *("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow"),
    *("right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle"),
    "right ankle",
)

COCO_POSER = Weights(
    name="yolov8n-pose",
    files=("yolov8n-pose.pt",),
    package="",
    folder="",
    sha256="8b5d42fc840144b8edd2989b3794b441536f7f6abf927a744dab7484603fff8c",
    size=6_842_640,
    licence="AGPL-3.0",
    plain=True,
)


@dataclass(frozen=True)
class Located:
    """One point in pixels of the image."""

    name: str
    across: float
    down: float
    score: float

    @property
    def visible(self) -> bool:
        return self.score >= SEEN


Points = tuple[Located, ...]


@dataclass(frozen=True)
class Seen:
    """The poses of one image: `boxes` (n, 4) and `points` (n, 17, 3: across, down, confidence), in its pixels."""

    boxes: FloatArray
    scores: FloatArray
    points: FloatArray

    @property
    def nbytes(self) -> int:
        return self.boxes.nbytes + self.points.nbytes

    def within(self, box: Corners) -> Points | None:
        """The points of the person that the box means; None where nobody is seen there."""
        if not len(self.boxes):
            return None
        worth = overlaps(self.boxes, np.array([box], np.float32))[:, 0]
        worth = np.where(worth >= LEAST, worth * np.sqrt(self.scores), 0)
        best = int(worth.argmax())
        if worth[best] <= 0:
            return None
        rows = zip(COCO_POINTS, self.points[best].tolist(), strict=True)
        return tuple(Located(name, *row) for name, row in rows if row[2] >= FAINT)


class Poser:
    """Ultralytics' pose network in a file, loaded on first use. Safe for threads."""

    name: ClassVar[str] = "poses"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._network: Any = None
        self._lock = Lock()

    def see(self, pixels: Pixels) -> Seen:
        """Everybody in the image. Raises `WeightsNotFound`, `MissingExtra`."""
        import torch

        with self._lock:
            if self._network is None:
                self._network = upstream.load(self._file, "pose")
        fitted = fit(pixels, SIDE, STRIDE)
        images = torch.from_numpy(fitted.pixels).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            found = self._network(images)[0][0].numpy()
        return _seen(found, fitted)


def _seen(found: FloatArray, fitted: Fitted) -> Seen:
    """From what the network gives, (5 + 51, cells): centre, size, score, then the points."""
    kept = np.flatnonzero(found[4] >= 0.05)
    kept = kept[np.argsort(-found[4, kept], kind="stable")][:300]
    centres, sizes = found[:2, kept].T, found[2:4, kept].T
    boxes = fitted.restore(np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1).astype(np.float32))
    points = found[5:, kept].T.reshape(len(kept), len(COCO_POINTS), 3).astype(np.float32)
    moved = (points[..., :2] - np.array([fitted.left, fitted.top], np.float32)) / np.float32(fitted.scale)
    bounds = np.array([fitted.width - 1, fitted.height - 1], np.float32)
    places = np.concatenate([np.clip(moved, 0, bounds), points[..., 2:]], axis=2)
    return Seen(boxes, found[4, kept].astype(np.float32), places.astype(np.float32))
