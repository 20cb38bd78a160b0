"""What decides how much of a network is trained."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from types import SimpleNamespace

import numpy as np
import pytest

from model_zoo.errors import TrainingImpossible
from model_zoo.object_detection import ladder
from model_zoo.object_detection.hyperparameters import FREEZES, RECIPES, SIDES, Hyperparameters, recipe_of, settle
from model_zoo.object_detection.ladder import (
    BOXES,
    FEW,
    PAYS,
    Evidence,
    climb,
    least_gain,
    rungs,
    steps_of,
    worth_trying,
)
from model_zoo.recipes import Recipe
from model_zoo.types import Box

POOR = Evidence(("last",), (), np.ones(1, np.float32), score=0.2, score50=0.4)


def test_from_the_cheapest_rung_to_the_dearest() -> None:
    tried = rungs(Hyperparameters(), BOXES)
    assert tried[0] == ("last",)
    for lower, higher in pairwise(tried):
        assert set(lower) < set(higher)
    assert rungs(Hyperparameters(freeze="boxes"), BOXES) == [FREEZES["boxes"]], "what people asked for is not doubted"


@pytest.mark.parametrize(
    ("score", "score50", "head", "neck"),
    [(0.2, 0.4, True, True), (0.5, 0.8, True, False), (0.9, 1.0, False, False)],
    ids=["unfamiliar", "familiar", "solved"],
)
def test_the_neck_is_left_alone_where_the_head_does(score: float, score50: float, head: bool, neck: bool) -> None:
    found = replace(POOR, score=score, score50=score50)
    assert worth_trying(FREEZES["neck"], found) is head
    assert worth_trying(FREEZES["backbone"], found) is neck


@pytest.mark.parametrize(
    ("parts", "count", "objects", "known", "asked"),
    [
        ("neck", FEW - 1, 2, True, False),
        ("neck", FEW, 2, True, True),
        ("neck", 5, 0, True, True),
        ("neck", 5, 2, False, True),
        ("backbone", 5, 2, True, True),
    ],
    ids=["few", "enough", "without objects", "unknown", "dear"],
)
def test_few_images_need_no_proof_that_a_head_pays(
    parts: str, count: int, objects: int, known: bool, asked: bool
) -> None:
    assert least_gain(FREEZES[parts], (3, objects), (True, known), count, BOXES) == (PAYS if asked else -inf)


def test_the_last_layer_gets_more_steps_than_what_is_dear() -> None:
    assert steps_of(("last",), 50) > steps_of(FREEZES["neck"], 50) == 50


def test_a_recipe_s_name_is_a_wish_and_a_finding() -> None:
    assert set(RECIPES) == {recipe_of(parts) for parts in FREEZES.values()}
    assert recipe_of(FREEZES["classes"]) == "micro", "the usual wish, which goes on by evidence"
    for name, freeze in list(RECIPES.items())[1:]:
        assert recipe_of(FREEZES[freeze]) == name
        assert rungs(settle(Recipe(name), [()], [100]), BOXES) == [FREEZES[freeze]]
    assert settle(Recipe("fine_tune", {"freeze": "boxes"}), [()], [100]).freeze == "boxes", "the more exact wish counts"
    with pytest.raises(TrainingImpossible, match="wanted one of: micro, few_shot, fine_tune"):
        settle(Recipe("enormous"), [()], [100])


def test_small_objects_and_crowds_are_looked_at_more_closely() -> None:
    far = (Box(100, 100, 200, 300, "a"), Box(400, 100, 500, 300, "a"), Box(110, 100, 210, 300, "b"))
    near = (*far[:2], Box(130, 110, 230, 310, "a"))
    small = (far[0], Box(600, 100, 620, 120, "a"), Box(600, 200, 620, 220, "a"))
    usual, larger = SIDES
    assert settle(Recipe(), [far] * 5, [640] * 5).image_size == usual, "another label's object is told apart by it"
    assert settle(Recipe(), [near, far, far, far, far], [640] * 5).image_size == usual, "two of fifteen are no crowd"
    assert settle(Recipe(), [near, near, far], [640] * 3).image_size == larger
    assert settle(Recipe(), [small], [640]).image_size == larger
    assert settle(Recipe("micro", {"image_size": 320}), [near], [640]).image_size == 320
    assert settle(Recipe(), [()], [640]).image_size == usual


def test_who_goes_on_from_a_boldly_taken_head_has_to_beat_what_was_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By images left out the head is the worst of the three, and the neck better than the head alone."""
    scores = {("last",): 0.22, FREEZES["neck"]: 0.10, FREEZES["backbone"]: 0.17}
    monkeypatch.setattr(ladder, "trained_without", lambda *given: None)
    monkeypatch.setattr(ladder, "blended", lambda *given: None)
    monkeypatch.setattr(ladder, "_trust", lambda *given: np.ones(1, np.float32))
    monkeypatch.setattr(
        ladder, "cross_validate", lambda material, parts, *given: replace(POOR, parts=parts, score=scores[parts])
    )
    material = SimpleNamespace(how=BOXES, known=(True,), objects=(5,), folds=2, truths=((),) * 5, start=None)
    assert climb(material, Hyperparameters(), 10, 0).parts == FREEZES["neck"]
