"""What decides how much of a network is trained."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from model_zoo.object_detection.hyperparameters import FREEZES, Hyperparameters
from model_zoo.object_detection.ladder import BOXES, Evidence, rungs, steps_of, worth_trying

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


def test_the_last_layer_gets_more_steps_than_what_is_dear() -> None:
    assert steps_of(("last",), 50) > steps_of(FREEZES["neck"], 50) == 50
