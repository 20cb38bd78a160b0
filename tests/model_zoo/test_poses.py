from __future__ import annotations

import numpy as np
import pytest

from model_zoo.poses import USUAL_SIGMA, around, closeness, frames, match, points_of, sigmas, swapped
from model_zoo.types import Box, Keypoint, Pose


@pytest.mark.parametrize(
    ("names", "partners"),
    [
        (("nose", "left_eye", "right_eye"), (0, 2, 1)),
        (("snout", "leftear", "rightear", "tailbase"), (0, 2, 1, 3)),
        (("Left Paw", "RIGHT paw"), (1, 0)),
        (("eye-l", "eye-r"), (1, 0)),
        (("paw 1", "paw 2"), (0, 1)),
        (("left_eye", "nose"), None),
        ((), ()),
    ],
)
def test_sides_change_in_a_mirror_where_names_say_so(names: tuple[str, ...], partners: tuple[int, ...] | None) -> None:
    assert swapped(names) == partners


def test_points_that_coco_has_are_judged_as_it_judges_them() -> None:
    np.testing.assert_allclose(sigmas(["Left Hip", "nose", "tail"]), [0.107, 0.026, USUAL_SIGMA])


def test_a_point_one_spread_away_is_as_near_as_the_formula_says() -> None:
    near = closeness(np.float32([[10, 0]]), np.float32([[0, 0]]), np.float32(100 / 0.04), np.float32([0.1]))
    assert float(near[0]) == pytest.approx(np.exp(-0.5), abs=1e-5)


def test_objects_without_a_box_are_framed_by_their_points() -> None:
    poses = [Pose((Keypoint("a", 20, 50), Keypoint("b", 60, 50))), Pose((), Box(1, 2, 3, 4, "x"))]
    line, drawn = frames(poses, 100, 100)
    np.testing.assert_allclose(line, [14, 34, 66, 66], atol=1e-4)
    np.testing.assert_allclose(drawn, [1, 2, 3, 4])
    assert around(np.array([[0.0, 0.0]]), 100, 50) == (0, 0, 2.5, 1.25), "a single point has a frame, too"


def test_states_of_points() -> None:
    places, states = points_of([Pose((Keypoint("b", 1, 2), Keypoint("c", 3, 4, False), Keypoint("z", 0, 0)))], "abc")
    np.testing.assert_array_equal(states, [[0, 2, 1]])
    np.testing.assert_array_equal(places[0], [[0, 0], [1, 2], [3, 4]])


def test_the_unjudged_take_what_is_left() -> None:
    alike = np.float32([[0.9, 0.95], [0.8, 0.7], [0.6, 0.6]])
    assert match(alike, 0.5, np.array([True, False])).tolist() == [0, -2, -1]
