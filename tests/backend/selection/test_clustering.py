"""Clusters: of what looks alike, with ids for ever."""

from __future__ import annotations

import numpy as np

from backend.selection.clustering import HOLDOUT_FROM, assign_clusters, holdout_clusters
from backend.store.clusters import Clusters
from model_zoo.types import FloatArray


def groups(count: int, rows: int, seed: int = 0) -> FloatArray:
    """`rows` rows around each of `count` far directions, group after group."""
    centres = np.eye(32, dtype=np.float32)[:count]
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(count * rows, 32))
    return (np.repeat(centres, rows, axis=0) + noise).astype(np.float32)


def test_rows_that_look_alike_share_a_cluster_and_others_do_not() -> None:
    features = groups(4, 50)
    ids, clusters = assign_clusters(features, Clusters())
    parts = [set(ids[start : start + 50].tolist()) for start in range(0, 200, 50)]
    assert all(not one & other for number, one in enumerate(parts) for other in parts[:number])
    assert min(clusters.ids) == 1
    assert len(clusters) == 10


def test_ids_hold_when_tasks_come_and_when_centroids_are_added() -> None:
    features = groups(4, 50)
    ids, first = assign_clusters(features, Clusters())
    more = np.concatenate([features, groups(4, 20, seed=1)])
    again, same = assign_clusters(more, first)
    assert same is first
    assert np.array_equal(again[:200], ids)
    many = np.concatenate([features, groups(12, 100, seed=2)])
    _, grown = assign_clusters(many, first)
    assert np.array_equal(grown.ids[: len(first)], first.ids)
    assert np.array_equal(grown.centroids[: len(first)], first.centroids)
    assert len(grown) > len(first)
    assert len(set(grown.ids.tolist())) == len(grown)


def test_new_kinds_of_tasks_get_clusters_of_their_own() -> None:
    first = assign_clusters(groups(2, 20), Clusters())[1]
    ids, _ = assign_clusters(np.concatenate([groups(2, 20), groups(8, 40, seed=1)[80:]]), first)
    assert not set(ids[40:].tolist()) & set(first.ids.tolist())


def test_it_is_deterministic_and_bears_the_smallest_projects() -> None:
    features = groups(3, 30)
    assert np.array_equal(assign_clusters(features, Clusters())[0], assign_clusters(features, Clusters())[0])
    assert assign_clusters(features[:1], Clusters())[0].tolist() == [1]
    assert assign_clusters(np.zeros((5, 8), np.float32), Clusters())[0].tolist() == [1] * 5
    assert assign_clusters(np.ones((5, 8), np.float32), Clusters())[0].tolist() == [1] * 5
    empty, clusters = assign_clusters(np.empty((0, 8), np.float32), Clusters())
    assert len(empty) == len(clusters) == 0


def test_the_holdout_has_as_many_clusters_as_its_share_asks_for() -> None:
    ids = holdout_clusters(range(500), clusters=8, share=0.2)
    assert set(ids.tolist()) == {HOLDOUT_FROM, HOLDOUT_FROM + 1}
    assert np.array_equal(ids, holdout_clusters(range(500), clusters=8, share=0.2))
    assert set(holdout_clusters(range(500), 1, 0.2).tolist()) == {HOLDOUT_FROM}
    assert set(holdout_clusters(range(5), 8, 1.0).tolist()) == {HOLDOUT_FROM}
