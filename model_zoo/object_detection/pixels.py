"""From images to what a network takes, and back: scaled to fit, padded with grey, boxes in pixels of either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.images import image_size, read_image
from model_zoo.types import FloatArray, Input

GREY = 114
"""Ultralytics' padding, which its weights were trained with."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Fitted:
    """An image as a network takes it: `pixels` (height, width, 3), of which the image, scaled by `scale`, takes what
    begins `left` and `top` pixels inside. `width` and `height` are those of the upright original."""

    pixels: Pixels
    scale: float
    left: int
    top: int
    width: int
    height: int

    def restore(self, boxes: FloatArray) -> FloatArray:
        """Corners (n, 4) in pixels of the original, within it, from those in `pixels`."""
        moved = (boxes - np.array([self.left, self.top] * 2, np.float32)) / np.float32(self.scale)
        bounds = np.array([self.width, self.height] * 2, np.float32)
        within: FloatArray = np.clip(moved, 0, bounds).astype(np.float32)
        return within


def fit(source: Input | None, side: int, stride: int) -> Fitted:
    """The image with its longer side scaled to `side`, which `stride` divides, and the shorter one padded to the next
    multiple of `stride`. Raises `UnreadableInput`."""
    width, height = image_size(source)
    scale = side / max(width, height)
    inner = (max(round(width * scale), 1), max(round(height * scale), 1))
    scaled = resize(read_image(source, enough=inner), inner)
    outer = (_up(inner[0], stride), _up(inner[1], stride))
    left, top = (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
    canvas = np.full((outer[1], outer[0], 3), GREY, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = scaled
    return Fitted(canvas, scale, left, top, width, height)


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Scaled to (width, height)."""
    import cv2

    if pixels.shape[1::-1] == size:
        return pixels
    method = cv2.INTER_AREA if size[0] * 2 < pixels.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=method), np.uint8)


def same_shapes(fitted: Sequence[Fitted], most: int) -> Iterator[list[int]]:
    """Indices in groups of images of one shape, at most so many a group, so that each is one batch without padding:
    an image's answer does not depend on what it is answered with."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, one in enumerate(fitted):
        group = groups.setdefault(one.pixels.shape, [])
        group.append(index)
        if len(group) == most:
            yield groups.pop(one.pixels.shape)
    yield from groups.values()


def _up(length: int, stride: int) -> int:
    return -(-length // stride) * stride
