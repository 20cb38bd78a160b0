"""Squares on grey, painted and with marked corners, which a tiny network learns by heart in a second; and what of
examples and outputs of any kind is compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_zoo.masks import mask_of
from model_zoo.types import Example, InstanceExample, Item, Keypoint, Output, Pose, PoseExample, SegmentationExample

SIDE = 64
SHADES = ("bright 🔆", "dark")
CORNERS = ("left corner", "right corner")
_GREY = (250, 5)

UNVARIED = {
    "image_size": SIDE, "views": 1, "folds": 2, "zoom": 1.0, "shift": 0.0, "colour": 0.0, "mosaic": 0.0,
    "mirror": False,
}  # fmt: skip
"""The images as they are."""
SEGMENTER = {**UNVARIED, "freeze": "boxes", "epochs": 30, "learning_rate": 5e-3}
POINTER = {**UNVARIED, "turn": 0.0, "width": 16, "epochs": 40, "learning_rate": 2e-2}

HOSTILE = [
    Item(np.full((high, wide, 3), shade, np.uint8))
    for high, wide, shade in ((1, 1, 0), (3, 400, 255), (400, 3, 90), (64, 64, 0))
]
"""A pixel, strips, and nothing but black."""


def _square(seed: int, shade: int) -> tuple[Item, int, int, int]:
    """An image with one square, its left, top and side."""
    random = np.random.default_rng(seed)
    pixels = random.integers(110, 140, (SIDE, SIDE, 3))
    side = int(random.integers(20, 28))
    left, top = (int(one) for one in random.integers(2, SIDE - side - 2, 2))
    pixels[top : top + side, left : left + side] = shade
    return Item(pixels.astype(np.uint8)), left, top, side


def painted() -> list[InstanceExample]:
    """Four images of one square each, bright and dark in turn."""
    made = []
    for number in range(4):
        item, left, top, side = _square(number, _GREY[number % 2])
        mask = mask_of(SHADES[number % 2], np.ones((side, side), np.bool_), (SIDE, SIDE), (left, top))
        assert mask is not None
        made.append(InstanceExample(item, (mask,)))
    return made


def marked() -> list[PoseExample]:
    """Four images of a square with its upper corners; of the last, one corner is known."""
    made = []
    for number in range(4):
        item, left, top, side = _square(number, _GREY[0])
        places = {CORNERS[0]: left, CORNERS[1]: left + side}
        points = tuple(Keypoint(name, float(x), float(top)) for name, x in places.items())
        made.append(PoseExample(item, (Pose(points if number < 3 else points[:1]),)))
    return made


def is_of(example: Example, label: str) -> bool:
    """Whether all that is said of the example is this label, and something is."""
    if isinstance(example, SegmentationExample):
        return {mask.label for mask in example.map.masks} == {label}
    regions = next(value for value in vars(example).values() if isinstance(value, tuple))
    parts = [part for region in regions for part in (region.points if isinstance(region, Pose) else (region,))]
    return {name for part in parts for name in getattr(part, "labels", None) or (part.label,)} == {label}


def assert_near(outputs: Sequence[Output], others: Sequence[Output]) -> None:
    """Every array within 1e-4 of its largest value, for places are in pixels; pictures of masks, which are in half
    precision, within 1e-3. Of candidates for objects the best alone: rounding decides the order of those as likely."""
    for output, other in zip(outputs, others, strict=True):
        candidates = len(output.boxes) if hasattr(output, "boxes") else -1
        for name, found in vars(output).items():
            if not isinstance(found, np.ndarray):
                continue
            wanted = getattr(other, name)
            rows = slice(0, 1) if len(found) == candidates else slice(None)
            near = (1e-3 if found.dtype == np.float16 else 1e-4) * max(1.0, float(np.abs(wanted).max(initial=0.0)))
            np.testing.assert_allclose(found[rows], wanted[rows], atol=near, rtol=0)
