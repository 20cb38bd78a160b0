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
ROUNDED = 0.02
"""Share of a rectangle's diagonal by which its corners may be misplaced."""
SOME = 0.15
"""Share of boxes turned by more than that from which on a project's boxes are turned ones."""


def oriented(points: npt.ArrayLike, label: str, width: float, height: float) -> OrientedBox | None:
    """The rectangle with these corners (4, 2) in an image of that size; None where no part of it is inside."""
    corners: list[list[float]] = np.asarray(points, np.float64).tolist()
    left, top, right, bottom = hull(np.array([corners]), width, height)[0].tolist()
    if left >= right or top >= bottom:
        return None
    return OrientedBox(left, top, right, bottom, label, as_corners(corners))


def rectangle_of(numbers: Sequence[float]) -> FloatArray | None:
    """The corners (4, 2), clockwise, where `numbers` are x and y in turn of a rectangle's that is askew, as nearly as
    rounded numbers are; None for any other polygon."""
    if len(numbers) != 8:
        return None
    points = np.array(numbers, np.float64).reshape(1, 4, 2)
    diagonals = points[0, 2:] - points[0, :2]
    lengths = np.hypot(*diagonals.T)
    apart = np.hypot(*(points[0, ::2].mean(axis=0) - points[0, 1::2].mean(axis=0)))
    box = oriented(_clockwise(points)[0], "", np.inf, np.inf)
    if box is None or max(float(abs(lengths[0] - lengths[1])), float(apart)) > ROUNDED * float(lengths.max()):
        return None
    return quads([box])[0] if turned(box) else None


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
    one, other = np.nonzero(overlaps(hull(first).astype(np.float32), hull(second).astype(np.float32)) > 0)
    if len(one):
        table[one, other] = _shares(first[one], second[other])
    return table


def suppress_quads(points: FloatArray, scores: FloatArray, overlap: float) -> Indices:
    """As `boxes.suppress`, of turned rectangles."""
    order = np.argsort(-scores, kind="stable").astype(np.int64)
    stays: list[int] = []
    while len(order):
        best, order = int(order[0]), order[1:]
        stays.append(best)
        order = order[quad_overlaps(points[best : best + 1], points[order])[0] <= overlap]
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
    degrees = float(np.degrees(sides(quads([box]))[3][0]))
    return abs((degrees + 45) % 90 - 45) > SLIGHT


def are_turned(truths: Sequence[Target]) -> bool:
    """Whether enough of the boxes in these answers stand askew to be found as they are."""
    boxes = [piece for truth in truths if isinstance(truth, tuple) for piece in truth if isinstance(piece, Box)]
    return bool(boxes) and sum(map(turned, boxes)) >= SOME * len(boxes)


def _shares(first: FloatArray, second: FloatArray) -> npt.NDArray[np.float64]:
    """Intersection over union (n,) of rectangles, one with one. OpenCV's is wrong where edges lie on each other."""
    # Far from the origin, products of coordinates would lose what is small.
    origin = first[:, :1].astype(np.float64)
    one, other = _clockwise(first - origin), _clockwise(second - origin)
    shared = _shared(one, other)
    union = area(one) + area(other) - shared
    shares: npt.NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return np.clip(shares, 0, 1)


def _shared(points: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Areas (n,) that convex polygons share: `points` cut along each edge of the others in turn (Sutherland and Hodgman
    1974, "Reentrant polygon clipping", https://doi.org/10.1145/360767.360802). Missing corners repeat the first."""
    rows = np.arange(len(points))[:, None]
    for at in range(4):
        start, end = others[:, at, None], others[:, (at + 1) % 4, None]
        edge, before = end - start, np.roll(points, 1, axis=1)
        inner, outer = (_crossed(edge, line - start) for line in (points, before))
        inside = inner >= 0
        crosses = inside != (outer >= 0)
        part = np.divide(outer, outer - inner, out=np.zeros_like(outer), where=crosses)
        cuts = before + (points - before) * part[..., None]
        width = points.shape[1]
        both = np.stack([cuts, points], axis=2).reshape(len(points), 2 * width, 2)
        kept = np.stack([crosses, inside], axis=2).reshape(len(points), 2 * width)
        order = np.argsort(~kept, axis=1, kind="stable")[:, : width + 2]
        points, kept = both[rows, order], kept[rows, order]
        points = np.where(kept[..., None], points, points[:, :1])
        points = np.where(kept.any(axis=1)[:, None, None], points, 0.0)
    after = np.roll(points, -1, axis=1)
    areas: npt.NDArray[np.float64] = np.abs(_crossed(points, after).sum(axis=1)) / 2
    return areas


def _crossed(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    product: npt.NDArray[np.float64] = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return product


def _clockwise(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """With corners the other way round where they go counterclockwise."""
    wrong = _crossed(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]) < 0
    turned_round: npt.NDArray[np.float64] = np.where(wrong[:, None, None], points[:, ::-1], points)
    return turned_round
