"""Geometry of turned rectangles, against polygons clipped by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_zoo.boxes import as_array, overlaps
from model_zoo.oriented import (
    are_turned,
    area,
    box_overlaps,
    oriented,
    quad_overlaps,
    quads,
    rectangle_of,
    suppress_quads,
    turned,
)
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.types import Box, FloatArray, LabelSpace, OrientedBox, OrientedOutput


def rectangle(x: float, y: float, width: float, height: float, degrees: float) -> FloatArray:
    """Corners (4, 2) of a rectangle about its centre."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    sides = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    corners: FloatArray = (sides @ np.array([[cos, sin], [-sin, cos]]) + [x, y]).astype(np.float32)
    return corners


def box(x: float, y: float, width: float, height: float, degrees: float, label: str = "a") -> OrientedBox:
    made = oriented(rectangle(x, y, width, height, degrees), label, 1000, 1000)
    assert made is not None
    return made


def clipped(subject: FloatArray, other: FloatArray) -> float:
    """The area that two convex polygons share (Sutherland and Hodgman)."""
    points = [point.astype(float) for point in subject]
    for start, end in zip(other, np.roll(other, -1, axis=0), strict=True):
        edge = (end - start).astype(float)
        inside = [edge[0] * (p[1] - start[1]) - edge[1] * (p[0] - start[0]) for p in points]
        kept = []
        for at, point in enumerate(points):
            if (inside[at - 1] >= 0) != (inside[at] >= 0):
                kept.append(points[at - 1] + (point - points[at - 1]) * inside[at - 1] / (inside[at - 1] - inside[at]))
            if inside[at] >= 0:
                kept.append(point)
        points = kept
    if len(points) < 3:
        return 0.0
    xs, ys = np.array(points).T
    return 0.5 * abs(float((xs * np.roll(ys, -1) - ys * np.roll(xs, -1)).sum()))


places = st.tuples(
    st.floats(40, 60), st.floats(40, 60), st.floats(5, 50), st.floats(5, 50), st.one_of(st.floats(0, 360), st.just(0.0))
)


@given(places, places)
@settings(max_examples=200, deadline=None)
def test_overlap_is_that_of_the_polygons_in_any_unit(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    first, second = rectangle(*one), rectangle(*other)  # type: ignore[arg-type]  # five floats
    shared = clipped(first, second)
    wanted = shared / (one[2] * one[3] + other[2] * other[3] - shared)
    stretched = np.array([3, 0.4], np.float32)
    for unit in (1, stretched):
        found = quad_overlaps(first[None] * unit, second[None] * unit)[0, 0]
        assert found == pytest.approx(wanted, abs=2e-3)


def test_upright_boxes_overlap_as_ever() -> None:
    boxes = [Box(0, 0, 10, 10, "a"), Box(5, 0, 15, 10, "a"), Box(20, 0, 30, 10, "a")]
    np.testing.assert_array_equal(box_overlaps(boxes, boxes), overlaps(as_array(boxes), as_array(boxes)))
    mixed = [*boxes, box(5, 5, 10, 10, 0.001)]
    np.testing.assert_allclose(box_overlaps(mixed, boxes)[:3], box_overlaps(boxes, boxes), atol=1e-5)
    assert box_overlaps(mixed, boxes)[3].tolist() == pytest.approx([1, 1 / 3, 0], abs=1e-3)
    assert box_overlaps([], mixed).shape == (0, 4)


def test_areas_and_the_box_around() -> None:
    made = box(500, 500, 100, 50, 90)
    assert made.corners == pytest.approx((475, 450, 525, 550))
    assert area(quads([made, Box(0, 0, 4, 5, "a")])).tolist() == pytest.approx([5000, 20])
    outside = oriented(rectangle(-100, -100, 10, 10, 45), "a", 1000, 1000)
    assert outside is None
    assert box(0, 0, 100, 50, 45).left == 0


def test_long_neighbours_stand_side_by_side() -> None:
    """Whose upright boxes are next to the same."""
    first, second, third = (rectangle(500 + 25 * at, 500 - 25 * at, 200, 20, 45) for at in range(3))
    points = np.stack([first, first + 2, second, third])
    stays = suppress_quads(points, np.array([0.8, 0.9, 0.7, 0.6], np.float32), 0.5)
    assert stays.tolist() == [1, 2, 3]
    assert suppress_quads(points[:0], np.empty(0, np.float32), 0.5).tolist() == []


def test_decided_as_they_stand() -> None:
    points = np.stack([rectangle(500, 500, 200, 20, 45), rectangle(525, 475, 200, 20, 45)])
    boxes = np.array([box(500, 500, 200, 20, 45).corners, box(525, 475, 200, 20, 45).corners], np.float32)
    probabilities = np.array([[0.9], [0.8]], np.float32)
    output = OrientedOutput(boxes, probabilities, 1000, 1000, points)
    labels = LabelSpace(("a",))
    truths = (box(500, 500, 200, 20, 45), box(525, 475, 200, 20, 45))
    decision = DetectionPostprocess.uncalibrated(labels).decide(output, labels)
    np.testing.assert_allclose(box_overlaps(decision.boxes, truths), np.eye(2), atol=0.01)
    fitted = DetectionPostprocess.fit([output] * 12, [truths] * 12, labels)
    assert fitted.overlap <= 0.6, "they do not overlap as they stand"
    assert len(fitted.decide(output, labels).boxes) == 2


@pytest.mark.parametrize(
    ("degrees", "wanted"), [(0.5, False), (30, True), (-30, True), (92, False), (179, False), (135, True)]
)
def test_what_is_turned(degrees: float, wanted: bool) -> None:
    assert turned(box(500, 500, 50, 40, degrees)) is wanted


@pytest.mark.parametrize("degrees", [20, 100, -60])
def test_four_corners_may_be_a_rectangle(degrees: float) -> None:
    points = rectangle(500, 500, 80, 40, degrees)
    for given_points in (points, points[::-1], np.roll(points, 1, axis=0), points.round()):
        found = rectangle_of(given_points.ravel().tolist())
        assert found is not None
        assert quad_overlaps(found[None], points[None])[0, 0] > 0.95
        across, down = found[1] - found[0], found[3] - found[0]
        assert across[0] * down[1] - across[1] * down[0] > 0
    kite = [500, 500, 540, 520, 600, 500, 540, 470]
    upright = rectangle(500, 500, 80, 40, 0).ravel().tolist()
    assert [rectangle_of(other) for other in (kite, upright, [1.0, 2.0, 3.0])] == [None] * 3


def test_some_turned_ones_ask_for_a_detector_of_such() -> None:
    upright, askew = Box(0, 0, 10, 10, "a"), box(500, 500, 50, 40, 20)
    assert not are_turned([(), (upright,) * 9, (askew,)])
    assert are_turned([(upright,) * 4, (askew,)])
    assert not are_turned([(), frozenset({"a"})])
