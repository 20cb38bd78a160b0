"""Groups of tasks that look alike, for Label Studio's rule: next comes the cluster this annotator has solved least.

Ids are for ever: centroids are only added, when there are many more tasks than before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from backend.projects.roles import draw
from backend.store.clusters import Clusters
from model_zoo.types import FloatArray

IntArray = npt.NDArray[np.int64]

HOLDOUT_FROM = 1_000_000
"""Clusters from this id on are the holdout's."""
_MOST = 24
_GROWTH = 4
_SAMPLE = 4000
_ROUNDS = 10


def assign_clusters(features: FloatArray, known: Clusters, seed: int = 0) -> tuple[IntArray, Clusters]:
    """Each row's cluster id, shape (rows,), and the clusters to keep for the next time.

    `features` has shape (rows, dimensions), one row a task of the project, labelled ones included.
    """
    if len(features) == 0:
        return np.empty(0, np.int64), known
    unit = normalised(features)
    clusters = _grown(unit, known, seed) if len(unit) >= _GROWTH * known.fitted_on else known
    return clusters.ids[np.argmax(unit @ clusters.centroids.T, axis=1)], clusters


def holdout_clusters(tasks: Sequence[int], clusters: int, share: float) -> IntArray:
    """Cluster ids for holdout tasks, shape (tasks,), independent of what they look like.

    Label Studio deals from all clusters in equal parts. With as many clusters for the holdout as its `share` of all
    asks for, it is handed out at that share, and within them in the order of the scores, which is random.
    """
    count = max(1, round(clusters * share / (1 - share))) if share < 1 else 1
    return np.array([HOLDOUT_FROM + int(draw(task, "cluster") * count) for task in tasks], np.int64)


def normalised(features: FloatArray) -> FloatArray:
    """Rows scaled to length 1; rows of zeros stay."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)


def _grown(unit: FloatArray, known: Clusters, seed: int) -> Clusters:
    """Enough centroids for this many rows: the known ones where they are, new ones where rows are far from them."""
    random = np.random.default_rng(seed)
    sample = unit[random.permutation(len(unit))[:_SAMPLE]]
    old = known.centroids if len(known) else np.empty((0, unit.shape[1]), np.float32)
    wanted = int(np.clip(round(np.sqrt(len(unit) / 2)), 1, _MOST))
    new = _refined(sample, old, _seeds(sample, old, wanted - len(old), random))
    first = int(known.ids.max(initial=0)) + 1
    ids = np.concatenate([known.ids, np.arange(first, first + len(new), dtype=np.int64)])
    return Clusters(ids, np.concatenate([old, new]), len(unit))


def _seeds(sample: FloatArray, old: FloatArray, count: int, random: np.random.Generator) -> FloatArray:
    """Up to `count` rows far from each other and from `old` (k-means++, Arthur and Vassilvitskii 2007)."""
    distance = 1 - (sample @ old.T).max(axis=1) if len(old) else np.ones(len(sample), np.float32)
    chosen: list[FloatArray] = []
    for _ in range(count):
        weights = np.clip(distance, 0, None).astype(np.float64) ** 2
        if weights.sum() <= 1e-9:
            break  # the rest are copies of rows that were chosen
        row = sample[random.choice(len(sample), p=weights / weights.sum())]
        chosen.append(row)
        distance = np.minimum(distance, 1 - sample @ row)
    return np.stack(chosen) if chosen else np.empty((0, sample.shape[1]), np.float32)


def _refined(sample: FloatArray, old: FloatArray, new: FloatArray) -> FloatArray:
    """Spherical k-means that moves the new centroids only."""
    for _ in range(_ROUNDS if len(new) else 0):
        nearest = np.argmax(sample @ np.concatenate([old, new]).T, axis=1) - len(old)
        means = [
            sample[nearest == index].sum(axis=0) if (nearest == index).any() else new[index]
            for index in range(len(new))
        ]
        new = normalised(np.stack(means))
    return new
