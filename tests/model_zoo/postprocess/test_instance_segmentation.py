"""From candidates with mixed masks to decisions: drawn in pixels, judged by them, fitted to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from model_zoo.errors import CheckpointError
from model_zoo.masks import mask_of, pixels
from model_zoo.postprocess import InstancePostprocess
from model_zoo.postprocess.instance_segmentation import compared
from model_zoo.types import DetectionOutput, InstanceOutput, LabelSpace, Mask

TWO = LabelSpace(("a", "b"))
PLAIN = InstancePostprocess.uncalibrated(TWO)


def halves(
    *rows: tuple[float, float, float, float, float, float, int], size: tuple[int, int] = (80, 40)
) -> InstanceOutput:
    """Candidates: corners, the probability of both labels, and which picture they are: the left half or the top."""
    basis = np.full((2, 10, 20), -1, np.float16)
    basis[0, :, :10] = 1
    basis[1, :5] = 1
    table = np.array(rows, np.float32).reshape(-1, 7)
    coefficients = np.eye(2, dtype=np.float32)[table[:, 6].astype(int)]
    return InstanceOutput(table[:, :4], table[:, 4:6], *size, coefficients, basis, (0.0, 0.0, 20.0, 10.0))


def true(label: str, left: int, top: int, right: int, bottom: int) -> Mask:
    picture = np.zeros((40, 80), np.bool_)
    picture[top:bottom, left:right] = True
    mask = mask_of(label, picture, (80, 40))
    assert mask is not None
    return mask


def test_masks_are_drawn_within_their_boxes() -> None:
    decision = PLAIN.decide(halves((20, 10, 60, 30, 0.9, 0.1, 0), (0, 0, 80, 40, 0.1, 0.8, 1)), TWO)
    assert [(mask.label, mask.corners) for mask in decision.target] == [("a", (20, 10, 40, 30)), ("b", (0, 0, 80, 20))]
    assert decision.scores == pytest.approx((0.9, 0.8))
    assert pixels(decision.masks[0]).sum() == 20 * 20
    assert 0 <= decision.uncertainty <= 1


def test_an_object_without_a_pixel_is_not_shown() -> None:
    assert PLAIN.decide(halves((50, 10, 70, 30, 0.9, 0.1, 0)), TWO).masks == ()


def test_suppressed_by_boxes_as_detections_are() -> None:
    crowd = [(20, 10, 60 + step, 30, 0.9 - step / 10, 0.1, 0) for step in range(3)]
    assert len(PLAIN.decide(halves(*crowd), TWO).masks) == 1


def test_a_mask_within_another_is_not_shown_again() -> None:
    """Half of a box shows the same half of the picture in a box of its own."""
    again = halves((0, 0, 40, 40, 0.9, 0.01, 0), (0, 0, 40, 18, 0.6, 0.01, 0), (0, 0, 80, 20, 0.5, 0.01, 1))
    assert PLAIN.decide(again, TWO).scores == pytest.approx((0.9, 0.5))
    other = halves((0, 0, 40, 40, 0.9, 0.01, 0), (0, 0, 40, 18, 0.01, 0.6, 0))
    assert len(PLAIN.decide(other, TWO).masks) == 2


def test_where_people_paint_masks_within_others_found_ones_may_be() -> None:
    whole, part = true("a", 0, 0, 40, 40), true("a", 0, 0, 40, 18)
    output = halves((0, 0, 40, 40, 0.9, 0.01, 0), (0, 0, 40, 18, 0.8, 0.01, 0))
    process = InstancePostprocess.fit([output] * 12, [(whole, part)] * 12, TWO)
    assert process.covered == 1
    assert len(process.decide(output, TWO).masks) == 2


def test_versions_from_before_masks_were_compared_are_read() -> None:
    stored = {name: value for name, value in PLAIN.to_json().items() if name != "covered"}
    assert InstancePostprocess.from_json(stored) == PLAIN
    with pytest.raises(CheckpointError, match="covered"):
        InstancePostprocess.from_json({**stored, "covered": "all"})


def test_overlaps_are_those_of_masks() -> None:
    output = halves((0, 0, 80, 40, 0.9, 0.1, 0), (0, 0, 80, 40, 0.1, 0.8, 1))
    shares = PLAIN.shares(output, np.arange(2), (true("a", 0, 0, 40, 40), true("b", 0, 0, 80, 20)))
    np.testing.assert_allclose(shares, [[1, 1 / 3], [1 / 3, 1]], atol=0.05)


def test_far_apart_nothing_is_drawn_to_be_compared() -> None:
    assert PLAIN.shares(halves((0, 0, 20, 20, 0.9, 0.1, 0)), np.arange(1), (true("a", 60, 20, 80, 40),)).sum() == 0


def test_large_images_are_compared_smaller() -> None:
    assert compared(halves((0, 0, 9, 9, 0.9, 0.1, 0), size=(6400, 3200))) == (640, 320)
    assert compared(halves((0, 0, 9, 9, 0.9, 0.1, 0))) == (80, 40)


def test_fitted_to_what_masks_are_worth() -> None:
    """Boxes that are right with masks that are wrong teach that the model is wrong."""
    output = halves((0, 0, 80, 40, 0.6, 0.01, 0))
    good, bad = [true("a", 0, 0, 40, 40)], [true("a", 0, 0, 80, 40)]
    bad[0] = true("a", 42, 0, 80, 40)

    def fitted(truth: Sequence[Mask]) -> float:
        process = InstancePostprocess.fit([output] * 20, [tuple(truth)] * 20, TWO)
        return float(process.stay(output)[1][0])

    assert fitted(good) > 0.6 > fitted(bad)
    assert InstancePostprocess.fit([None], [tuple(good)], TWO) == PLAIN


def test_kept_as_json() -> None:
    process = InstancePostprocess.fit(
        [halves((0, 0, 40, 40, 0.6, 0.01, 0))] * 12, [(true("a", 0, 0, 40, 40),)] * 12, TWO
    )
    assert InstancePostprocess.from_json(process.to_json()) == process


def test_boxes_alone_are_refused() -> None:
    boxes = DetectionOutput(np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32), 9, 9)
    with pytest.raises(TypeError, match="wanted an InstanceOutput"):
        PLAIN.decide(boxes, TWO)
