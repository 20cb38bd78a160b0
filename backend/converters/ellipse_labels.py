"""`EllipseLabels` on an image: objects that are round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from backend.converters.geometry import WHOLE, is_number
from backend.converters.masks import MaskConverter, value_of
from backend.converters.outlines import grid_of
from model_zoo.masks import mask_of, part_of
from model_zoo.types import Mask

NUMBERS = ("x", "y", "radiusX", "radiusY")


class EllipseLabelsConverter(MaskConverter):
    """A centre and radii in percent of the image's width and height, turned clockwise about the centre.

    Written is the ellipse of the mask's centre, area and spread: of a drawn ellipse, at least 8 pixels wide and
    high and within the image, the same to 3 % of its radii or half a pixel, whichever is more.
    """

    tag: ClassVar[str] = "EllipseLabels"
    shape: ClassVar[str] = "ellipse"

    def read(self, region: Mapping[str, Any], label: str) -> Mask | None:
        value = value_of(region)
        rotation = value.get("rotation") or 0
        if not all(is_number(value.get(name)) for name in NUMBERS) or not is_number(rotation):
            return None
        width, height = size = grid_of(region)
        x, y = value["x"] / WHOLE * width, value["y"] / WHOLE * height
        radii = abs(value["radiusX"]) / WHOLE * width, abs(value["radiusY"]) / WHOLE * height
        if min(radii) <= 0 or max(*map(abs, (x, y)), *radii) > 100 * max(size):
            return None
        cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
        reach = max(radii) + 1
        left, right = max(int(x - reach), 0), min(int(x + reach) + 1, width)
        top, bottom = max(int(y - reach), 0), min(int(y + reach) + 1, height)
        across = np.arange(left, right)[None, :] + 0.5 - x
        down = np.arange(top, bottom)[:, None] + 0.5 - y
        along, beside = across * cos + down * sin, down * cos - across * sin
        return mask_of(label, (along / radii[0]) ** 2 + (beside / radii[1]) ** 2 <= 1, size, (left, top))

    def write(self, mask: Mask) -> dict[str, Any]:
        rows, columns = np.nonzero(part_of(mask))
        x, y = columns.mean() + 0.5, rows.mean() + 0.5
        # Pixels are squares, which are spread by a twelfth in themselves.
        spread = np.cov(np.stack([columns, rows]), bias=True) + np.eye(2) / 12
        values, vectors = np.linalg.eigh(spread)
        # An ellipse's variance along an axis is a quarter of its squared radius.
        radii = 2 * np.sqrt(values)
        radii *= math.sqrt(len(rows) / (math.pi * radii.prod()))  # and its area is the mask's
        # The axis nearest the horizontal is X: its radius counts in widths, and the other in heights.
        flat = int(np.abs(vectors[0]).argmax())
        rotation = math.degrees(math.atan2(vectors[1, flat], vectors[0, flat])) % 180
        return {
            "x": min(float(mask.left + x) / mask.width * WHOLE, WHOLE),
            "y": min(float(mask.top + y) / mask.height * WHOLE, WHOLE),
            # Label Studio takes no more than half of the image.
            "radiusX": min(float(radii[flat]) / mask.width * WHOLE, WHOLE / 2),
            "radiusY": min(float(radii[1 - flat]) / mask.height * WHOLE, WHOLE / 2),
            "rotation": rotation,
        }
