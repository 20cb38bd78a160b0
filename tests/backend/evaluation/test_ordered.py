"""Judging ratings, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation.kinds import evaluation_of
from model_zoo.postprocess import ClassificationPostprocess
from model_zoo.types import ClassificationOutput, LabelSpace, TaskKind

STARS = LabelSpace(("1", "2", "3", "4", "5"), ordered=True)
EVALUATION = evaluation_of(TaskKind.TEXT_CLASSIFICATION, STARS)


def step(name: str) -> frozenset[str]:
    return frozenset([name])


def test_the_nearer_the_better() -> None:
    scores = EVALUATION.scores([step("5"), step("4"), step("1"), frozenset()], [step("5")] * 4)
    assert scores.tolist() == [1.0, 0.75, 0.0, 0.0]


def test_correcting_a_star_is_one_edit_however_far_off() -> None:
    assert [EVALUATION.edits(step("1"), step(right)) for right in "125"] == [0, 1, 1]


def test_figures_say_how_far_off() -> None:
    outputs = [ClassificationOutput(row) for row in np.eye(5, dtype=np.float32)[[0, 1, 4, 4]]]
    truths = [step("1"), step("3"), step("1"), step("5")]
    figures = EVALUATION.measure(outputs, truths, ClassificationPostprocess.uncalibrated(STARS), STARS)
    assert (figures["accuracy"], figures["within_one"]) == (0.5, 0.75)
    assert figures["mean_absolute_error"] == pytest.approx(1.25)
    assert figures["mean_absolute_error_low"] <= 1.25 <= figures["mean_absolute_error_high"]
    assert EVALUATION.measure([], [], ClassificationPostprocess.uncalibrated(STARS), STARS) == {}


def test_other_labels_are_no_scale() -> None:
    evaluation = evaluation_of(TaskKind.TEXT_CLASSIFICATION, LabelSpace(("1", "5")))
    assert evaluation.scores([step("1")], [step("5")]).tolist() == [0.0]
