"""The order in which people meet tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from backend.selection.ordering import LAST, Candidates, cluster, order, uncertainty_weight, urgent
from backend.store.clusters import Clusters
from model_zoo.types import FloatArray

NOTHING = np.empty((0, 8), np.float32)


def candidates(count: int, seed: int = 0) -> Candidates:
    """Tasks of random looks and uncertainty, none held out, none failed."""
    random = np.random.default_rng(seed)
    none = np.zeros(count, bool)
    features = random.normal(size=(count, 8)).astype(np.float32)
    return Candidates(np.arange(100, 100 + count), features, random.random(count).astype(np.float32), none, none)


def labelled(count: int) -> FloatArray:
    return candidates(count, seed=9).features


def test_scores_are_distinct_numbers_between_0_and_1() -> None:
    for known in (NOTHING, labelled(12), labelled(500)):
        scores = order(candidates(300), known, labels=3)
        assert scores.shape == (300,)
        assert len(set(scores.tolist())) == 300
        assert scores.min() > 0
        assert scores.max() < 1


def test_with_many_labels_the_least_sure_come_first() -> None:
    tasks = candidates(50)
    tasks.uncertainty[7] = np.nan
    scores = order(tasks, labelled(60), labels=3)
    assert np.argmin(scores) == 7
    rest = np.delete(np.arange(50), 7)
    assert np.array_equal(rest[np.argsort(scores[rest])], rest[np.argsort(-tasks.uncertainty[rest])])


def test_with_few_labels_uncertainty_counts_for_nothing() -> None:
    tasks = candidates(50)
    assert np.array_equal(
        order(tasks, NOTHING, labels=3),
        order(replace(tasks, uncertainty=tasks.uncertainty[::-1].copy()), NOTHING, labels=3),
    )


def test_the_weight_of_uncertainty_grows_with_labels_per_class() -> None:
    assert [uncertainty_weight(count, 2) for count in (0, 4, 8, 12, 400)] == [0, 0, 0.5, 1, 1]
    assert uncertainty_weight(0, 0) == 0


def test_the_first_tasks_are_typical_of_every_group_and_no_outliers() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.eye(8, dtype=np.float32)[:4], 40, axis=0) + random.normal(scale=0.1, size=(160, 8))
    outliers = random.normal(size=(10, 8)) * 3
    features = np.concatenate([groups, outliers]).astype(np.float32)
    tasks = replace(candidates(170), features=features)
    first = np.argsort(order(tasks, NOTHING, labels=4))[:4]
    assert sorted((first // 40).tolist()) == [0, 1, 2, 3]


def test_what_is_labelled_is_not_asked_again() -> None:
    features = np.repeat(np.eye(8, dtype=np.float32)[:2], 20, axis=0)
    features += np.random.default_rng(0).normal(scale=0.05, size=features.shape).astype(np.float32)
    first = np.argmin(order(replace(candidates(40), features=features), features[:1], labels=2))
    assert first >= 20


def test_failed_tasks_come_last() -> None:
    tasks = replace(candidates(20), failed=np.arange(20) < 5)
    tasks.features[:5] = np.nan
    scores = order(tasks, NOTHING, labels=2)
    assert (scores[:5] == LAST).all()
    assert (scores[5:] < LAST).all()


def test_the_holdout_is_met_at_its_share_in_an_order_that_nothing_learnt_can_move() -> None:
    tasks = replace(candidates(1000), holdout=np.arange(1000) % 5 == 0)
    scores = order(tasks, labelled(100), labels=3)
    first = np.argsort(scores)[:100]
    assert tasks.holdout[first].sum() == pytest.approx(20, abs=1)
    other = replace(tasks, uncertainty=tasks.uncertainty[::-1].copy(), features=tasks.features[::-1].copy())
    assert np.array_equal(scores[tasks.holdout], order(other, labelled(100), labels=3)[tasks.holdout])


def test_the_holdout_keeps_its_order_while_it_is_labelled() -> None:
    tasks = replace(candidates(100), holdout=np.ones(100, bool))
    before = np.argsort(order(tasks, NOTHING, labels=2))
    remaining = np.sort(before[30:])
    rest = Candidates(
        tasks.tasks[remaining],
        tasks.features[remaining],
        tasks.uncertainty[remaining],
        tasks.holdout[remaining],
        tasks.failed[remaining],
    )
    after = remaining[np.argsort(order(rest, NOTHING, labels=2))]
    assert np.array_equal(after, before[30:])


def test_it_is_deterministic_and_bears_no_tasks_at_all() -> None:
    tasks = candidates(100)
    assert np.array_equal(order(tasks, labelled(8), labels=2), order(tasks, labelled(8), labels=2))
    assert len(order(candidates(0), NOTHING, labels=2)) == 0
    assert len(order(candidates(1), NOTHING, labels=0)) == 1
    all_failed = replace(candidates(3), failed=np.ones(3, bool))
    assert order(all_failed, NOTHING, labels=2).tolist() == [LAST] * 3


def test_holdout_and_failed_tasks_are_dealt_from_clusters_that_looks_do_not_decide() -> None:
    tasks = replace(candidates(200), holdout=np.arange(200) % 5 == 0, failed=np.arange(200) % 7 == 1)
    tasks.features[tasks.failed] = np.nan
    ids, clusters = cluster(tasks, Clusters(), share=0.2)
    aside = tasks.holdout & ~tasks.failed
    assert not set(ids[aside].tolist()) & set(clusters.ids.tolist())
    assert set(ids[tasks.failed].tolist()) == {1}
    assert set(ids[~aside].tolist()) <= set(clusters.ids.tolist())


def test_a_project_of_failed_tasks_has_one_cluster() -> None:
    tasks = replace(candidates(3), failed=np.ones(3, bool))
    assert cluster(tasks, Clusters(), share=0.2)[0].tolist() == [0, 0, 0]


def test_urgent_tasks_are_each_cluster_s_best_in_turn() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], np.float32)
    clusters = np.array([1, 1, 1, 2, 2, 3])
    assert urgent(scores, clusters, 4).tolist() == [0, 3, 5, 1]
    assert urgent(scores, clusters, 100).tolist() == [0, 3, 5, 1, 4, 2]
    assert urgent(scores[:0], clusters[:0], 5).tolist() == []


def test_on_real_digits_the_first_tasks_teach_more_than_tasks_at_random() -> None:
    """Accuracy on the rest after 20 labels, over ten seeds of the random choice."""
    digits = load_digits()
    features = (digits.data / 16).astype(np.float32)
    none = np.zeros(len(features), bool)
    tasks = Candidates(np.arange(len(features)), features, np.zeros(len(features), np.float32), none, none)
    chosen = np.argsort(order(tasks, np.empty((0, 64), np.float32), labels=10))[:20]
    at_random = [
        _accuracy(features, digits.target, np.random.default_rng(seed).permutation(len(features))[:20])
        for seed in range(10)
    ]
    assert _accuracy(features, digits.target, chosen) > np.mean(at_random) + 0.1


def _accuracy(features: FloatArray, target: np.ndarray, rows: np.ndarray) -> float:  # type: ignore[type-arg]
    rest = np.setdiff1d(np.arange(len(features)), rows)
    model = LogisticRegression(max_iter=500).fit(features[rows], target[rows])
    return float(model.score(features[rest], target[rest]))
