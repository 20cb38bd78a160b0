"""Rectangles between Label Studio and the zoo.

Label Studio stores percentages of the upright image's width and height, from its top left corner, and turns a
rectangle clockwise about its own top left corner. In this module and in what converters decode, a `Box` is in the same
percentages, so that annotations need no image to be compared; `in_pixels` makes of it what families learn from. An
overlap (intersection over union) is the same in both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from model_zoo.types import Box

WHOLE = 100.0
SMALLEST = 1e-3
"""Percent of the image's width or height; thinner rectangles are slips of the mouse."""

NUMBERS = ("x", "y", "width", "height")


def read_rectangle(region: Mapping[str, Any], label: str) -> Box | None:
    """The upright box around a region's rectangle, within the image; None where it has no area or no numbers."""
    value = region.get("value")
    if not isinstance(value, Mapping) or not all(is_number(value.get(name)) for name in NUMBERS):
        return None
    x, y, width, height = (float(value[name]) for name in NUMBERS)
    rotation = value.get("rotation") or 0
    if not is_number(rotation):
        return None
    xs, ys = _corners(x, y, width, height, float(rotation), _aspect(region))
    return clip(Box(min(xs), min(ys), max(xs), max(ys), label), WHOLE, WHOLE)


def write_rectangle(box: Box, width: int, height: int) -> dict[str, float]:
    """A region's `value`, without labels, for a box in pixels of an image of that size."""
    part = scale(box, WHOLE / width, WHOLE / height)
    left, top = _bounded(part.left), _bounded(part.top)
    return {
        "x": left,
        "y": top,
        "width": _bounded(part.right) - left,
        "height": _bounded(part.bottom) - top,
        "rotation": 0,
    }


def in_pixels(box: Box, width: int, height: int) -> Box:
    """A decoded box in pixels of an image of that size."""
    return scale(box, width / WHOLE, height / WHOLE)


def scale(box: Box, horizontal: float, vertical: float) -> Box:
    return Box(box.left * horizontal, box.top * vertical, box.right * horizontal, box.bottom * vertical, box.label)


def clip(box: Box, width: float, height: float) -> Box | None:
    """The part of the box within the image; None where next to nothing is."""
    left, right = max(box.left, 0.0), min(box.right, width)
    top, bottom = max(box.top, 0.0), min(box.bottom, height)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return None
    return Box(left, top, right, bottom, box.label)


def _corners(
    x: float, y: float, width: float, height: float, rotation: float, aspect: float
) -> tuple[list[float], list[float]]:
    """The corners' coordinates in percent. Angles are those on the image, `aspect` its height divided by its width."""
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    offsets = [(across, down * aspect) for across in (0.0, width) for down in (0.0, height)]
    xs = [x + across * cos - down * sin for across, down in offsets]
    ys = [y + (across * sin + down * cos) / aspect for across, down in offsets]
    return xs, ys


def _aspect(region: Mapping[str, Any]) -> float:
    """Height divided by width; of a square where the region does not say, which only matters if it is rotated."""
    width, height = region.get("original_width"), region.get("original_height")
    return float(height) / float(width) if is_number(width) and is_number(height) and width and height else 1.0


def _bounded(percent: float) -> float:
    return min(max(percent, 0.0), WHOLE)


def is_number(value: Any) -> bool:
    """A finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
