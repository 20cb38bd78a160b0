"""`PolygonLabels` on an image: outlined objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from backend.converters.geometry import WHOLE, is_number
from backend.converters.masks import MaskConverter, value_of
from backend.converters.outlines import FARTHEST, fill, grid_of, trace
from model_zoo.masks import mask_of, part_of
from model_zoo.types import Mask

MOST = 10_000
"""Corners; more are no work of people."""


class PolygonLabelsConverter(MaskConverter):
    """Corners in percent of the image's width and height. Written are as few as stay within `outlines.SLACK` of the
    object's edge; where it has several parts or holes, one line goes around all of them."""

    tag: ClassVar[str] = "PolygonLabels"
    shape: ClassVar[str] = "polygon"

    def read(self, region: Mapping[str, Any], label: str) -> Mask | None:
        points = value_of(region).get("points")
        if not isinstance(points, list) or not 3 <= len(points) <= MOST or not all(map(_is_point, points)):
            return None
        size = grid_of(region)
        outline = np.array(points, np.float64) / WHOLE * np.array(size)
        if np.abs(outline).max() > FARTHEST:
            return None
        return mask_of(label, fill(outline, size), size)

    def write(self, mask: Mask) -> dict[str, Any]:
        outline = trace(part_of(mask)) + np.array([mask.left, mask.top])
        percent = np.clip(outline / np.array([mask.width, mask.height]) * WHOLE, 0, WHOLE)
        return {"points": percent.round(4).tolist(), "closed": True}


def _is_point(point: Any) -> bool:
    return isinstance(point, list | tuple) and len(point) == 2 and all(map(is_number, point))
