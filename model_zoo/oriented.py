"""Geometry of turned rectangles as arrays of shape (n, 4, 2): x and y of their corners, clockwise.

Overlaps of polygons are the same in pixels and in percent of an image, where a turned rectangle is a parallelogram.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import Indices, as_array, overlaps
from model_zoo.types import Box, Corners, FloatArray, Mask, OrientedBox, Target

SLIGHT = 3.0
"""Degrees up to which a turn may be a slip of the mouse."""
SOME = 0.15
"""Share of boxes turned by more than that from which on a project's boxes are turned ones."""


def oriented(points: npt.ArrayLike, label: str, width: float, height: float) -> OrientedBox | None:
    """The rectangle with these corners (4, 2) in an image of that size; None where no part of it is inside."""
    corners: list[list[float]] = np.asarray(points, np.float64).tolist()
    left, top, right, bottom = hull(np.array([corners]), width, height)[0].tolist()
    if left >= right or top >= bottom:
        return None
    return OrientedBox(left, top, right, bottom, label, as_corners(corners))


def as_corners(points: Sequence[Sequence[float]]) -> Corners:
    """Four corners as a box has them."""
    first, second, third, fourth = ((float(x), float(y)) for x, y in points)
    return (first, second, third, fourth)


def hull(points: npt.NDArray[np.floating], width: float = np.inf, height: float = np.inf) -> npt.NDArray[np.float64]:
    """The upright boxes (n, 4) around rectangles, within an image of that size where one is given."""
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1).astype(np.float64)
    least = 0.0 if np.isfinite(width) else -np.inf
    within: npt.NDArray[np.float64] = np.clip(boxes, least, np.array([width, height] * 2))
    return within


def quads(boxes: Sequence[Box | Mask]) -> FloatArray:
    """Corners of shape (boxes, 4, 2); those of upright boxes, and of the boxes around masks, too."""
    table = as_array(boxes)[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    for at, box in enumerate(boxes):
        if isinstance(box, OrientedBox):
            table[at] = box.points
    return table


def box_overlaps(first: Sequence[Box | Mask], second: Sequence[Box | Mask]) -> FloatArray:
    """Intersection over union of each box of `first` with each of `second`, of shape (n, m), turned or not."""
    if any(isinstance(box, OrientedBox) for box in (*first, *second)):
        return quad_overlaps(quads(first), quads(second))
    return overlaps(as_array(first), as_array(second))


def quad_overlaps(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of each rectangle of `first` with each of `second`, of shape (n, m)."""
    table: FloatArray = np.zeros((len(first), len(second)), np.float32)
    if table.size:
        areas = area(first), area(second)
        near = overlaps(hull(first).astype(np.float32), hull(second).astype(np.float32)) > 0
        for one, other in np.argwhere(near).tolist():
            table[one, other] = _share(first[one], second[other], areas[0][one] + areas[1][other])
    return table


def suppress_quads(points: FloatArray, scores: FloatArray, overlap: float) -> Indices:
    """As `boxes.suppress`, of turned rectangles."""
    order = np.argsort(-scores, kind="stable").astype(np.int64)
    hulls, areas = hull(points).astype(np.float32), area(points)
    stays: list[int] = []
    while len(order):
        best, order = int(order[0]), order[1:]
        stays.append(best)
        near = np.flatnonzero(overlaps(hulls[best : best + 1], hulls[order])[0] > 0)
        over = [at for at in near if _share(points[best], points[order[at]], areas[best] + areas[order[at]]) > overlap]
        order = np.delete(order, over)
    return np.array(stays, np.int64)


def area(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Areas (n,) of convex polygons of four corners."""
    diagonals = (points[:, 2:] - points[:, :2]).astype(np.float64)
    crossed = diagonals[:, 0, 0] * diagonals[:, 1, 1] - diagonals[:, 0, 1] * diagonals[:, 1, 0]
    areas: npt.NDArray[np.float64] = np.abs(crossed) / 2
    return areas


def sides(points: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.floating], Any, Any, Any]:
    """Centres (n, 2), widths, heights and turns in radians (n,) of rectangles, in [-pi, pi]: clockwise on the image."""
    across, down = points[:, 1] - points[:, 0], points[:, 3] - points[:, 0]
    turn = np.arctan2(across[:, 1], across[:, 0])
    return points.mean(axis=1), np.hypot(*across.T), np.hypot(*down.T), turn


def turned(box: Box) -> bool:
    """Whether a box stands askew by more than a slip of the mouse, and is not merely laid on another side."""
    if not isinstance(box, OrientedBox):
        return False
    degrees = np.degrees(sides(quads([box]))[3][0])
    return abs((degrees + 45) % 90 - 45) > SLIGHT


def are_turned(truths: Sequence[Target]) -> bool:
    """Whether enough of the boxes in these answers stand askew to be found as they are."""
    boxes = [piece for truth in truths if isinstance(truth, tuple) for piece in truth if isinstance(piece, Box)]
    return bool(boxes) and sum(map(turned, boxes)) >= SOME * len(boxes)


def _share(first: FloatArray, second: FloatArray, areas: float) -> float:
    import cv2

    # Far from the origin single precision would be too coarse.
    origin = first[0]
    shared, _ = cv2.intersectConvexConvex((first - origin).astype(np.float32), (second - origin).astype(np.float32))
    return min(float(shared / (areas - shared)), 1.0) if areas > shared else 0.0
