"""The stored clusters."""

from __future__ import annotations

import numpy as np

from backend.store.clusters import Clusters, ClusterStore
from backend.store.objects import ObjectStore


def test_clusters_come_back_and_are_empty_before(store: ObjectStore) -> None:
    clusters = ClusterStore(store)
    empty = clusters.get("1.2", "minilm_l6_v2.v1")
    assert len(empty) == 0
    assert empty.fitted_on == 0
    centroids = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    clusters.put("1.2", "minilm_l6_v2.v1", Clusters(np.array([1, 5]), centroids, 30))
    read = clusters.get("1.2", "minilm_l6_v2.v1")
    assert read.ids.tolist() == [1, 5]
    assert np.array_equal(read.centroids, centroids)
    assert read.fitted_on == 30
    assert len(clusters.get("1.2", "other.v1")) == 0
