"""Predictions for many unlabelled tasks at once, from stored features, in the order people should meet them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.jobs.featurise import UNWATCHED, Featuriser, Step
from backend.labelstudio.client import NewPrediction
from backend.labelstudio.config import Control, LabellingConfig
from backend.projects.roles import RolePolicy, role
from backend.selection.clustering import IntArray
from backend.selection.ordering import Candidates, cluster, order, urgent
from backend.serving.inputs import Task
from backend.serving.pool import LoadedControl, LoadedVersion
from backend.serving.predict import Predictor, Problem, TaskDraft, ordering, served
from backend.store.clusters import ClusterStore
from backend.store.records import Record
from model_zoo.base import Watch
from model_zoo.types import FloatArray, Item

BATCH = 256
"""Items with features in one call of a head."""


@dataclass(frozen=True)
class Forecast:
    """`predictions`, those that people meet first at the front; `unpredicted` counts tasks with a problem."""

    predictions: list[NewPrediction]
    unpredicted: int


class Forecaster:
    """Predicts one project's tasks with one version."""

    def __init__(
        self,
        uid: str,
        config: LabellingConfig,
        version: LoadedVersion,
        predictor: Predictor,
        featuriser: Featuriser,
        clusters: ClusterStore,
        policy: RolePolicy,
        seed: int,
    ) -> None:
        self._uid = uid
        self._config = config
        self._version = version
        self._predictor = predictor
        self._featuriser = featuriser
        self._clusters = clusters
        self._policy = policy
        self._seed = seed

    def ready(self, tasks: Sequence[Task], unread: int) -> list[Task]:
        """`tasks` without those that would have to be encoded first, of which `unread` stay."""
        waiting: set[int] = set()
        for control, loaded in served(self._config, self._version):
            waiting |= self._featuriser.unread(control, loaded.family, tasks)
        left_out = set(sorted(waiting)[unread:])
        return [task for at, task in enumerate(tasks) if at not in left_out]

    def forecast(
        self,
        tasks: Sequence[Task],
        labelled: Sequence[Record],
        step: Step = lambda done, total: None,
        watch: Watch = UNWATCHED,
    ) -> Forecast:
        """Predict `tasks`; `labelled` are the tasks that people have labelled, for the order alone."""
        drafts = [TaskDraft(task) for task in tasks]
        controls = list(served(self._config, self._version))
        seen = [self._decide(control, loaded, drafts, step, watch) for control, loaded in controls]
        grounds = next((items for items in seen if any(item and item.features is not None for item in items)), None)
        if grounds is None:
            scores: FloatArray = np.array([ordering(draft) for draft in drafts], np.float32)
            groups: IntArray = np.zeros(len(drafts), np.int64)
        else:
            scores, groups = self._order(drafts, controls[seen.index(grounds)], grounds, labelled, watch)
        rows = urgent(scores, groups, len(drafts)).tolist()
        finished = (self._finish(drafts[row], float(scores[row]), int(groups[row])) for row in rows)
        predictions = [prediction for prediction in finished if prediction is not None]
        return Forecast(predictions, sum(bool(draft.problems) for draft in drafts))

    def _decide(
        self, control: Control, loaded: LoadedControl, drafts: Sequence[TaskDraft], step: Step, watch: Watch
    ) -> list[Item | None]:
        """Put one control's decisions into the drafts; the tasks' items."""
        featurised = self._featuriser.items(control, loaded.family, [draft.task for draft in drafts], step, watch)
        for position, message in featurised.problems.items():
            drafts[position].problems.append(Problem("media", message))
        ready = [(draft, item) for draft, item in zip(drafts, featurised.items, strict=True) if item is not None]
        for start in range(0, len(ready), BATCH):
            self._predictor.decide(control, loaded, ready[start : start + BATCH])
        return featurised.items

    def _order(
        self,
        drafts: Sequence[TaskDraft],
        served_by: tuple[Control, LoadedControl],
        items: Sequence[Item | None],
        labelled: Sequence[Record],
        watch: Watch,
    ) -> tuple[FloatArray, IntArray]:
        """Scores and cluster ids, each of shape (tasks,)."""
        control, loaded = served_by
        encoder = loaded.family.encoder()
        known = self._featuriser.items(
            control, loaded.family, [as_task(record) for record in labelled], watch=watch
        ).items
        width = next(item.features.size for item in items if item is not None and item.features is not None)
        candidates = Candidates(
            tasks=np.array([draft.id or 0 for draft in drafts], np.int64),
            features=_rows(items, width),
            uncertainty=np.array([_uncertainty(draft) for draft in drafts], np.float32),
            holdout=np.array([self._is_holdout(draft) for draft in drafts], bool),
            failed=np.array([not draft.decisions for draft in drafts], bool),
        )
        scores = order(candidates, _rows([item for item in known if item], width), len(control.labels), self._seed)
        if encoder is None:
            return scores, np.zeros(len(drafts), np.int64)
        groups, clusters = cluster(
            candidates, self._clusters.get(self._uid, encoder.name), self._policy.fraction, self._seed
        )
        self._clusters.put(self._uid, encoder.name, clusters)
        return scores, groups

    def _finish(self, draft: TaskDraft, score: float, group: int) -> NewPrediction | None:
        if draft.id is None:
            return None
        prediction = self._predictor.assemble(self._config, self._version, draft, score)
        return NewPrediction(draft.id, prediction.result, prediction.score, group)

    def _is_holdout(self, draft: TaskDraft) -> bool:
        manifest = self._version.manifest
        labelled = int(manifest.metrics.get("labelled", 0)) if manifest else 0
        return role(draft.id or 0, labelled, self._policy).is_holdout


def as_task(record: Record) -> Task:
    """A snapshot's record in the shape of Label Studio's task."""
    return {"id": record.task, "data": dict(record.data)}


def _uncertainty(draft: TaskDraft) -> float:
    return max((decision.uncertainty for decision in draft.decisions.values()), default=float("nan"))


def _rows(items: Sequence[Item | None], width: int) -> FloatArray:
    """Features of shape (items, width), zeros where there are none."""
    rows = np.zeros((len(items), width), np.float32)
    for position, item in enumerate(items):
        if item is not None and item.features is not None:
            rows[position] = item.features
    return rows
