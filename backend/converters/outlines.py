"""Outlines of masks: filled, and traced with few corners.

An outline is one closed line of corners (n, 2), x and y in pixels, edges of pixels being whole numbers; what it goes
around an odd number of times is inside. One line may go around several parts and holes: between them it goes to and
fro over the same way, which encloses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.converters.masks import size_of
from model_zoo.masks import Bits

Outline = npt.NDArray[np.float64]

GRID = (1024, 1024)
"""Pixels that shapes are drawn on where a region does not say how large its image is, or it cannot be."""
SMALLEST = 8
"""Pixels of a side below which a size is none that an image to be labelled has."""
FARTHEST = 1e6
"""Pixels; no corner is farther outside."""
SLACK = 0.005
"""How far a traced outline may leave the true one, as a share of the box's diagonal; half a pixel is always allowed."""
NEGLIGIBLE = 0.02
"""Share of an object's pixels below which a part or a hole is left out."""
FINE = 300
"""Pixels of a box's longer side up to which outlines are traced on a finer grid."""


def grid_of(region: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of the grid that a region's shape is drawn on."""
    size = size_of(region)
    return size if size is not None and min(size) >= SMALLEST else GRID


def fill(outline: Outline, size: tuple[int, int]) -> Bits:
    """The pixels of an image of `size` (width, height) whose centres are inside."""
    width, height = size
    crossings = np.zeros((height, width + 1), np.int64)
    for (x, y), (to_x, to_y) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        first, last = (int(np.clip(np.ceil(end - 0.5), 0, height)) for end in sorted((y, to_y)))
        if first < last:
            rows = np.arange(first, last)
            at = x + (rows + 0.5 - y) * (to_x - x) / (to_y - y)
            # Every pixel whose centre is right of the line is on its other side.
            crossings[rows, np.clip(np.ceil(at - 0.5), 0, width).astype(np.int64)] += 1
    return np.cumsum(crossings, axis=1)[:, :width] % 2 == 1  # type: ignore[no-any-return]  # an array


def trace(part: Bits) -> Outline:
    """The outline of a mask's pixels, at least one, with few corners: it leaves the true one by no more than `SLACK`,
    and small parts and holes are missing."""
    import cv2

    rows, columns = part.shape
    finer = 4 if max(rows, columns) <= FINE else 2
    # Contours go through the centres of pixels, which on a finer grid are near their edges.
    grown = np.pad(part.astype(np.uint8).repeat(finer, 0).repeat(finer, 1), 1)
    found, tree = cv2.findContours(grown, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    slack = max(0.5, SLACK * float(np.hypot(rows, columns))) * finer
    areas = [cv2.contourArea(contour) for contour in found]
    kept = [area >= NEGLIGIBLE * float(part.sum()) * finer**2 for area in areas]
    kept[int(np.argmax(areas))] = True
    lines = []
    for number, contour in enumerate(found):
        within = tree[0][number][3]
        if not kept[number] or (within >= 0 and not kept[within]):
            continue
        line = cv2.approxPolyDP(contour, slack, True)[:, 0].astype(np.float64)
        if len(line) < 3:
            # Too thin to have corners: its box.
            left, top, wide, tall = cv2.boundingRect(contour)
            line = np.array([[left, top], [left + wide, top], [left + wide, top + tall], [left, top + tall]], float)
        lines.append((line - 0.5) / finer)  # without the padding, and from centres of pixels
    return joined(lines)


def joined(lines: Sequence[Outline]) -> Outline:
    """One line for all: each is joined to those before it where they are nearest."""
    whole = lines[0]
    for line in lines[1:]:
        far = np.linalg.norm(whole[:, None] - line[None], axis=2)
        here, there = np.unravel_index(int(far.argmin()), far.shape)
        round_trip = np.concatenate([line[there:], line[: there + 1]])
        whole = np.concatenate([whole[: here + 1], round_trip, whole[here:]])
    return whole
