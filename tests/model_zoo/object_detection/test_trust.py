"""How far few images are trusted against what a network knew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model_zoo.object_detection import upstream
from model_zoo.object_detection.network import LAST, Network
from model_zoo.object_detection.trust import GRID, OWN, USUAL, blended, choose, usual


def scores(*best: int) -> np.ndarray:
    """One column a label, highest at the share of that number."""
    table = np.full((len(GRID), len(best)), 0.2, np.float32)
    table[list(best), range(len(best))] = 0.9
    return table


def test_labels_that_were_never_drawn_stay_as_they_were() -> None:
    assert usual([True, True, False, False], [True, False, True, False]).tolist() == [USUAL, 0.0, 1.0, 0.0]


def test_labels_with_few_objects_share_what_is_best_for_them_together() -> None:
    table = scores(3, 3, 0)
    assert choose(table, [2, 3, 2], [True, True, True]).tolist() == [0.75, 0.75, 0.75]


def test_labels_with_many_objects_have_a_share_of_their_own() -> None:
    assert choose(scores(4, 0), [OWN, OWN], [True, True]).tolist() == [1.0, 0.0]


def test_labels_that_begin_as_nothing_are_learnt_whole() -> None:
    assert choose(scores(0), [OWN], [False]).tolist() == [1.0]


def test_labels_that_nothing_was_held_out_of_get_the_usual_share() -> None:
    assert choose(np.full((len(GRID), 1), np.nan, np.float32), [1], [True]).tolist() == [USUAL]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_blended_answers_lie_between(share: float) -> None:
    start = Network.of(upstream.build("yolov8n")).with_labels(("a", "b"))
    trained = start.own((LAST,))
    for branch in trained.head.cv3:
        branch[2].bias.add_(1.0)
    mixed = blended(start, trained, np.array([share, 0.0], np.float32))
    levels = [torch.rand(1, channels, 4, 4) for channels in (64, 128, 256)]
    before, after = start.class_branch(levels), mixed.class_branch(levels)
    torch.testing.assert_close(after[:, 0], before[:, 0] + share)
    torch.testing.assert_close(after[:, 1], before[:, 1])
