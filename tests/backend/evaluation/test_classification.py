"""Judging classifications, against figures worked out by hand or by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score

from backend.evaluation.classification import ClassificationEvaluation
from model_zoo.postprocess import ClassificationPostprocess
from model_zoo.types import ClassificationOutput, LabelSpace

SINGLE = LabelSpace(("a", "b", "c"))
MULTIPLE = LabelSpace(("a", "b", "c"), multiple=True)
EVALUATION = ClassificationEvaluation()


def output(*probabilities: float) -> ClassificationOutput:
    return ClassificationOutput(np.array(probabilities, np.float32))


def truth(*names: str) -> frozenset[str]:
    return frozenset(names)


def measure(
    outputs: Sequence[ClassificationOutput], truths: Sequence[frozenset[str]], labels: LabelSpace = SINGLE
) -> dict[str, float]:
    return EVALUATION.measure(outputs, truths, ClassificationPostprocess.uncalibrated(labels), labels)


def test_single_choice() -> None:
    outputs = [output(0.9, 0.1, 0), output(0.6, 0.4, 0), output(0.2, 0.8, 0), output(0.3, 0.7, 0)]
    measured = measure(outputs, [truth("a"), truth("b"), truth("b"), truth("b")])
    assert measured["items"] == 4
    assert measured["accuracy"] == 0.75
    assert measured["macro_f1"] == pytest.approx(np.mean([2 / 3, 4 / 5]))
    assert measured["calibration_error"] == pytest.approx(np.mean([0.1, 0.6, 0.2, 0.3]))


def test_multiple_choice() -> None:
    outputs = [output(0.9, 0.8, 0.1), output(0.2, 0.1, 0.3), output(0.9, 0.1, 0.1)]
    measured = measure(outputs, [truth("a"), truth(), truth("a", "c")], MULTIPLE)
    assert measured["accuracy"] == pytest.approx(1 / 3)
    assert measured["macro_f1"] == pytest.approx(1 / 3)


def test_macro_f1_is_scikit_learn_s_over_labels_that_occur() -> None:
    random = np.random.default_rng(0)
    truths, answers = random.integers(3, size=(2, 200))
    measured = measure([output(*np.eye(3)[answer]) for answer in answers], [truth(SINGLE.names[i]) for i in truths])
    assert measured["macro_f1"] == pytest.approx(f1_score(truths, answers, average="macro"))


def test_calibrated_confidences_have_a_small_error_and_boasting_ones_a_large_one() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1.0, 4000)
    truths = [truth("a") if random.random() < value else truth("b") for value in sure]
    honest = measure([output(value, 1 - value, 0) for value in sure], truths)
    boasting = measure([output(0.99, 0.01, 0) for _ in sure], truths)
    assert honest["calibration_error"] < 0.03
    assert boasting["calibration_error"] == pytest.approx(0.24, abs=0.02)


def test_intervals_hold_the_figure_and_narrow_with_items() -> None:
    def width(items: int) -> float:
        random = np.random.default_rng(1)
        truths = [truth("a") if random.random() < 0.8 else truth("b") for _ in range(items)]
        measured = measure([output(0.9, 0.1, 0)] * items, truths)
        for name in ("accuracy", "macro_f1", "calibration_error"):
            assert measured[f"{name}_low"] <= measured[name] <= measured[f"{name}_high"]
        return measured["accuracy_high"] - measured["accuracy_low"]

    assert 0.1 < width(100) < 0.2
    assert width(1600) == pytest.approx(width(100) / 4, rel=0.3)


def test_nothing_to_measure_gives_no_figures_and_a_wrong_count_is_refused() -> None:
    assert measure([], []) == {}
    with pytest.raises(ValueError, match="1 answers, 1 confidences and 0 truths"):
        measure([output(1, 0, 0)], [])


def test_figures_for_the_manifest_are_plain_numbers() -> None:
    measured = measure([output(1, 0, 0)], [truth("a")])
    plain = {"items": 1.0, "accuracy": 1.0, "macro_f1": 1.0, "calibration_error": 0.0}
    ends = {f"{name}_{end}": value for name, value in plain.items() if name != "items" for end in ("low", "high")}
    assert measured == {**plain, **ends}
    assert {type(value) for value in measured.values()} == {float}


def test_scores_are_shares_of_labels_and_two_empty_answers_agree() -> None:
    answers = [truth("a"), truth("b"), truth("a", "b"), truth(), truth("a")]
    truths = [truth("a"), truth("a"), truth("a"), truth(), truth()]
    assert EVALUATION.scores(answers, truths).tolist() == [1.0, 0.0, 0.5, 1.0, 0.0]


@pytest.mark.parametrize(
    ("predicted", "answered", "edits"),
    [
        (truth("cat"), truth("cat"), 0),
        (truth("cat"), truth("dog"), 1),
        (truth("cat"), truth("cat", "dog"), 1),
        (truth("cat", "dog"), truth(), 2),
        (truth(), truth(), 0),
    ],
)
def test_edits(predicted: frozenset[str], answered: frozenset[str], edits: int) -> None:
    assert EVALUATION.edits(predicted, answered) == edits


def test_boxes_are_refused() -> None:
    with pytest.raises(TypeError, match="Got tuple, wanted sets of labels"):
        EVALUATION.edits((), truth())
