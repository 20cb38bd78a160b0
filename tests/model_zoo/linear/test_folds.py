from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.linear.folds import stratified


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), st.integers(2, 5), st.integers(0, 3))
def test_each_label_is_dealt_out_evenly(labels: list[int], folds: int, seed: int) -> None:
    targets = np.eye(5, dtype=np.bool_)[labels]
    numbers = stratified(targets, folds, seed)
    assert set(numbers) <= set(range(folds))
    for label in set(labels):
        counts = np.bincount(numbers[targets[:, label]], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_items_of_several_labels_count_for_the_rarest() -> None:
    targets = np.array([[True, index < 4] for index in range(20)])
    numbers = stratified(targets, 4, 0)
    assert sorted(numbers[:4]) == [0, 1, 2, 3]


def test_the_seed_decides() -> None:
    targets = np.eye(2, dtype=np.bool_)[np.arange(40) % 2]
    assert (stratified(targets, 5, 1) == stratified(targets, 5, 1)).all()
    assert (stratified(targets, 5, 1) != stratified(targets, 5, 2)).any()
