"""From tasks to predictions: route controls, read inputs, batch through the models, decide, convert, validate.

One bad task costs one task: its entry is empty, with the reason beside it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.converters import Region, regions_of
from backend.converters.base import region_key
from backend.converters.remarks import place_in, places_of
from backend.errors import MediaError, PrelabelError
from backend.labelstudio.config import Control, LabellingConfig
from backend.projects.roles import RolePolicy, draw, role
from backend.serving.batcher import Batcher
from backend.serving.inputs import InputReader, data_of
from backend.serving.pool import LoadedControl, LoadedVersion

if TYPE_CHECKING:
    from model_zoo.postprocess import Decision
    from model_zoo.types import Item

log = logging.getLogger(__name__)

LAST = 1.0
"""The ordering number of a task that could not be predicted: it is labelled last, and tried again."""


BEFORE_LAST = 0.999
"""The highest ordering number of a task that was predicted."""


@dataclass(frozen=True)
class Problem:
    """Why a task is not fully predicted: one of a few `kind`s that are counted, and a sentence for the log."""

    kind: str
    message: str


NOT_REACHED = Problem("deadline", "Not reached in time; the background refresh predicts it.")


@dataclass(frozen=True)
class TaskPrediction:
    """What one task gets. `score` is the ordering number in [0, 1], lowest labelled first."""

    result: list[dict[str, Any]]
    score: float
    model_version: str
    problems: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The entry of Label Studio's `/predict` protocol."""
        return {"result": self.result, "score": self.score, "model_version": self.model_version}


@dataclass
class TaskDraft:
    """A task's decisions, control by control, while they are being made."""

    task: Any
    decisions: dict[str, Decision] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def id(self) -> int | None:
        """The task's id, where it has a usable one."""
        identifier = self.task.get("id") if isinstance(self.task, Mapping) else None
        return identifier if isinstance(identifier, int) else None


