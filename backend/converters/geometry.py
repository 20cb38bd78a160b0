"""Rectangles between Label Studio and the zoo.

Label Studio stores percentages of the upright image's width and height, from its top left corner, and turns a
rectangle clockwise about its own top left corner. In this module and in what converters decode, a `Box` is in the same
percentages, so that annotations need no image to be compared; `in_pixels` makes of it what families learn from. An
overlap (intersection over union) is the same in both: a turned rectangle, whose corners are those of a parallelogram in
percent, is known by these corners.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from model_zoo.oriented import as_corners, oriented
from model_zoo.types import Box, OrientedBox

WHOLE = 100.0
SMALLEST = 1e-3
"""Percent of the image's width or height; thinner rectangles are slips of the mouse."""

FULL_TURN = 360.0
"""Degrees."""
NUMBERS = ("x", "y", "width", "height")


def read_rectangle(region: Mapping[str, Any], label: str) -> Box | None:
    """The upright box around a region's rectangle, within the image; None where it has no area or no numbers."""
    box = read_turned(region, label)
    return Box(*box.corners, label) if box is not None else None


def read_turned(region: Mapping[str, Any], label: str) -> Box | None:
    """A region's rectangle as it stands; None where it has no area within the image, or no numbers."""
    value = region.get("value")
    if not isinstance(value, Mapping) or not all(is_number(value.get(name)) for name in NUMBERS):
        return None
    x, y, width, height = (float(value[name]) for name in NUMBERS)
    rotation = value.get("rotation") or 0
    if not is_number(rotation):
        return None
    turn = float(rotation) % FULL_TURN
    corners = _corners(x, y, width, height, turn, _aspect(region))
    xs, ys = zip(*corners, strict=True)
    upright = clip(Box(min(xs), min(ys), max(xs), max(ys), label), WHOLE, WHOLE)
    if upright is None or not turn:
        return upright
    return OrientedBox(*upright.corners, label, as_corners(corners))


def write_rectangle(box: Box, width: int, height: int) -> dict[str, float]:
    """A region's `value`, without labels, for a box in pixels of an image of that size."""
    turned = _write_turned(box, width, height) if isinstance(box, OrientedBox) else None
    if turned is not None:
        return turned
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
    upright = Box(box.left * horizontal, box.top * vertical, box.right * horizontal, box.bottom * vertical, box.label)
    if not isinstance(box, OrientedBox):
        return upright
    points = as_corners([(x * horizontal, y * vertical) for x, y in box.points])
    return OrientedBox(*upright.corners, box.label, points)


def clip(box: Box, width: float, height: float) -> Box | None:
    """The part of the box within the image; None where next to nothing is. A turned one is kept whole."""
    if isinstance(box, OrientedBox):
        return oriented(box.points, box.label, width, height)
    left, right = max(box.left, 0.0), min(box.right, width)
    top, bottom = max(box.top, 0.0), min(box.bottom, height)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return None
    return Box(left, top, right, bottom, box.label)


def _corners(
    x: float, y: float, width: float, height: float, rotation: float, aspect: float
) -> list[tuple[float, float]]:
    """The corners in percent, clockwise from the top left one. Angles are those on the image, `aspect` its height
    divided by its width."""
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    left, right = sorted((0.0, width))
    top, bottom = sorted((0.0, height * aspect))
    offsets = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return [(x + across * cos - down * sin, y + (across * sin + down * cos) / aspect) for across, down in offsets]


def _write_turned(box: OrientedBox, width: int, height: int) -> dict[str, float] | None:
    """The value of a turned rectangle. Any of its corners may be the one that it turns about: the first is, where it
    lies on the image and both sides are no longer than this, as Label Studio wants them. None where none will do."""
    for first in range(4):
        (x, y), (right_x, right_y), _, (down_x, down_y) = (box.points[(first + at) % 4] for at in range(4))
        across, down = math.hypot(right_x - x, right_y - y), math.hypot(down_x - x, down_y - y)
        value = {
            "x": x / width * WHOLE,
            "y": y / height * WHOLE,
            "width": across / width * WHOLE,
            "height": down / height * WHOLE,
            "rotation": math.degrees(math.atan2(right_y - y, right_x - x)) % FULL_TURN,
        }
        if all(0 <= value[name] <= WHOLE for name in NUMBERS):
            return value
    return None


def _aspect(region: Mapping[str, Any]) -> float:
    """Height divided by width; of a square where the region does not say, which only matters if it is rotated."""
    width, height = region.get("original_width"), region.get("original_height")
    return float(height) / float(width) if is_number(width) and is_number(height) and width and height else 1.0


def _bounded(percent: float) -> float:
    return min(max(percent, 0.0), WHOLE)


def is_number(value: Any) -> bool:
    """A finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
