from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.boxes import as_array, box, match, overlaps, suppress
from model_zoo.types import Box, FloatArray

side = st.integers(0, 40)


def corners(*rows: tuple[float, float, float, float]) -> FloatArray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_corners_there_and_back() -> None:
    drawn = Box(1.0, 2.5, 30.0, 40.0, "a")
    assert box(as_array([drawn])[0], "a") == drawn
    assert as_array([]).shape == (0, 4)


def test_overlap_is_intersection_over_union() -> None:
    shares = overlaps(corners((0, 0, 10, 10)), corners((0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10), (2, 2, 4, 4)))
    np.testing.assert_allclose(shares, [[1, 1 / 3, 0, 0.04]], rtol=1e-6)


def test_empty_boxes_overlap_nothing() -> None:
    assert overlaps(corners((3, 3, 3, 3)), corners((3, 3, 3, 3), (0, 0, 9, 9))).tolist() == [[0, 0]]
    assert overlaps(corners(), corners((0, 0, 1, 1))).shape == (0, 1)


@given(st.lists(st.tuples(side, side, side, side), max_size=12), st.floats(0.1, 0.9))
def test_what_stays_overlaps_nothing_better_too_much(rows: list[tuple[int, int, int, int]], least: float) -> None:
    boxes = corners(*((left, top, left + width + 1, top + height + 1) for left, top, width, height in rows))
    scores = np.linspace(1, 0, len(rows)).astype(np.float32)
    stays = suppress(boxes, scores, least)
    assert sorted(stays.tolist()) == stays.tolist(), "the best come first"
    shares = overlaps(boxes, boxes)
    for index in range(len(rows)):
        beaten = any(shares[index, other] > least for other in stays if other < index)
        assert (index in stays) != beaten


def test_a_suppressed_box_suppresses_nothing() -> None:
    chain = corners((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))
    assert suppress(chain, np.float32([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]


def test_each_true_box_is_found_once_by_the_best() -> None:
    true = corners((0, 0, 10, 10), (20, 0, 30, 10))
    found = corners((1, 0, 11, 10), (0, 0, 10, 10), (21, 0, 31, 10), (50, 50, 60, 60))
    assert match(found, true, 0.5).tolist() == [0, -1, 1, -1]
    assert match(found, corners(), 0.5).tolist() == [-1] * 4
    assert match(corners(), true, 0.5).tolist() == []


@pytest.mark.parametrize(("least", "expected"), [(0.3, [0]), (0.34, [-1])])
def test_least_overlap_counts(least: float, expected: list[int]) -> None:
    matched: npt.NDArray[np.int64] = match(corners((5, 0, 15, 10)), corners((0, 0, 10, 10)), least)
    assert matched.tolist() == expected
