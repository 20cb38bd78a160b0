"""A simulated project: Prelabel's own training, predicting, ordering, gate, snapshots and ledger in a store apart.

What is simulated is what lies around them: Label Studio, which stores annotations and deals tasks, the queue, which
would start trainings, and the person.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from backend.converters import Region
from backend.errors import InvalidRequest
from backend.jobs.collaborators import Collaborators
from backend.jobs.examples import Answer, answers
from backend.jobs.featurise import Featuriser
from backend.jobs.show import forecaster, loaded_version
from backend.jobs.sync import Sync, Synced
from backend.jobs.train import Learnt, Training
from backend.labelstudio.changes import Changes, LabelledTask, TaskMark
from backend.labelstudio.client import NewPrediction
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.projects.record import ProjectRecord
from backend.serving.pool import LoadedVersion
from backend.serving.predict import Predictor
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
"""The first annotator's id. Whoever gives a task a second answer is the next, and so on."""


@dataclass(frozen=True)
class Hold:
    """Nobody else trains the project."""

    fence: int
    held: bool = True


@dataclass(frozen=True)
class Step:
    """What labelling some tasks took, and which part of it was spent on those that may show a prediction: not on what
    is labelled blind, as part of the holdout is."""

    work: Work = field(default_factory=Work)
    shown: Work = field(default_factory=Work)

    def __add__(self, other: Step) -> Step:
        return Step(self.work + other.work, self.shown + other.shown)


class SimulatedProject:
    """One project from its first label on. `tasks` are those that people may label, by id; each is labelled as often as
    it has annotations, by another person each time.

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
        chance = random.Random(collaborators.settings.seed)
        self._waiting = _turns(tasks)
        if dealing is not Dealing.IN_ORDER:
            chance.shuffle(self._waiting)
        # Those to come, the next one last: who answers first is chance, too.
        self._to_say = {
            task: chance.sample(own["annotations"], len(own["annotations"])) for task, own in sorted(tasks.items())
        }
        self._said: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self._solved: Counter[int] = Counter()
        self._clock = BEGINNING
        self.given: list[Sequence[Region]] = []
        """The answers as people gave them, in their order."""
        self.notes: tuple[str, ...] = ()

    @property
    def labelled(self) -> int:
        """Annotations made."""
        return len(self.given)

    @property
    def waiting(self) -> int:
        """Annotations that are left to be made."""
        return len(self._waiting)

    @property
    def version(self) -> LoadedVersion:
        """What is served now."""
        return loaded_version(self._with, UID, self._config)

    def label(self, count: int) -> Step:
        """The next `count` annotations are made, with the version that is served now."""
        version = self.version
        predictor = Predictor(self._with.inputs, self._with.roles)
        step = Step()
        changed: dict[int, LabelledTask] = {}
        for prediction in self._next(version, count):
            changed[prediction.task], took = self._submit(prediction, version.name)
            step += Step(took, Work() if predictor.is_blind(version, prediction.task) else took)
        changes = Changes(tuple(changed.values()), frozenset(), None, listed_all=True)
        self._sync().take(UID, self._config, changes, lambda rows: {}, len(self._tasks))
        return step

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

    def answers(self) -> list[Answer]:
        """What the project takes for true by now, of several answers to one task as a training does."""
        return answers(self._config.controls[0], self._records().values())

    def _unlabelled(self) -> list[Task]:
        return [{"id": task, "data": self._tasks[task]["data"]} for task in self._waiting]

    def quality(self, tasks: Sequence[Task], truths: Sequence[Sequence[Region]]) -> dict[str, float]:
        """The served version's metrics on tasks that are no part of the project, with the true regions of each."""
        featuriser = Featuriser(UID, self._with.features, self._with.inputs)
        return quality(self._config.controls[0], self.version, featuriser, tasks, truths)

    def _next(self, version: LoadedVersion, count: int) -> list[NewPrediction]:
        """The next tasks, each with what people are shown for it."""
        looked = self._dealing.looks_at_all if version.manifest is not None else None
        turns = self._waiting if looked else self._waiting[:count]
        among = list(dict.fromkeys(turns))
        predictor = forecaster(self._with, UID, self._config, version, *([looked] if looked else []))
        labelled = list(self._records().values())
        tasks = [{"id": task, "data": self._tasks[task]["data"]} for task in among]
        predictions = predictor.forecast(tasks, labelled).predictions
        if looked:
            chosen = self._dealt(predictions, count)
        else:
            known = {prediction.task: prediction for prediction in predictions}
            chosen = [known[task] for task in turns if task in known]
        given = Counter(prediction.task for prediction in chosen)
        self._waiting = list(_without(self._waiting, given))
        return chosen

    def _dealt(self, predictions: Sequence[NewPrediction], count: int) -> list[NewPrediction]:
        """As the strategy deals. No task comes a second time before all that are left have come once."""
        left = Counter(self._waiting)
        chosen: list[NewPrediction] = []
        while len(chosen) < count:
            still = [prediction for prediction in predictions if left[prediction.task] > 0]
            if not still:
                break
            dealt = deal(still, self._dealing, self._solved, count - len(chosen))
            left.subtract(prediction.task for prediction in dealt)
            chosen += dealt
        return chosen

    def _submit(self, prediction: NewPrediction, version: str) -> tuple[LabelledTask, Work]:
        """The annotator's answer to one task, as Label Studio would give it back."""
        task, said = self._tasks[prediction.task], self._said[prediction.task]
        answer = self._to_say[prediction.task].pop()["result"]
        submitted = annotate(self._config.controls[0], prediction.result, answer)
        self.given.append(answer)
        seconds = submitted.work.seconds(self._costs)
        self._clock += timedelta(seconds=seconds + 0.001)  # no two at the same instant
        saved = self._clock.isoformat(timespec="microseconds").replace("+00:00", "Z")
        person = ANNOTATOR + len(said)
        annotation = {
            "id": self.labelled,
            "result": submitted.result,
            "completed_by": person,
            "updated_by": person,
            "created_at": saved,
            "updated_at": saved,
            "lead_time": seconds,
            "parent_prediction": prediction.task,
            "was_cancelled": False,
        }
        said.append(annotation)
        shown = {**prediction.body(version), "id": prediction.task}
        mark = TaskMark(saved, len(said))
        return LabelledTask(prediction.task, task["data"], tuple(said), (shown,), mark), submitted.work

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


def _turns(tasks: Mapping[int, Task]) -> list[int]:
    """Each task as often as it has annotations: all tasks once, then those that have a second one, and so on."""
    times = [(number, task) for task, own in tasks.items() for number in range(len(own["annotations"]))]
    return [task for _, task in sorted(times)]


def _without(turns: Sequence[int], given: Counter[int]) -> Iterable[int]:
    """The turns that are left when each task has had so many of its own."""
    left = Counter(given)
    for task in turns:
        if left[task] > 0:
            left[task] -= 1
        else:
            yield task
