from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from model_zoo.errors import UnreadableInput
from model_zoo.object_detection.pixels import GREY, fit, resize, same_shapes

SIDE = 64


def picture(width: int, height: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), 200, np.uint8)


@pytest.mark.parametrize(
    ("size", "frame"),
    [
        ((640, 480), (64, 64)),
        ((480, 640), (64, 64)),
        ((640, 100), (64, 32)),
        ((1, 1), (64, 64)),
        ((4000, 30), (64, 32)),
    ],
)
def test_longer_side_is_scaled_and_the_shorter_padded(size: tuple[int, int], frame: tuple[int, int]) -> None:
    fitted = fit(picture(*size), SIDE, 32)
    assert fitted.pixels.shape == (frame[1], frame[0], 3)
    assert (fitted.width, fitted.height) == size
    assert set(np.unique(fitted.pixels)) <= {GREY, 200}


@pytest.mark.parametrize("size", [(640, 480), (333, 1000), (50, 20)])
def test_boxes_come_back_to_where_they_were(size: tuple[int, int]) -> None:
    fitted = fit(picture(*size), 416, 32)
    box = np.float32([[0.1 * size[0], 0.2 * size[1], 0.7 * size[0], 0.9 * size[1]]])
    inside = box * fitted.scale + np.float32([fitted.left, fitted.top] * 2)
    np.testing.assert_allclose(fitted.restore(inside), box, atol=0.01)


def test_what_leaves_the_image_is_cut() -> None:
    fitted = fit(picture(100, 50), SIDE, 32)
    assert fitted.restore(np.float32([[-500, -500, 500, 500]])).tolist() == [[0, 0, 100, 50]]


def test_an_image_on_its_side_is_turned_first(tmp_path: Path) -> None:
    image = Image.fromarray(picture(60, 40))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    fitted = fit(tmp_path / "turned.jpg", SIDE, 32)
    assert (fitted.width, fitted.height) == (40, 60)


def test_a_large_photograph_keeps_its_own_measures(tmp_path: Path) -> None:
    """JPEGs are decoded smaller than they are; boxes must not notice."""
    Image.fromarray(picture(3000, 2000)).save(tmp_path / "large.jpg")
    fitted = fit(tmp_path / "large.jpg", SIDE, 32)
    assert (fitted.width, fitted.height) == (3000, 2000)
    assert fitted.restore(np.float32([[0, 0, 64, 64]]))[0, 2] == 3000


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    with pytest.raises(UnreadableInput):
        fit(tmp_path / "text.jpg", SIDE, 32)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    pixels = picture(10, 10)
    assert resize(pixels, (10, 10)) is pixels
    assert resize(pixels, (4, 7)).shape == (7, 4, 3)


def test_batches_are_of_one_shape() -> None:
    fitted = [fit(picture(*size), SIDE, 32) for size in [(64, 64), (64, 20), (64, 64), (64, 60), (64, 10)]]
    assert sorted(map(sorted, same_shapes(fitted, 2))) == [[0, 2], [1, 4], [3]]
    assert list(same_shapes([], 2)) == []
