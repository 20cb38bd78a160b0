"""Maps judged by area, and region by region."""

from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation.kinds import EVALUATIONS
from backend.evaluation.matching import Matches, matches
from backend.evaluation.semantic_segmentation import SegmentationEvaluation
from model_zoo.masks import map_of, mask_of
from model_zoo.postprocess import DetectionPostprocess, SegmentationPostprocess
from model_zoo.types import LabelSpace, Masks, SegmentationOutput, TaskKind
from tests.model_zoo.semantic_segmentation.landscapes import LABELS, areas, landscape

SPACE = LabelSpace(LABELS)
JUDGE = SegmentationEvaluation()
USUAL = SegmentationPostprocess.uncalibrated(SPACE)


def output(classes: np.ndarray) -> SegmentationOutput:
    """As sure as can be."""
    planes = np.stack([classes == index for index in (0, 1, 2, -1)]).astype(np.float32)
    height, width = classes.shape
    return SegmentationOutput(planes, (0.0, 0.0, float(width), float(height)), width, height)


def confusion(found: np.ndarray, true: np.ndarray) -> list[float]:
    """Overlaps of the labels, from arrays."""
    labels = [index for index in range(3) if ((found == index) | (true == index)).any()]
    return [((found == at) & (true == at)).sum() / ((found == at) | (true == at)).sum() for at in labels]


def test_is_how_maps_are_judged() -> None:
    assert isinstance(EVALUATIONS[TaskKind.SEMANTIC_SEGMENTATION], SegmentationEvaluation)


def test_the_same_is_right() -> None:
    _, classes = landscape(1)
    assert JUDGE.scores([areas(classes)], [areas(classes)])[0] == 1
    assert JUDGE.edits(areas(classes), areas(classes)) == 0
    assert JUDGE.scores([()], [()])[0] == 1
    assert JUDGE.scores([()], [areas(classes)])[0] == 0
    assert matches(areas(classes), areas(classes)) == Matches(3, 3, 3)


def test_overlaps_are_those_of_arrays() -> None:
    _, first = landscape(1)
    _, second = landscape(2)
    assert JUDGE.scores([areas(first)], [areas(second)])[0] == pytest.approx(np.mean(confusion(first, second)))
    figures = JUDGE.measure([output(first)], [areas(second)], USUAL, SPACE)
    assert figures["miou"] == pytest.approx(np.mean(confusion(first, second)))
    assert [figures[f"iou_{name}"] for name in LABELS] == pytest.approx(confusion(first, second))
    assert figures["pixel_accuracy"] == pytest.approx((first == second).mean())


def test_labels_are_counted_over_all_images_together() -> None:
    (_, first), (_, second) = landscape(1), landscape(4)
    figures = JUDGE.measure([output(first), output(first)], [areas(first), areas(second)], USUAL, SPACE)
    both = confusion(np.concatenate([first, first]), np.concatenate([first, second]))
    assert figures["miou"] == pytest.approx(np.mean(both))
    assert 0 < figures["accuracy"] < 1
    assert figures["items"] == 2
    assert figures["miou_low"] <= figures["miou"] <= figures["miou_high"]


def test_what_nobody_labels_counts_where_it_is_much() -> None:
    rock: Masks = tuple(mask for mask in areas(landscape(1)[1]) if mask.label == "Rock")
    share = JUDGE.measure([output(np.full((48, 64), -1))], [rock], USUAL, SPACE)["pixel_accuracy"]
    assert share == pytest.approx(1 - (landscape(1)[1] == 2).mean())


def test_an_area_that_was_called_otherwise_is_one_edit() -> None:
    _, classes = landscape(1)
    renamed = np.where(classes == 2, 0, classes)
    assert JUDGE.edits(areas(renamed), areas(classes)) == 1, "the rock is missing, and the sky is still where it was"
    whole = mask_of("Sky", np.ones((48, 64), np.bool_), (64, 48))
    assert whole is not None
    assert JUDGE.edits((whole,), map_of([whole], (64, 48)).masks) == 0


def test_what_is_no_map_is_refused() -> None:
    _, classes = landscape(1)
    assert JUDGE.measure([], [], USUAL, SPACE) == {}
    with pytest.raises(ValueError, match="1 outputs and 0 truths"):
        JUDGE.measure([output(classes)], [], USUAL, SPACE)
    with pytest.raises(TypeError, match="those of maps"):
        JUDGE.measure([output(classes)], [()], DetectionPostprocess.uncalibrated(SPACE), SPACE)
