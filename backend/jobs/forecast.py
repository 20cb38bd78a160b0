"""Predictions for many unlabelled tasks at once, from stored features, in the order people should meet them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.jobs.featurise import UNWATCHED, Featuriser, Step
from backend.labelstudio.client import NewPrediction
from backend.labelstudio.config import Control, LabellingConfig
from backend.projects.roles import RolePolicy, draw, role
from backend.selection.clustering import IntArray
from backend.selection.ordering import Candidates, Strategy, cluster, order, urgent
from backend.serving.families import Families
from backend.serving.inputs import Task
from backend.serving.pool import LoadedControl, LoadedVersion
from backend.serving.predict import Predictor, Problem, TaskDraft, ordering, served
from backend.store.clusters import ClusterStore
from backend.store.records import Record
from model_zoo.base import Watch
from model_zoo.types import FloatArray, Item

BATCH = 256
"""Items with features in one call of a head."""
BATCH_RAW = 128
"""Tasks without features between two reports of progress."""


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
        families: Families,
        clusters: ClusterStore,
        policy: RolePolicy,
        seed: int,
        strategy: Strategy = Strategy.DEFAULT,
    ) -> None:
        self._uid = uid
        self._config = config
        self._version = version
        self._predictor = predictor
        self._featuriser = featuriser
        self._families = families
        self._clusters = clusters
        self._policy = policy
        self._seed = seed
        self._strategy = strategy

    def ready(self, tasks: Sequence[Task], unread: int) -> list[Task]:
        """`tasks` without those that would have to be encoded first, of which `unread` stay."""
        waiting: set[int] = set()
        for control, loaded in served(self._config, self._version):
            waiting |= self._featuriser.unread(control, loaded.family, tasks, loaded.model.own_encoder())
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
        for control, loaded in controls:
            self._decide(control, loaded, drafts, step, watch)
        scores, groups = self._order(drafts, controls, labelled, watch)
        rows = urgent(scores, groups, len(drafts)).tolist()
        finished = (self._finish(drafts[row], float(scores[row]), int(groups[row])) for row in rows)
        predictions = [prediction for prediction in finished if prediction is not None]
        return Forecast(predictions, sum(bool(draft.problems) for draft in drafts))

    def _decide(
        self, control: Control, loaded: LoadedControl, drafts: Sequence[TaskDraft], step: Step, watch: Watch
    ) -> None:
        """Put one control's decisions into the drafts."""
        if loaded.family.encoder() is None:
            for start in range(0, len(drafts), BATCH_RAW):
                self._predictor.run(control, loaded, drafts[start : start + BATCH_RAW])
                step(min(start + BATCH_RAW, len(drafts)), len(drafts))
            return
        tasks, own = [draft.task for draft in drafts], loaded.model.own_encoder()
        featurised = self._featuriser.items(control, loaded.family, tasks, step, watch, own)
        for position, message in featurised.problems.items():
            drafts[position].problems.append(Problem("media", message))
        ready = [(draft, item) for draft, item in zip(drafts, featurised.items, strict=True) if item is not None]
        for start in range(0, len(ready), BATCH):
            self._predictor.decide(control, loaded, ready[start : start + BATCH])

    def _order(
        self,
        drafts: Sequence[TaskDraft],
        controls: Sequence[tuple[Control, LoadedControl]],
        labelled: Sequence[Record],
        watch: Watch,
    ) -> tuple[FloatArray, IntArray]:
        """Scores and cluster ids, each of shape (tasks,): by the first control whose tasks can be compared."""
        for control, loaded in controls:
            family = self._families.comparing(control, loaded.family)
            encoder = family.encoder() if family else None
            if family is None or encoder is None:
                continue
            items = self._featuriser.items(control, family, [draft.task for draft in drafts], watch=watch).items
            if any(item is not None for item in items):
                tasks = [as_task(record) for record in labelled]
                known = self._featuriser.items(control, family, tasks, watch=watch).items
                candidates = self._candidates(drafts, _rows(items, encoder.dimensions))
                seen = _rows([item for item in known if item], encoder.dimensions)
                return self._by_features(candidates, seen, control, encoder.name)
        scores = [draw(draft.id or 0, "order") if self._is_holdout(draft) else ordering(draft) for draft in drafts]
        return np.array(scores, np.float32), np.zeros(len(drafts), np.int64)

    def _candidates(self, drafts: Sequence[TaskDraft], features: FloatArray) -> Candidates:
        return Candidates(
            tasks=np.array([draft.id or 0 for draft in drafts], np.int64),
            features=features,
            uncertainty=np.array([_uncertainty(draft) for draft in drafts], np.float32),
            holdout=np.array([self._is_holdout(draft) for draft in drafts], bool),
            failed=np.array([not draft.decisions for draft in drafts], bool),
        )

    def _by_features(
        self, candidates: Candidates, seen: FloatArray, control: Control, encoder: str
    ) -> tuple[FloatArray, IntArray]:
        scores = order(candidates, seen, len(control.labels), self._seed, self._strategy)
        known = self._clusters.get(self._uid, encoder)
        groups, clusters = cluster(candidates, known, self._policy.fraction, self._seed)
        self._clusters.put(self._uid, encoder, clusters)
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
