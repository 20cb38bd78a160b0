"""Clicks and boxes of a context, in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.converters.base import Region
from backend.converters.geometry import in_pixels, read_rectangle
from backend.labelstudio.config import Control
from model_zoo.interactive.prompts import Corners, Point, Prompt
from model_zoo.types import Box

PERCENT = 100.0


def prompt_of(drawn: Sequence[Region], output: Control, label: str, width: int, height: int) -> Prompt:
    """What the drawn clicks and boxes say of an image of that size. Of boxes the newest counts."""
    positives: list[Point] = []
    negatives: list[Point] = []
    corners: Corners | None = None
    for region in drawn:
        if "width" in _value(region) and "height" in _value(region):
            found = box_of(region, width, height)
            corners = found.corners if found is not None else corners
            continue
        point = _point(region, width, height)
        if point is not None:
            (positives if region.get("is_positive", True) else negatives).append(point)
    return Prompt(tuple(positives), tuple(negatives), corners, called(output, label))


def box_of(region: Mapping[str, Any], width: int, height: int) -> Box | None:
    """A region's rectangle in pixels; None where it is none, or outside of the image."""
    found = read_rectangle(region, "")
    return in_pixels(found, width, height) if found is not None else None


def called(control: Control, label: str) -> frozenset[str]:
    """What the label is called in words, lower case, and the classes of COCO that are called so, too."""
    from model_zoo.object_detection.coco import ALSO

    own = [one for one in control.labels if one.name == label]
    words = {word.lower() for one in own for word in one.descriptions}
    return frozenset(words | {name for name, others in ALSO.items() if name in words or words & set(others)})


def _value(region: Mapping[str, Any]) -> Mapping[str, Any]:
    value = region.get("value")
    return value if isinstance(value, Mapping) else {}


def _point(region: Mapping[str, Any], width: int, height: int) -> Point | None:
    """A click; None where it is no pair of numbers, or outside of the image."""
    x, y = _value(region).get("x"), _value(region).get("y")
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in (x, y)):
        return None
    across, down = float(x or 0) / PERCENT * width, float(y or 0) / PERCENT * height
    return (across, down) if 0 <= across < width and 0 <= down < height else None
