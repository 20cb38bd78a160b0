"""Masks packed and unpacked, scaled and compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.masks import box_around, mask_of, mask_overlaps, numbered, pixels, resized
from model_zoo.types import Box, Mask

Bits = npt.NDArray[np.bool_]

pictures = st.builds(
    lambda width, height, seed, share: np.random.default_rng(seed).random((height, width)) < share,
    *[st.integers(1, 30)] * 2,
    st.integers(0, 99),
    st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)


def made(picture: Bits, label: str = "a") -> Mask:
    mask = mask_of(label, picture, picture.shape[::-1])
    assert mask is not None
    return mask


def square(left: int, top: int, side: int, label: str = "a", size: tuple[int, int] = (40, 30)) -> Mask:
    picture = np.zeros(size[::-1], np.bool_)
    picture[top : top + side, left : left + side] = True
    return made(picture, label)


@given(pictures)
def test_packed_and_unpacked(picture: Bits) -> None:
    mask = mask_of("a", picture, picture.shape[::-1])
    assert (mask is None) == (not picture.any())
    if mask is not None:
        np.testing.assert_array_equal(pixels(mask), picture)
        assert mask == made(pixels(mask)), "however it was made, the same mask is equal"
        assert len(mask.bits) <= picture.size // 8 + 1


@given(pictures, st.integers(-40, 40), st.integers(-40, 40))
def test_what_lies_outside_of_the_image_is_left_out(picture: Bits, left: int, top: int) -> None:
    whole = np.zeros((130, 130), np.bool_)
    whole[40 + top : 40 + top + picture.shape[0], 40 + left : 40 + left + picture.shape[1]] = picture
    seen = whole[40:60, 40:65]
    mask = mask_of("a", picture, (25, 20), (left, top))
    np.testing.assert_array_equal(pixels(mask) if mask else np.zeros_like(seen), seen)


@given(pictures, st.integers(1, 4))
def test_scaled_up_and_down_again(picture: Bits, factor: int) -> None:
    if picture.any():
        mask = made(picture)
        larger = resized(mask, mask.width * factor, mask.height * factor)
        assert larger is not None
        np.testing.assert_array_equal(pixels(larger), np.kron(picture, np.ones((factor, factor), np.bool_)))
        assert resized(larger, mask.width, mask.height) == mask


def test_too_small_to_be_seen() -> None:
    assert resized(square(0, 0, 1), 4, 3) is None


@given(pictures, st.integers(0, 99))
def test_overlaps_are_those_of_the_pixels(picture: Bits, seed: int) -> None:
    other = np.random.default_rng(seed).random(picture.shape) < 0.3
    if picture.any() and other.any():
        shared = float((picture & other).sum() / (picture | other).sum())
        assert abs(mask_overlaps([made(picture)], [made(other)])[0, 0] - shared) < 1e-6


def test_overlaps_of_several_and_of_none() -> None:
    table = mask_overlaps(
        [square(0, 0, 10), square(20, 0, 10)], [square(0, 0, 10), square(0, 5, 10), square(30, 20, 5)]
    )
    np.testing.assert_allclose(table, [[1, 1 / 3, 0], [0, 0, 0]], atol=1e-6)
    assert mask_overlaps([], [square(0, 0, 1)]).shape == (0, 1)


def test_images_of_two_sizes_are_compared_in_the_first() -> None:
    assert mask_overlaps([square(0, 0, 10)], [square(0, 0, 20, size=(80, 60))])[0, 0] == 1


def test_box_around() -> None:
    assert box_around(square(3, 4, 10, "b")) == Box(3, 4, 13, 14, "b")


def test_of_several_at_one_place_the_smallest_is_seen() -> None:
    drawn = numbered([square(5, 5, 4), square(0, 0, 20), square(30, 20, 5)], 40, 30)
    assert (drawn[6, 6], drawn[1, 1], drawn[22, 32], drawn[0, 39]) == (1, 2, 3, 0)
