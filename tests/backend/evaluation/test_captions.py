from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation.captions import CaptionEvaluation
from backend.evaluation.matching import Matches, matches
from model_zoo.postprocess import CaptionPostprocess
from model_zoo.types import CaptionOutput, Captions, LabelSpace

SPACE = LabelSpace(())
EVALUATION = CaptionEvaluation()


def said(*texts: str) -> Captions:
    return Captions(texts)


@pytest.mark.parametrize(
    ("before", "after", "edits"),
    [
        (said("A cat."), said("A cat."), 0),
        (said("A  cat. "), said("A cat."), 0),
        (said("A cat."), said("A cat"), 1),
        (said("A cat."), said("A dog.", "A cat."), 1),
        (said("a", "b"), said("c"), 2),
        (said(), said("c"), 1),
    ],
)
def test_a_caption_is_accepted_as_it_is_or_edited(before: Captions, after: Captions, edits: int) -> None:
    assert EVALUATION.edits(before, after) == edits


def test_models_are_compared_by_words() -> None:
    answers = [said("a red cat"), said("a dog", "a cat"), said()]
    truths = [said("a cat", "the red cat sat"), said("a cat"), said("a cat")]
    assert EVALUATION.scores(answers, truths).tolist() == pytest.approx([0.8, 0.75, 0.0])
    with pytest.raises(TypeError, match="wanted captions"):
        EVALUATION.scores([frozenset()], [said()])


def test_figures() -> None:
    outputs = [CaptionOutput((text,), np.array([0.5], np.float32)) for text in ("a cat", "two dogs")]
    truths = [said("a cat"), said("two birds")]
    process = CaptionPostprocess.uncalibrated(SPACE)
    figures = EVALUATION.measure(outputs, truths, process, SPACE)
    assert (figures["items"], figures["accuracy"], figures["token_f1"]) == (2, 0.5, 0.75)
    assert 0 < figures["cider"] <= 10
    for name in ("accuracy", "token_f1", "cider"):
        assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
    assert EVALUATION.measure([], [], process, SPACE) == {}
    with pytest.raises(ValueError, match="as many of each"):
        EVALUATION.measure(outputs, [], process, SPACE)


def test_pieces() -> None:
    assert matches(said("a", "b"), said("b ", "c", "d")) == Matches(2, 3, 1)
