"""What is said of single regions: learnt from crops, judged region by region."""

from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation.kinds import EVALUATIONS, evaluation_of
from backend.evaluation.matching import matches
from model_zoo.errors import UnreadableInput
from model_zoo.postprocess import RegionPostprocess
from model_zoo.recipes import Recipe
from model_zoo.region_classification.crops import crops
from model_zoo.region_classification.passages import AROUND, LONGEST, pairs, passages
from model_zoo.registry import default_family, family
from model_zoo.texts import PASSAGE, read_text
from model_zoo.types import Box, Item, LabelSpace, RegionOutput, Remark, Span, TaskKind
from tests.model_zoo.region_classification import moods
from tests.model_zoo.region_classification.stickers import LABELS, example, examples

SPACE = LabelSpace(LABELS)
EVALUATION = EVALUATIONS[TaskKind.REGION_CLASSIFICATION]


def box(left: float) -> Box:
    return Box(left, 0, left + 10, 10, "")


def test_new_stickers_are_told_apart() -> None:
    chosen = family(default_family(TaskKind.REGION_CLASSIFICATION))
    trained = chosen.train(examples(), SPACE, Recipe())
    truths = [one.remarks for one in examples()]
    postprocess = RegionPostprocess.fit(trained.out_of_fold, truths, SPACE)
    assert EVALUATION.measure(trained.out_of_fold, truths, postprocess, SPACE)["items"] == 12  # type: ignore[arg-type]
    new = [example(seed, ("striped", "plain", "striped")) for seed in (50, 51)]
    outputs = trained.model.predict([one.item for one in new])
    decisions = [postprocess.decide(output, SPACE) for output in outputs]
    assert [decision.target for decision in decisions] == [one.remarks for one in new]
    assert EVALUATION.scores([one.target for one in decisions], [one.remarks for one in new]).tolist() == [1, 1]
    again = RegionPostprocess.from_json(postprocess.to_json()).decide(outputs[0], SPACE)
    assert (again.remarks, again.scores) == (decisions[0].remarks, decisions[0].scores)


def test_an_image_without_regions_is_certain() -> None:
    decision = RegionPostprocess.uncalibrated(SPACE).decide(RegionOutput((), np.empty((0, 2), np.float32)), SPACE)
    assert (decision.remarks, decision.scores, decision.uncertainty) == ((), (), 0.0)


def test_a_crop_shows_the_region_and_a_margin() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[20:60, 40:120] = 200
    (crop,) = crops(pixels, [Box(20, 20, 60, 60, "")])
    assert isinstance(crop.input, np.ndarray)
    assert crop.input.shape == (224, 224, 3)
    bright = (crop.input[..., 0] > 100).mean()
    assert 0.3 < bright < 0.7, "80 x 40 of 104 x 64 pixels"
    assert crops(None, []) == []
    assert isinstance(crops(pixels, [Box(100, 100, 101, 101, "")])[0], Item)


def test_how_somebody_feels_is_read_around_the_name() -> None:
    chosen = family(default_family(TaskKind.SPAN_CLASSIFICATION))
    space = LabelSpace(moods.LABELS)
    trained = chosen.train(moods.examples(), space, Recipe())
    new = moods.example(50, ("angry", "glad", "angry"))
    decision = RegionPostprocess.uncalibrated(space).decide(trained.model.predict([new.item])[0], space)
    assert decision.target == new.remarks


def test_a_passage_is_the_span_and_what_is_around_it() -> None:
    text = f"{'before ' * 20}Ada Byron{' behind' * 20}"
    (passage,) = passages(text, [Span(140, 149, "")])
    assert passage.input == f"Ada Byron : {text[140 - AROUND : 149 + AROUND]}"
    (inner,) = passages("It rained. Ada, at 3.15, smiled! She left.", [Span(11, 14, "")])
    assert inner.input == "Ada :  Ada, at 3.15, smiled"
    assert passages("short", [Span(2, 90, "")])[0].input == "ort : short"
    assert passages(None, []) == []
    with pytest.raises(UnreadableInput, match="wanted a text"):
        passages(np.zeros((9, 9, 3), np.uint8), [Span(0, 1, "")])


def test_a_span_is_read_by_itself_and_in_its_sentence() -> None:
    (pair,) = pairs("It rained. Ada, at 3.15, smiled! She left.", [Span(11, 14, "")])
    assert pair.input == f"Ada{PASSAGE}Ada :  Ada, at 3.15, smiled"
    (turn,) = pairs(f"before{PASSAGE}Ada smiled{PASSAGE}behind", [Span(7, 10, "")])
    assert turn.input == f"Ada{PASSAGE}Ada : Ada smiled", "other passages are not read"
    (across,) = pairs(f"a b{PASSAGE}c d", [Span(2, 5, "")])
    assert across.input == f"b\nc{PASSAGE}b\nc : a b\nc d"
    (long,) = pairs(f"so {'x' * 9000} it goes", [Span(3, 9003, "")])
    assert len(read_text(long.input)) == 3 * LONGEST + len(PASSAGE + " : so  it goes")
    assert pairs(None, []) == []


def test_each_region_is_judged_by_itself() -> None:
    predicted = (Remark(box(0), ("plain",)), Remark(box(50), ("plain",)))
    answered = (Remark(box(51), ("striped",)), Remark(box(1), ("plain",)))
    assert EVALUATION.edits(predicted, answered) == 1
    assert EVALUATION.edits((), answered) == 2
    assert EVALUATION.edits(predicted, ()) == 0, "the region was wrong, and what was said of it goes with it"
    assert EVALUATION.scores([predicted, (), ()], [answered, answered, ()]).tolist() == [0.5, 0.0, 1.0]
    found = matches(predicted, answered)
    assert (found.shown, found.answered, found.right) == (2, 2, 1)


def test_stars_off_count_by_how_far() -> None:
    stars = LabelSpace(("1", "2", "3", "4", "5"), ordered=True)
    evaluation = evaluation_of(TaskKind.REGION_CLASSIFICATION, stars)
    scores = evaluation.scores([(Remark(box(0), ("4",)),)], [(Remark(box(0), ("5",)),)])
    assert scores.tolist() == [0.75]
