"""Maps: which labels are shown, where, and how sure."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.errors import CheckpointError
from model_zoo.masks import mask_of, pixels
from model_zoo.postprocess import SegmentationPostprocess, postprocess_of
from model_zoo.types import DetectionOutput, FloatArray, LabelSpace, Masks, SegmentationOutput, TaskKind

LABELS = LabelSpace(("a", "b"))
USUAL = SegmentationPostprocess.uncalibrated(LABELS)


def output(*planes: FloatArray, size: tuple[int, int] | None = None) -> SegmentationOutput:
    """Cells of these probabilities for a, b and none of them."""
    probabilities = np.stack(planes).astype(np.float32)
    rows, columns = probabilities.shape[1:]
    return SegmentationOutput(probabilities, (0.0, 0.0, float(columns), float(rows)), *(size or (columns, rows)))


def halves(sure: float, size: tuple[int, int] | None = None) -> SegmentationOutput:
    """`a` on the left, `b` on the right."""
    left = np.full((10, 20), 1 - sure)
    left[:, :10] = sure
    return output(left, 1 - left, np.zeros((10, 20)), size=size)


def truth(*columns: tuple[str, int, int]) -> Masks:
    made = []
    for label, start, stop in columns:
        whole = np.zeros((10, 20), np.bool_)
        whole[:, start:stop] = True
        mask = mask_of(label, whole, (20, 10))
        assert mask is not None
        made.append(mask)
    return tuple(made)


def test_is_how_maps_are_decided() -> None:
    assert postprocess_of(TaskKind.SEMANTIC_SEGMENTATION) is SegmentationPostprocess


def test_every_pixel_has_its_likeliest_label_in_the_image_s_own_size() -> None:
    decided = USUAL.decide(halves(0.9, (200, 100)), LABELS)
    assert [mask.label for mask in decided.masks] == ["a", "b"]
    first, second = (pixels(mask) for mask in decided.masks)
    assert not (first & second).any()
    assert (first | second).all()
    assert abs(int(first.sum()) - 10_000) < 500
    assert decided.scores == pytest.approx((0.9, 0.9))
    assert decided.target == decided.masks


def test_a_label_that_is_not_shown_leaves_its_pixels_to_the_next_likely() -> None:
    decided = USUAL.decide(halves(0.6), LABELS, minimum=0.61)
    assert decided.masks == ()
    weak = np.full((10, 20), 0.3)
    weak[:, 5:] = 0.45
    both = output(np.full((10, 20), 0.4), weak, np.full((10, 20), 0.1))
    (only,) = USUAL.decide(both, LABELS, minimum=0.42).masks
    assert only.label == "b"
    assert (only.left, only.columns) == (0, 20)


def test_none_of_them() -> None:
    nothing = output(*(np.full((10, 20), share) for share in (0.2, 0.2, 0.6)))
    assert USUAL.decide(nothing, LABELS).masks == ()


def test_specks_are_left_out() -> None:
    speck = np.full((40, 40), 0.1)
    speck[3, 4] = 0.9
    decided = USUAL.decide(output(speck, 1 - speck, np.zeros((40, 40))), LABELS)
    assert [mask.label for mask in decided.masks] == ["b"]


def test_what_is_far_smaller_than_anything_painted_goes_to_the_next_likely() -> None:
    sliver = np.full((10, 20), 0.1)
    sliver[0, :3] = 0.9
    seen = output(sliver, 1 - sliver, np.zeros((10, 20)))
    assert [mask.label for mask in USUAL.decide(seen, LABELS).masks] == ["a", "b"]
    fitted = SegmentationPostprocess.fit([halves(0.9)] * 2, [truth(("a", 0, 10), ("b", 10, 20))] * 2, LABELS)
    (only,) = fitted.decide(seen, LABELS).masks
    assert (only.label, only.columns, only.rows) == ("b", 20, 10)


def test_doubt_is_where_two_labels_are_as_likely() -> None:
    doubts = [USUAL.decide(halves(sure), LABELS).uncertainty for sure in (0.99, 0.8, 0.51)]
    assert doubts == sorted(doubts)
    assert doubts[-1] > 0.9


def test_confidence_says_how_often_areas_are_right() -> None:
    """`a` is always where it is said to be, `b` never."""
    outputs, truths = [halves(0.8)] * 12, [truth(("a", 0, 10))] * 12
    fitted = SegmentationPostprocess.fit([*outputs, None], [*truths, ()], LABELS)
    decided = fitted.decide(outputs[0], LABELS)
    assert decided.confidence[0] > decided.confidence[1]
    assert SegmentationPostprocess.fit([None], [()], LABELS) == USUAL


def test_written_and_read_again() -> None:
    fitted = SegmentationPostprocess.fit([halves(0.8)] * 12, [truth(("a", 0, 10), ("b", 10, 20))] * 12, LABELS)
    assert SegmentationPostprocess.from_json(fitted.to_json()) == fitted
    for damaged in ({}, {**fitted.to_json(), "slopes": [1.0, 2.0, 3.0]}):
        with pytest.raises(CheckpointError, match="train again"):
            SegmentationPostprocess.from_json(damaged)


def test_other_outputs_are_refused() -> None:
    boxes = DetectionOutput(np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32), 9, 9)
    with pytest.raises(TypeError, match="wanted a SegmentationOutput"):
        USUAL.decide(boxes, LABELS)
