from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_zoo.object_detection.views import Augmentation, Picture, plain, view

SIDE = 96
SAME = Augmentation(zoom=1.0, shift=0.0, mosaic=0.0, colour=0.0, mirror=False)


def picture(left: int = 30, top: int = 40, size: int = 20, label: int = 0) -> Picture:
    """A white square on black, with its box."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[top : top + size, left : left + size] = 255
    return Picture(pixels, np.float32([[left, top, left + size, top + size]]), np.array([label]))


def white(shown: Picture) -> list[float]:
    """Where the white square really is."""
    rows, columns = np.nonzero(shown.pixels[..., 0] > 130)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize(
    "how",
    [
        SAME,
        replace(SAME, zoom=1.5),
        replace(SAME, shift=0.2),
        replace(SAME, mirror=True),
        Augmentation(mosaic=0, colour=0),
    ],
)
def test_boxes_stay_on_their_objects(how: Augmentation) -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        seen = view([picture()], 0, SIDE, how, random)
        assert seen.pixels.shape == (SIDE, SIDE, 3)
        if len(seen.boxes):
            np.testing.assert_allclose(seen.boxes[0], white(seen), atol=2.0)


def test_a_plain_view_is_the_image_in_a_square() -> None:
    seen = plain(picture(), SIDE)
    np.testing.assert_allclose(seen.boxes[0], np.array([30, 40, 50, 60]) * 0.6 + [0, 12, 0, 12], atol=0.01)
    np.testing.assert_allclose(seen.boxes[0], white(seen), atol=1.5)


def test_a_mosaic_shows_several_images_each_box_in_its_tile() -> None:
    pictures = [picture(label=label) for label in range(4)]
    random = np.random.default_rng(0)
    seen = view(pictures, 2, SIDE, replace(SAME, mosaic=1.0), random)
    assert len(seen.boxes) == len(seen.labels) == 4
    assert seen.labels[0] == 2, "the image itself is in the first tile"
    assert (seen.boxes >= 0).all()
    assert (seen.boxes <= SIDE).all()


def test_an_object_that_is_hardly_in_view_is_no_object() -> None:
    edge = picture(left=140, size=20)
    random = np.random.default_rng(0)
    seen = [view([edge], 0, SIDE, replace(SAME, shift=0.5), random) for _ in range(40)]
    shown = [(one.pixels[..., 0] > 180).sum() for one in seen if not len(one.boxes)]
    assert shown, "some views leave it out"
    assert max(shown) < 0.3 * (20 * 0.6) ** 2


def test_images_without_objects_have_views_too() -> None:
    empty = replace(picture(), boxes=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64))
    seen = view([empty], 0, SIDE, Augmentation(mosaic=1.0), np.random.default_rng(0))
    assert seen.boxes.shape == (0, 4)


def test_the_same_random_numbers_give_the_same_view() -> None:
    one, other = (view([picture()], 0, SIDE, Augmentation(), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.boxes, other.boxes)


def test_colours_change_and_places_do_not() -> None:
    coloured = Picture(np.full((96, 96, 3), (200, 80, 60), np.uint8), picture().boxes, picture().labels)
    seen = view([coloured], 0, SIDE, replace(SAME, colour=1.0), np.random.default_rng(0))
    assert np.abs(seen.pixels.astype(int) - coloured.pixels).max() > 5
    np.testing.assert_array_equal(seen.boxes, coloured.boxes)
