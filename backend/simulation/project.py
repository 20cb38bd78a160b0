"""A simulated project: Prelabel's own training, predicting, ordering, gate, snapshots and ledger in a store apart.

What is simulated is what lies around them: Label Studio, which stores annotations and deals tasks, the queue, which
would start trainings, and the person.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from backend.errors import InvalidRequest
from backend.jobs.collaborators import Collaborators
from backend.jobs.featurise import Featuriser
from backend.jobs.show import forecaster, loaded_version
from backend.jobs.sync import Sync, Synced
from backend.jobs.train import Learnt, Training
from backend.labelstudio.changes import Changes, LabelledTask, TaskMark
from backend.labelstudio.client import NewPrediction
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.projects.record import ProjectRecord
from backend.serving.pool import LoadedVersion
from backend.simulation.annotator import Work, annotate
from backend.simulation.costs import Costs
from backend.simulation.labelled import Task
from backend.simulation.quality import quality
from backend.simulation.strategies import Dealing, deal
from backend.store.records import Record

UID = "1.1767225600"
BEGINNING = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""When the first task is opened. Nothing depends on the date."""
ANNOTATOR = 1


@dataclass(frozen=True)
class Hold:
    """Nobody else trains the project."""

    fence: int
    held: bool = True


class SimulatedProject:
    """One project from its first label on. `tasks` are those that people may label, with what is true of each, by id.

    `collaborators` are used without their Redis and Label Studio; seed and holdout are those of their settings.
    """

    def __init__(
        self,
        collaborators: Collaborators,
        config: str,
        tasks: Mapping[int, Task],
        dealing: Dealing,
        costs: Costs,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self._with = collaborators
        self._record = ProjectRecord(UID, "simulated", config, parameters=dict(parameters or {}))
        self._config: LabellingConfig = parse_config(config)
        self._tasks = tasks
        self._dealing = dealing
        self._costs = costs
        self._waiting = sorted(tasks)
        if dealing is not Dealing.IN_ORDER:
            random.Random(collaborators.settings.seed).shuffle(self._waiting)
        self._solved: Counter[int] = Counter()
        self._clock = BEGINNING
        self.labelled_tasks: list[int] = []
        """Ids in the order in which they were labelled."""
        self.notes: tuple[str, ...] = ()

    @property
    def labelled(self) -> int:
        return len(self.labelled_tasks)

    @property
    def version(self) -> LoadedVersion:
        """What is served now."""
        return loaded_version(self._with, UID, self._config)

    def label(self, count: int) -> Work:
        """The annotator labels the next `count` tasks, with the version that is served now."""
        version = self.version
        work = Work()
        changed = []
        for prediction in self._next(version, count):
            task, took = self._submit(prediction, version.name)
            work += took
            changed.append(task)
        self.labelled_tasks += [task.id for task in changed]
        changes = Changes(tuple(changed), frozenset(), None, listed_all=True)
        self._sync().take(UID, self._config, changes, lambda rows: {}, len(self._tasks))
        return work

    def learn(self) -> tuple[Learnt, float]:
        """Train on all labels, and publish what the gate lets through; seconds that the training took."""
        started = time.perf_counter()
        synced = self._synced()
        hold = Hold(self._with.versions.fence(UID) + 1)
        learnt = Training(self._with, UID).learn(hold, self._record, self._config, synced, self._unlabelled)
        if learnt.manifest is not None:
            self._with.versions.publish(learnt.manifest)
        self.notes = tuple(note for lesson in learnt.taught.values() for note in lesson.notes)
        return learnt, time.perf_counter() - started

    def _unlabelled(self) -> list[Task]:
        return [{"id": task, "data": self._tasks[task]["data"]} for task in self._waiting]

    def quality(self, tasks: Sequence[Task]) -> dict[str, float]:
        """The served version's metrics on labelled tasks that are no part of the project."""
        featuriser = Featuriser(UID, self._with.features, self._with.inputs)
        return quality(self._config.controls[0], self.version, featuriser, tasks)

    def _next(self, version: LoadedVersion, count: int) -> list[NewPrediction]:
        """The next tasks, each with what people are shown for it."""
        looked = self._dealing.looks_at_all if version.manifest is not None else None
        among = self._waiting if looked else self._waiting[:count]
        predictor = forecaster(self._with, UID, self._config, version, *([looked] if looked else []))
        labelled = list(self._records().values())
        tasks = [{"id": task, "data": self._tasks[task]["data"]} for task in among]
        predictions = predictor.forecast(tasks, labelled).predictions
        if looked:
            chosen = deal(predictions, self._dealing, self._solved, count)
        else:
            place = {task: at for at, task in enumerate(among)}
            chosen = sorted(predictions, key=lambda prediction: place[prediction.task])
        given = {prediction.task for prediction in chosen}
        self._waiting = [task for task in self._waiting if task not in given]
        return chosen

    def _submit(self, prediction: NewPrediction, version: str) -> tuple[LabelledTask, Work]:
        """The annotator's answer to one task, as Label Studio would give it back."""
        task = self._tasks[prediction.task]
        submitted = annotate(self._config.controls[0], prediction.result, task["annotations"][0]["result"])
        seconds = submitted.work.seconds(self._costs)
        self._clock += timedelta(seconds=seconds + 0.001)  # no two at the same instant
        saved = self._clock.isoformat(timespec="microseconds").replace("+00:00", "Z")
        annotation = {
            "id": prediction.task,
            "result": submitted.result,
            "completed_by": ANNOTATOR,
            "updated_by": ANNOTATOR,
            "created_at": saved,
            "updated_at": saved,
            "lead_time": seconds,
            "parent_prediction": prediction.task,
            "was_cancelled": False,
        }
        shown = {**prediction.body(version), "id": prediction.task}
        labelled = LabelledTask(prediction.task, task["data"], (annotation,), (shown,), TaskMark(saved, 1))
        return labelled, submitted.work

    def _sync(self) -> Sync:
        return Sync(self._with.snapshots, self._with.ledger, self._with.roles)

    def _records(self) -> dict[int, Record]:
        head = self._with.snapshots.head(UID)
        return {record.task: record for record in self._with.snapshots.read(UID, head)} if head else {}

    def _synced(self) -> Synced:
        """What the last sync found. Raises `InvalidRequest` before anything is labelled."""
        head = self._with.snapshots.head(UID)
        if head is None:
            raise InvalidRequest("Nothing is labelled yet; label some tasks first.")
        return Synced(head, self._records(), True, len(self._tasks))
