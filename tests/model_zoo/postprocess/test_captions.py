from __future__ import annotations

import json

import numpy as np
import pytest

from model_zoo.errors import CheckpointError
from model_zoo.postprocess import CaptionPostprocess
from model_zoo.types import CaptionOutput, Captions, ClassificationOutput, LabelSpace

SPACE = LabelSpace(())


def output(*found: tuple[str, float]) -> CaptionOutput:
    return CaptionOutput(tuple(text for text, _ in found), np.array([score for _, score in found], np.float32))


def test_nothing_known_shows_the_best_as_sure_as_its_score() -> None:
    decision = CaptionPostprocess.uncalibrated(SPACE).decide(output(("a", 0.7), ("b", 0.6)), SPACE)
    assert decision.target == Captions(("a",))
    assert decision.captions[0][1] == pytest.approx(0.7, abs=1e-3)
    assert decision.uncertainty == pytest.approx(0.3, abs=1e-3)


def test_confidence_comes_to_mean_the_likeness_to_be_expected() -> None:
    """Scores of 0.9 and 0.3 whose captions are half right and wrong."""
    outputs = [output(("a b", 0.9)), output(("x y", 0.3))] * 50
    truths = [Captions(("a c",)), Captions(("a c",))] * 50
    fitted = CaptionPostprocess.fit([*outputs, None], [*truths, truths[0]], SPACE)
    assert fitted.decide(outputs[0], SPACE).captions[0][1] == pytest.approx(0.5, abs=0.1)
    assert fitted.decide(outputs[1], SPACE).captions[0][1] < 0.1


def test_as_many_are_shown_as_people_write() -> None:
    written = [Captions(("a", "b")), Captions(("a", "b")), Captions(("a",))]
    fitted = CaptionPostprocess.fit([None] * 3, written, SPACE)
    assert len(fitted.decide(output(("a", 0.9), ("b", 0.8), ("c", 0.7)), SPACE).captions) == 2


def test_a_threshold_of_one_s_own() -> None:
    fitted = CaptionPostprocess.uncalibrated(SPACE)
    assert fitted.decide(output(("a", 0.7)), SPACE, minimum=0.8).captions == ()
    assert fitted.decide(output(), SPACE).uncertainty == 1.0
    with pytest.raises(TypeError, match="wanted a CaptionOutput"):
        fitted.decide(ClassificationOutput(np.zeros(1, np.float32)), SPACE)


def test_json_round_trips_and_damage_is_named() -> None:
    fitted = CaptionPostprocess.fit([output(("a", 0.9))], [Captions(("a", "b"))], SPACE)
    assert CaptionPostprocess.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted
    with pytest.raises(CheckpointError, match="train again"):
        CaptionPostprocess.from_json({"slope": "x"})
