"""Points go with their images into augmented views."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.keypoints.hyperparameters import ANY, SLIGHT, turn_for
from model_zoo.object_detection.marks import Marks
from model_zoo.object_detection.views import Augmentation, Picture, view

SIDE = 96
SAME = Augmentation(zoom=1.0, shift=0.0, mosaic=0.0, colour=0.0, mirror=False)


def picture() -> Picture:
    """Two white dots of different sizes on black, a point on each."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[34:47, 24:37] = 255
    pixels[65:76, 95:106] = 255
    marks = Marks(np.float32([[[30.5, 40.5], [100.5, 70.5]]]), np.array([[2, 1]]), np.array([True]))
    return Picture(pixels, np.float32([[20, 30, 110, 80]]), np.array([0]), marks=marks)


@pytest.mark.parametrize(
    "how",
    [
        SAME,
        Augmentation(zoom=1.3, shift=0.1, mosaic=0.0, colour=0.0, mirror=False, turn=180.0),
        Augmentation(zoom=1.0, shift=0.0, mosaic=0.0, colour=0.0, mirror=True, turn=20.0),
        Augmentation(zoom=1.2, mosaic=1.0, colour=0.0),
    ],
)
def test_points_stay_on_what_they_mark(how: Augmentation) -> None:
    random = np.random.default_rng(0)
    checked = 0
    for _ in range(20):
        seen = view([picture()], 0, SIDE, how, random)
        assert seen.marks is not None
        for places, states in zip(seen.marks.places, seen.marks.states, strict=True):
            for (x, y), state in zip(places, states, strict=True):
                if state and min(x, y) > 2 and max(x, y) < SIDE - 2:
                    checked += 1
                    assert seen.pixels[int(y), int(x), 0] > 100
    assert checked > 10


def test_masks_turn_and_mirror_as_pixels_and_points_do() -> None:
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[30:70, 40:120] = 255
    marks = Marks(np.float32([[[60.0, 40.0], [110.0, 60.0]]]), np.array([[2, 2]]), np.array([False]))
    objects = (pixels[..., 0] > 0).astype(np.uint16)
    one = Picture(pixels, np.float32([[40, 30, 120, 70]]), np.array([0]), objects, marks)
    how = Augmentation(zoom=1.2, shift=0.05, mosaic=0.0, colour=0.0, turn=180.0)
    random = np.random.default_rng(0)
    for _ in range(20):
        seen = view([one], 0, SIDE, how, random)
        assert seen.objects is not None
        assert seen.marks is not None
        white = seen.pixels[..., 0] > 185
        assert (white & (seen.objects == 1)).sum() > 0.85 * (white | (seen.objects == 1)).sum()
        for (x, y), state in zip(seen.marks.places[0], seen.marks.states[0], strict=True):
            assert not state or seen.objects[min(int(y), SIDE - 1), min(int(x), SIDE - 1)] == 1


def test_partners_change_places_in_a_mirror() -> None:
    marks = picture().marks
    assert marks is not None
    kept, swapped = marks.mirrored(160, ()), marks.mirrored(160, (1, 0))
    np.testing.assert_allclose(kept.places[0], [[129.5, 40.5], [59.5, 70.5]])
    np.testing.assert_allclose(swapped.places[0], kept.places[0][::-1])
    np.testing.assert_array_equal(swapped.states, [[1, 2]])


def test_points_outside_of_a_view_are_unknown_there() -> None:
    marks = picture().marks
    assert marks is not None
    np.testing.assert_array_equal(marks.within(90, 90).states, [[2, 0]])


def test_views_turn_as_far_as_the_objects_do() -> None:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    every_way = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    upright = np.float32([[0, -1]] * 12)
    assert turn_for([every_way]) == ANY
    assert turn_for([upright]) == turn_for([]) == turn_for([every_way[:3]]) == SLIGHT


def test_what_faces_left_or_right_is_not_turned_upside_down() -> None:
    either_way = np.float32([[60, -8], [-60, -8]] * 4)
    assert turn_for([either_way]) == ANY, "without a mirror"
    assert turn_for([either_way], [either_way]) == SLIGHT
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    every_way = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert turn_for([every_way], [every_way]) == ANY
