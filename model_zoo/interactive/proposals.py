"""What a segmentation network sees in an image: objects with masks, to choose from when somebody points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import suppress
from model_zoo.interactive.prompts import Mask, Pixels
from model_zoo.object_detection import upstream
from model_zoo.object_detection.pixels import Fitted, fit
from model_zoo.types import FloatArray, InstanceOutput
from model_zoo.weights import Weights

SIDE = 640
STRIDE = 32
LEAST = 0.02
"""Score from which on an object is a proposal: a click says that something is there, so little is enough."""
MOST = 120
LEAST_OWN = 0.1
"""The same of a project's own network, which has seen few objects and sees more than there are."""
OVERLAP = 0.8
"""Of boxes, above which the less certain of two proposals says nothing new."""

COCO_SEGMENTER = Weights(
    name="yolov8n-seg",
    files=("yolov8n-seg.pt",),
    package="",
    folder="",
    sha256="1107ac2b42824b9b9123fd238d721a3f6b2f7fa2d98c3a000be7cd61b8bf8ff1",
    size=7_019_751,
    licence="AGPL-3.0",
    plain=True,
)


@dataclass(frozen=True)
class Proposals:
    """Objects of one image of `width` and `height`: `boxes` (n, 4) in its pixels, probabilities of all `classes` (n, c)
    called `names`, and masks as products of `coefficients` (n, k) with `prototypes` (k, h, w). `frame` says where in
    these the image lies: its left, top, right and bottom edges in cells. `levels` are what the network's head looked
    at, each (channels, h, w) over the same area; none where nothing has to be described."""

    boxes: FloatArray
    classes: FloatArray
    names: tuple[str, ...]
    coefficients: FloatArray
    prototypes: npt.NDArray[Any]
    levels: tuple[npt.NDArray[np.float16], ...]
    frame: tuple[float, float, float, float]
    width: int
    height: int

    @property
    def nbytes(self) -> int:
        arrays: tuple[npt.NDArray[Any], ...] = (
            self.boxes,
            self.classes,
            self.coefficients,
            self.prototypes,
            *self.levels,
        )
        return sum(int(array.nbytes) for array in arrays)

    @cached_property
    def scores(self) -> FloatArray:
        """The highest probability of each object, of shape (n,)."""
        best: FloatArray = self.classes.max(axis=1) if len(self.classes) else np.zeros(0, np.float32)
        return best

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The likeliest class of each object by name."""
        return tuple(self.names[int(number)] for number in self.classes.argmax(axis=1)) if len(self.classes) else ()

    def describe(self, boxes: FloatArray) -> FloatArray:
        """What the network sees in boxes (n, 4) in the image's pixels: vectors of unit length, (n, channels of all
        levels)."""
        across, down = self._scales
        cells = boxes * np.array([across, down] * 2) + np.array(self.frame[:2] * 2)
        _, height, width = self.prototypes.shape
        shares = (cells / np.array([width, height] * 2)).astype(np.float32)
        parts = [_means(level, shares) for level in self.levels]
        vectors: FloatArray = np.concatenate(parts, axis=1) / np.sqrt(np.float32(len(parts)))
        return vectors

    def likelihoods(self, across: float, down: float) -> FloatArray:
        """How likely each object covers the point, of shape (n,); 0 outside of its box."""
        _, height, width = self.prototypes.shape
        column, row = int(self.frame[0] + across * self._scales[0]), int(self.frame[1] + down * self._scales[1])
        logits = self.coefficients @ self.prototypes[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
        likely: FloatArray = np.where(self.boxed(across, down), _sigmoid(logits), 0).astype(np.float32)
        return likely

    def boxed(self, across: float, down: float) -> npt.NDArray[np.bool_]:
        """Whose box contains the point, of shape (n,)."""
        left, top, right, bottom = self.boxes.T
        within: npt.NDArray[np.bool_] = (left <= across) & (across < right) & (top <= down) & (down < bottom)
        return within

    def mask(self, index: int) -> Mask:
        """One object's mask over the original image."""
        import cv2

        logits = np.tensordot(self.coefficients[index], self.prototypes.astype(np.float32, copy=False), axes=1)
        # An affine map straight to the original's pixels, whose centres lie at halves.
        across, down = self._scales
        matrix = np.array(
            [[across, 0, self.frame[0] + 0.5 * across - 0.5], [0, down, self.frame[1] + 0.5 * down - 0.5]], np.float32
        )
        left, top, right, bottom = (round(value) for value in self.boxes[index].tolist())
        mask = np.zeros((self.height, self.width), np.bool_)
        if right <= left or bottom <= top:
            return mask
        matrix[:, 2] += matrix[:, :2] @ np.array([left, top], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = cv2.warpAffine(
            logits, matrix, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        mask[top:bottom, left:right] = part > 0
        return mask

    @property
    def _scales(self) -> tuple[float, float]:
        """Cells of the prototypes for a pixel across, and for one down."""
        left, top, right, bottom = self.frame
        return (right - left) / self.width, (bottom - top) / self.height


class Segmenter:
    """Ultralytics' segmentation network in a file, loaded on first use. Safe for threads."""

    name: ClassVar[str] = "proposals"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._network: Any = None
        self._lock = Lock()

    def propose(self, pixels: Pixels) -> Proposals:
        """Every object seen in the image. Raises `WeightsNotFound`, `MissingExtra`."""
        import torch

        network = self._loaded()
        fitted = fit(pixels, SIDE, STRIDE)
        images = torch.from_numpy(fitted.pixels).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            (found, prototypes), raw = network(images)
        levels = tuple(level[0].numpy().astype(np.float16) for level in raw["feats"])
        names = tuple(str(network.names[number]) for number in range(len(network.names)))
        return _proposals(found[0].numpy(), prototypes[0].numpy(), levels, fitted, names)

    def _loaded(self) -> Any:
        with self._lock:
            if self._network is None:
                self._network = upstream.load(self._file, "segmentation")
            return self._network


def proposals_of(output: InstanceOutput, names: tuple[str, ...]) -> Proposals:
    """What a segmenter of the zoo sees, whose labels are `names`, as proposals; nothing can be described by it."""
    scores = output.probabilities.max(axis=1) if len(output.probabilities) else np.zeros(0, np.float32)
    kept = np.flatnonzero(scores >= LEAST_OWN)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    kept = kept[suppress(output.boxes[kept], scores[kept], OVERLAP)[:MOST]]
    return Proposals(
        output.boxes[kept],
        output.probabilities[kept],
        names,
        output.coefficients[kept],
        output.basis,
        (),
        output.frame,
        output.width,
        output.height,
    )


def nothing(pixels: Pixels) -> Proposals:
    """Of an image in which no object is seen."""
    height, width = pixels.shape[:2]
    none = np.zeros((0, 4), np.float32)
    return Proposals(none, none[:, :1], ("",), none[:, :1], np.zeros((1, 1, 1)), (), (0, 0, 1, 1), width, height)


def _proposals(
    found: FloatArray,
    prototypes: FloatArray,
    levels: tuple[npt.NDArray[np.float16], ...],
    fitted: Fitted,
    names: tuple[str, ...],
) -> Proposals:
    """From what the network gives: `found` (4 + classes + k, cells), centres and sizes first."""
    k = len(prototypes)
    classes = found[4:-k]
    scores = classes.max(axis=0)
    kept = np.flatnonzero(scores >= LEAST)
    kept = kept[np.argsort(-scores[kept], kind="stable")][: 5 * MOST]
    centres, sizes = found[:2, kept].T, found[2:4, kept].T
    boxes = fitted.restore(np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1).astype(np.float32))
    stays = suppress(boxes, scores[kept], OVERLAP)[:MOST]
    chosen = kept[stays]
    step = fitted.pixels.shape[1] / prototypes.shape[2]
    left, top = fitted.left / step, fitted.top / step
    right, bottom = left + fitted.width * fitted.scale / step, top + fitted.height * fitted.scale / step
    return Proposals(
        boxes[stays],
        np.ascontiguousarray(classes[:, chosen].T),
        names,
        np.ascontiguousarray(found[-k:, chosen].T),
        prototypes.astype(np.float32),
        levels,
        (left, top, right, bottom),
        fitted.width,
        fitted.height,
    )


def _means(level: npt.NDArray[np.float16], boxes: FloatArray) -> FloatArray:
    """Mean over the cells that each box (n, 4), in shares of the level's sides, covers; unit length, (n, channels)."""
    _, height, width = level.shape
    rows = []
    for left, top, right, bottom in (boxes * (width, height, width, height)).tolist():
        first, above = min(max(int(left), 0), width - 1), min(max(int(top), 0), height - 1)
        last, below = min(max(round(right), first + 1), width), min(max(round(bottom), above + 1), height)
        rows.append(level[:, above:below, first:last].mean(axis=(1, 2), dtype=np.float32))
    means: FloatArray = np.stack(rows) if rows else np.zeros((0, len(level)), np.float32)
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
    units: FloatArray = (means / lengths).astype(np.float32)
    return units


def _sigmoid(values: FloatArray) -> FloatArray:
    shares: FloatArray = (1 / (1 + np.exp(-np.clip(values, -30, 30)))).astype(np.float32)
    return shares
