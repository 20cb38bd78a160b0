"""A mask as the regions of a control: painted (brush), as a bitmap, or outlined.

Small on purpose: where the converters of these controls write masks themselves, this calls them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from model_zoo.interactive.prompts import Mask

SLACK = 0.004
"""How far an outline may leave the mask, as a share of its perimeter."""
PIECE = 0.1
"""Share of the largest piece from which on another piece gets an outline, too."""
MOST_PIECES = 4


def values(tag: str, mask: Mask) -> list[dict[str, Any]]:
    """The `value` of each region that shows the mask, without labels: one, or an outline a piece. None for an empty
    mask."""
    return _WRITERS[tag](mask) if mask.any() else []


def _brush(mask: Mask) -> list[dict[str, Any]]:
    from label_studio_sdk.converter.brush import mask2rle

    rle: list[int] = mask2rle(mask.astype(np.uint8) * 255)  # type: ignore[no-untyped-call]  # the SDK has not annotated it
    return [{"format": "rle", "rle": [int(value) for value in rle]}]


def _bitmask(mask: Mask) -> list[dict[str, Any]]:
    from PIL import Image

    picture = Image.fromarray(mask.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 0, 0, 0])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=0, bits=1)
    return [{"imageDataURL": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()}]


def _polygon(mask: Mask) -> list[dict[str, Any]]:
    import cv2

    height, width = mask.shape
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pieces = sorted(contours, key=cv2.contourArea, reverse=True)
    least = PIECE * cv2.contourArea(pieces[0])
    found = []
    for contour in pieces[:MOST_PIECES]:
        corners = cv2.approxPolyDP(contour, max(1.0, SLACK * cv2.arcLength(contour, True)), True)[:, 0]
        if len(corners) < 3:
            left, top, wide, tall = cv2.boundingRect(contour)
            corners = np.array([[left, top], [left + wide, top], [left + wide, top + tall], [left, top + tall]])
        if cv2.contourArea(contour) >= least:
            # Contours go through the centres of pixels.
            percent = (corners + 0.5) / (width, height) * 100
            found.append({"points": np.clip(percent, 0, 100).round(3).tolist(), "closed": True})
    return found


_WRITERS: Mapping[str, Callable[[Mask], list[dict[str, Any]]]] = {
    "BrushLabels": _brush,
    "BitmaskLabels": _bitmask,
    "PolygonLabels": _polygon,
}
