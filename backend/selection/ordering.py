"""The order in which people meet tasks: each task's score in [0, 1], the lowest labelled first. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from backend.projects.roles import draw
from backend.selection.clustering import IntArray, assign_clusters, holdout_clusters
from backend.selection.exploration import exploration_order
from backend.store.clusters import Clusters
from model_zoo.types import FloatArray

BoolArray = npt.NDArray[np.bool_]

LAST = 1.0
"""The score of tasks that could not be predicted."""

_EXPLORE_BELOW = 2
_EXPLORE_UNTIL = 6
"""Labelled tasks a label below which uncertainty counts for nothing, and from which it counts alone.

After 2 explored tasks a label, 80 more by margin and 80 more by exploration were worth the same on digits and intents
(0.937 and 0.943, 0.949 and 0.941); after 8, margin was ahead everywhere (0.970 and 0.934, 0.985 and 0.983, hand signs
0.930 and 0.850).
"""


class Strategy(str, Enum):
    """What decides which of the tasks that train comes first."""

    DEFAULT = "default"
    """What is typical of many tasks and unlike the labelled ones while labels are few; later what the model is unsure
    of."""
    LEAST_CONFIDENCE = "least_confidence"
    """What the model is least sure of, from the first task on."""


@dataclass(frozen=True)
class Candidates:
    """Unlabelled tasks, one a row. Rows that failed may hold any features and uncertainty."""

    tasks: IntArray
    features: FloatArray
    """Shape (tasks, dimensions)."""
    uncertainty: FloatArray
    """Shape (tasks,), higher means less sure; only their order counts. NaN counts as least sure."""
    holdout: BoolArray
    failed: BoolArray

    def __len__(self) -> int:
        return len(self.tasks)


def order(
    candidates: Candidates, labelled: FloatArray, labels: int, seed: int = 0, strategy: Strategy = Strategy.DEFAULT
) -> FloatArray:
    """Scores of shape (tasks,). `labelled` are the features of tasks that were labelled, `labels` how many labels
    the control has.

    Tasks that train are ordered by what they teach; the holdout's lie between them in random order, evenly, so that it
    is met at its share; failed ones come last.
    """
    scores = np.full(len(candidates), LAST, np.float32)
    usable = ~candidates.failed
    teaching = np.flatnonzero(usable & ~candidates.holdout)
    best_first = _by_strategy(candidates, teaching, labelled, labels, seed, strategy)
    scores[teaching[best_first]] = _positions(len(teaching))
    aside = np.flatnonzero(usable & candidates.holdout)
    chance = np.array([draw(int(task), "order") for task in candidates.tasks[aside]])
    scores[aside[np.argsort(chance, kind="stable")]] = _positions(len(aside))
    return scores


def cluster(candidates: Candidates, known: Clusters, share: float, seed: int = 0) -> tuple[IntArray, Clusters]:
    """Cluster ids of shape (tasks,), and the clusters to keep. `share` is the holdout's part of all tasks.

    Failed tasks join the first cluster: in one of their own, however bad their score, they would be dealt as often
    as any other cluster's.
    """
    usable = ~candidates.failed
    ids = np.zeros(len(candidates), np.int64)
    ids[usable], clusters = assign_clusters(candidates.features[usable], known, seed)
    ids[~usable] = clusters.ids[0] if len(clusters) else 0
    aside = usable & candidates.holdout
    ids[aside] = holdout_clusters(candidates.tasks[aside].tolist(), len(clusters), share)
    return ids, clusters


def urgent(scores: FloatArray, clusters: IntArray, count: int) -> npt.NDArray[np.intp]:
    """Rows of the `count` tasks that people meet first, in that order: each cluster's best, then their second bests."""
    best_first = np.argsort(scores, kind="stable")
    turn = np.empty(len(scores), np.int64)
    seen: dict[int, int] = {}
    for row in best_first.tolist():
        turn[row] = seen[int(clusters[row])] = seen.get(int(clusters[row]), -1) + 1
    return np.asarray(np.lexsort((scores, turn))[:count], np.intp)


def uncertainty_weight(labelled: int, labels: int) -> float:
    """How much uncertainty counts beside exploration, in [0, 1]: nothing while labels are few, alone later."""
    each = labelled / max(labels, 1)
    return float(np.clip((each - _EXPLORE_BELOW) / (_EXPLORE_UNTIL - _EXPLORE_BELOW), 0, 1))


def _by_strategy(
    candidates: Candidates,
    rows: npt.NDArray[np.intp],
    labelled: FloatArray,
    labels: int,
    seed: int,
    strategy: Strategy,
) -> npt.NDArray[np.intp]:
    """Positions within `rows`, best first."""
    alone = strategy is Strategy.LEAST_CONFIDENCE
    weight = 1.0 if alone else uncertainty_weight(len(labelled), labels)
    uncertain = np.argsort(-np.nan_to_num(candidates.uncertainty[rows], nan=np.inf), kind="stable")
    if weight == 1 or len(rows) == 0:
        return uncertain
    ranks = (1 - weight) * _ranks(exploration_order(candidates.features[rows], labelled, seed))
    return np.argsort(ranks + weight * _ranks(uncertain), kind="stable")


def _ranks(best_first: npt.NDArray[np.intp]) -> FloatArray:
    ranks = np.empty(len(best_first), np.float32)
    ranks[best_first] = _positions(len(best_first))
    return ranks


def _positions(count: int) -> FloatArray:
    """`count` numbers strictly between 0 and 1, evenly spaced, ascending."""
    return ((np.arange(count) + 0.5) / max(count, 1)).astype(np.float32)
