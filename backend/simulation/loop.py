"""Label, learn, look: a labelled set replayed under several strategies and seeds, budget by budget."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from backend.errors import InvalidRequest
from backend.evaluation.prequential import running
from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.learn import Taught
from backend.labelstudio.config import parse_config
from backend.labelstudio.media.folder import FolderMedia
from backend.serving.inputs import InputReader
from backend.settings import Settings
from backend.simulation import crowd
from backend.simulation.annotator import Work, alone
from backend.simulation.costs import Costs
from backend.simulation.labelled import Kind, LabelledSet, Task, truth
from backend.simulation.project import UID, SimulatedProject
from backend.simulation.quality import MAIN_METRIC
from backend.simulation.report import Run
from backend.simulation.strategies import Dealing
from backend.store.features import FeatureStore
from backend.store.objects import ObjectStore

Tell = Callable[[str, float], None]
"""Told what is being done, and which part of the whole is done."""


@dataclass(frozen=True)
class Plan:
    """What to simulate. `budgets` are numbers of labelled tasks, of a crowd those of annotations; `seeds` is how often,
    with 0, 1, ... as seed."""

    dealings: tuple[Dealing, ...]
    budgets: tuple[int, ...]
    seeds: int
    test_fraction: float
    costs: Costs
    model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """How to train, as the extra params of a backend in Label Studio say it."""
    ids: tuple[int, ...] = field(default=())
    """The tasks' ids; 1, 2, ... where none are given. Roles are drawn from them."""

    def __post_init__(self) -> None:
        if not self.budgets or list(self.budgets) != sorted({*self.budgets}) or self.budgets[0] < 1:
            raise InvalidRequest(f"--budget: got {self.budgets}, wanted growing numbers of tasks such as 5,10,20.")
        if self.seeds < 1:
            raise InvalidRequest(f"--seeds: got {self.seeds}, wanted 1 or more.")
        if not 0 <= self.test_fraction < 1:
            raise InvalidRequest(f"--test-fraction: got {self.test_fraction}, wanted a share from 0 to below 1.")


def simulate(
    settings: Settings, found: LabelledSet, plan: Plan, tell: Tell = lambda what, share: None
) -> Iterator[Run]:
    """The runs one by one, in the order of strategies, seeds and budgets.

    Raises `InvalidRequest` for a crowd without gold, and where nothing could be learnt; `InvalidConfig` for a model
    that there is not, or that is of another kind.
    """
    crowd.check_gold(found)
    total = len(plan.dealings) * plan.seeds * len(plan.budgets)
    with tempfile.TemporaryDirectory(prefix="prelabel-simulation-") as folder:
        shared = FeatureStore(ObjectStore(Path(folder) / "features"))
        media = FolderMedia(found.root, settings.media_max_bytes)
        with closing(InputReader(media, max_pixels=settings.media_max_pixels)) as inputs:
            for number, (dealing, seed) in enumerate(product(plan.dealings, range(plan.seeds))):
                own = Path(folder) / f"{dealing.value}-{seed}"
                with closing(_collaborators(settings, own, seed)) as built:
                    parts = replace(built, features=shared, inputs=inputs)
                    for step, run in enumerate(_runs(parts, found, plan, dealing), 1):
                        done = number * len(plan.budgets) + step
                        tell(f"{dealing.value}, seed {seed}: {run.budget} labelled", done / total)
                        yield run


def _collaborators(settings: Settings, folder: Path, seed: int) -> Collaborators:
    """Those of a worker with a store of its own. Its Redis is nowhere, and never asked."""
    nowhere = SecretStr("redis://127.0.0.1:1/0")
    given: dict[str, Any] = {
        "data_dir": folder,
        "store_url": None,
        "redis_url": nowhere,
        "seed": seed,
        "label_studio_url": None,
    }
    return build_collaborators(settings.model_copy(update=given))


def _runs(parts: Collaborators, found: LabelledSet, plan: Plan, dealing: Dealing) -> Iterator[Run]:
    """One project from its first label to the last budget, or the end of its tasks."""
    config = found.config_with(plan.model)
    control = parse_config(config).controls[0]
    learns = not found.is_bare
    metric = MAIN_METRIC[parts.families.of(control).task] if learns else crowd.METRIC
    pool, test = split(found, plan if learns else replace(plan, test_fraction=0.0), parts.settings.seed)
    project = SimulatedProject(parts, config, pool, dealing, plan.costs, plan.parameters)
    assisted = manual = Work()
    for budget in plan.budgets:
        before = project.labelled
        if not project.waiting:
            return
        step = project.label(budget - before)
        fresh = project.given[before:]
        assisted += step.work
        manual += sum((alone(control, answer) for answer in fresh), Work())
        taught, seconds = _taught(project) if learns else ({}, 0.0)
        measured = project.quality(test, [truth(found.kind, task) for task in test])
        if found.kind is Kind.CROWD:
            measured |= crowd.answers_measured(control, pool, project.answers(), project.labelled)
        verdicts = [lesson.verdict for lesson in taught.values() if lesson.verdict is not None]
        judged = running(parts.ledger.judgements(UID), last=len(fresh))
        yield Run(
            strategy=dealing.value,
            seed=parts.settings.seed,
            budget=project.labelled,
            metric_name=metric,
            metric=measured.get(metric, 0.0),
            metrics={
                **measured,
                **{f"{name}_count": float(count) for name, count in asdict(assisted).items()},
                "step_label_efficiency": step.work.efficiency,
                "step_shown_label_efficiency": step.shown.efficiency,
                "step_running_accuracy": judged.accuracy if judged else 0.0,
                "held_back": float(any(not verdict.promote for verdict in verdicts)),
            },
            label_efficiency=assisted.efficiency,
            actions_manual=manual.actions,
            actions_assisted=assisted.actions,
            seconds_manual=round(manual.seconds(plan.costs), 3),
            seconds_assisted=round(assisted.seconds(plan.costs), 3),
            train_seconds=round(seconds, 3),
            notes=(*crowd.notes_on(found), *project.notes),
        )
    if learns and not project.version.controls:
        raise InvalidRequest(f"Nothing could be learnt. {' '.join(project.notes)}".strip())


def _taught(project: SimulatedProject) -> tuple[Mapping[str, Taught], float]:
    learnt, seconds = project.learn()
    return learnt.taught, seconds


def split(found: LabelledSet, plan: Plan, seed: int) -> tuple[dict[int, Task], Sequence[Task]]:
    """The tasks that may be labelled, by id, and those for testing: drawn by the seed, or of a video its end."""
    ids = plan.ids or tuple(range(1, len(found.tasks) + 1))
    tasks = dict(zip(ids, found.tasks, strict=True))
    drawn = list(ids)
    if not found.sequential:
        random.Random(f"test {seed}").shuffle(drawn)
    count = round(plan.test_fraction * len(drawn))
    if count >= len(drawn):
        raise InvalidRequest(f"With {len(drawn)} tasks, none is left to label beside those for testing.")
    aside = set(drawn[len(drawn) - count :])
    return {task: tasks[task] for task in ids if task not in aside}, [tasks[task] for task in ids if task in aside]
