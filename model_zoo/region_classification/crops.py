"""What is seen of a region: its box with a margin, for what it is part of tells as well what it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_zoo.image_classification.encoder import square
from model_zoo.images import read_image
from model_zoo.types import Box, Input, Item

MARGIN = 0.15
"""Added on each side, as a share of the longer one in pixels."""
WHOLE = 100.0


def crops(source: Input | None, regions: Sequence[Box]) -> list[Item]:
    """Each region as a network takes it. Raises `UnreadableInput`."""
    if not regions:
        return []
    pixels = read_image(source)
    height, width = pixels.shape[:2]
    found = []
    for box in regions:
        corners = np.array(box.corners) / WHOLE * [width, height, width, height]
        margin = MARGIN * float((corners[2:] - corners[:2]).max())
        left, top = (max(int(np.floor(edge - margin)), 0) for edge in corners[:2])
        right = max(min(int(np.ceil(corners[2] + margin)), width), left + 1)
        bottom = max(min(int(np.ceil(corners[3] + margin)), height), top + 1)
        # A region beyond the edge shows the pixels next to it.
        left, top = min(left, width - 1), min(top, height - 1)
        found.append(Item(square(np.ascontiguousarray(pixels[top:bottom, left:right]))))
    return found