class Predictor:
    """Predicts tasks with a loaded version; requests at the same time share batches. `on_problem` is told each
    problem's kind."""

    def __init__(
        self,
        inputs: InputReader,
        roles: RolePolicy,
        on_problem: Callable[[str], None] = lambda kind: None,
        batcher: Batcher | None = None,
    ) -> None:
        self._batcher = batcher or Batcher()
        self._inputs = inputs
        self._roles = roles
        self._on_problem = on_problem

    def predict(
        self, config: LabellingConfig, version: LoadedVersion, tasks: Sequence[Any], deadline: float
    ) -> list[TaskPrediction]:
        """One prediction a task, in order. What is not reached by `deadline` (`time.monotonic`) comes back empty."""
        drafts = [TaskDraft(task) for task in tasks]
        for control, loaded in served(config, version):
            self.run(control, loaded, drafts, deadline)
        for name, reason in version.failures.items():
            for draft in drafts:
                draft.problems.append(Problem("model", f"{name}: {reason}"))
        return [self.assemble(config, version, draft, ordering(draft)) for draft in drafts]

    def assemble(
        self, config: LabellingConfig, version: LoadedVersion, draft: TaskDraft, score: float
    ) -> TaskPrediction:
        """Regions of all controls, validated against the config; empty with a problem where that fails."""
        for problem in draft.problems:
            self._note(draft, problem)
        if self.is_blind(version, draft.id):
            return TaskPrediction([], draw(draft.id or 0, "order"), version.name)
        key = region_key(draft.id, version.name)
        regions: list[Region] = []
        for control in config.controls:
            if control.name in draft.decisions:
                decision = draft.decisions[control.name]
                regions += regions_of(control, decision, data_of(draft.task), key=key, drawn=regions)
        prediction = TaskPrediction(regions, score, version.name, tuple(draft.problems))
        faults = config.validate(prediction.as_dict()) if regions else []
        if not faults:
            return prediction
        problem = Problem("invalid", f"Label Studio would refuse the prediction: {'; '.join(faults)}")
        self._note(draft, problem)
        return TaskPrediction([], LAST, version.name, (*draft.problems, problem))

    def is_blind(self, version: LoadedVersion, task_id: int | None) -> bool:
        """Whether people label this task without seeing a prediction: part of the holdout, or the control arm."""
        if task_id is None or version.manifest is None:
            return False
        labelled = int(version.manifest.metrics.get("labelled", 0))
        return not role(task_id, labelled, self._roles).shows_prediction

    def decide(self, control: Control, loaded: LoadedControl, batch: Sequence[tuple[TaskDraft, Item]]) -> None:
        """Put the control's decision into each draft; when a batch fails, its items are tried one by one."""
        if not batch:
            return
        try:
            outputs = self._batcher.predict(loaded.model, [item for _, item in batch])
            decisions = [
                loaded.postprocess.decide(output, loaded.model.labels, minimum=control.score_threshold)
                for output in outputs
            ]
        except Exception as error:  # whatever a network throws at an odd input must cost that one task only
            if len(batch) > 1:
                for one in batch:
                    self.decide(control, loaded, [one])
                return
            log.debug("Prediction failed.", exc_info=True)
            batch[0][0].problems.append(Problem("model", f"{control.name}: {error}"))
            return
        for (draft, _), decision in zip(batch, decisions, strict=True):
            if math.isfinite(decision.uncertainty):
                draft.decisions[control.name] = decision
            else:
                draft.problems.append(Problem("model", f"{control.name}: the model's answer is no number."))

    def run(
        self, control: Control, loaded: LoadedControl, drafts: Sequence[TaskDraft], deadline: float | None = None
    ) -> None:
        """Read the drafts' inputs and put the control's decisions into them, as far as the deadline lets it."""
        reached = 0
        batch: list[tuple[TaskDraft, Item]] = []
        tasks = [draft.task for draft in drafts]
        with self._batcher.announced(loaded.model):
            items = self._inputs.read_items(control, tasks, loaded.model.prepare, deadline)
            for draft, item in zip(drafts, items, strict=False):
                reached += 1
                if isinstance(item, PrelabelError):
                    draft.problems.append(Problem("media" if isinstance(item, MediaError) else "task", str(item)))
                else:
                    batch.append((draft, _asked(control, draft, item)))
                if len(batch) == loaded.model.at_once:
                    self.decide(control, loaded, batch)
                    batch = []
            self.decide(control, loaded, batch)
        for late in drafts[reached:]:
            late.problems.append(NOT_REACHED)

    def _note(self, draft: TaskDraft, problem: Problem) -> None:
        self._on_problem(problem.kind)
        log.warning("Task %s is not fully predicted: %s", draft.id, problem.message)


def _asked(control: Control, draft: TaskDraft, item: Item) -> Item:
    """The item as it is asked about: with the regions decided so far, where the control is about such."""
    if not control.about:
        return item
    from model_zoo.types import RegionItem

    drawn = [
        region
        for other in control.about
        if other.name in draft.decisions
        for region in regions_of(other, draft.decisions[other.name], data_of(draft.task), key="")
    ]
    places = tuple(place_in(item, place) for _, place in places_of(control, drawn))
    return RegionItem(item.input, item.features, item.others, places)


def served(config: LabellingConfig, version: LoadedVersion) -> Iterator[tuple[Control, LoadedControl]]:
    """The config's controls that the version has a model for."""
    for control in config.controls:
        loaded = version.controls.get(control.name)
        if loaded is not None:
            yield control, loaded


def ordering(draft: TaskDraft) -> float:
    """The ordering number of a task by itself: 1 minus its largest uncertainty; `LAST` when nothing was decided."""
    if not draft.decisions:
        return LAST
    certainty = 1.0 - max(decision.uncertainty for decision in draft.decisions.values())
    return min(max(certainty, 0.0), BEFORE_LAST)
