"""How often the gate holds back a model of an unchanged recipe, and how often one that learnt from wrong labels.

scikit-learn's 1,797 handwritten digits, their pixels as features: the training, the postprocessing and the gate are
those of every project, and only the encoder is left out. Each seed draws and orders the labelled tasks anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backend.jobs.featurise import Featuriser
from backend.jobs.learn import Taught, Teacher
from backend.labelstudio.config import Control, parse_config
from backend.labelstudio.media import MediaFetcher
from backend.labelstudio.media.cache import MediaCache
from backend.labelstudio.media.fetcher import MediaLimits
from backend.projects.roles import Role, role
from backend.serving.families import Families
from backend.serving.inputs import InputReader, content_key
from backend.store.artifacts import Artifacts
from backend.store.features import FeatureStore
from backend.store.manifest import ControlVersion
from backend.store.objects import ObjectStore
from backend.store.records import Annotation, Record
from model_zoo.base import Watch
from tests.benchmarks.figures import Figure

UID = "1.1"
BEFORE, AFTER = 400, 440
"""Labelled tasks that champion and challenger know: a tenth more, as the policy retrains. Some 80 are the holdout, so
that it decides in every draw; with 330 one draw in ten has fewer than the 50 that takes."""
SMALL_BEFORE, SMALL_AFTER = 110, 150
"""The same while the holdout is too small to decide alone."""
SEEDS = 50


@dataclass(frozen=True)
class School:
    """One project of digits whose features are known."""

    control: Control
    featuriser: Featuriser
    artifacts: Artifacts
    digits: Sequence[int]
    champions: dict[tuple[int, int], Taught] = field(default_factory=dict)

    def champion(self, seed: int, count: int) -> Taught:
        """What the first `count` tasks of this seed's project teach; taught once."""
        if (seed, count) not in self.champions:
            self.champions[seed, count] = self.teach(self.records(seed, count))
        return self.champions[seed, count]

    def teach(self, records: Sequence[Record], champion: Taught | None = None, **more: Any) -> Taught:
        teacher = Teacher(self.artifacts, Families(), self.featuriser, "v1", 0, {})
        part: ControlVersion | None = champion.part if champion else None
        return teacher.teach(self.control, records, part, more.pop("seen", ()), (), _no_step, Watch(), **more)

    def records(self, seed: int, count: int) -> list[Record]:
        """The first `count` labelled tasks of this seed's project, with the roles that they would have."""
        drawn = np.random.default_rng(seed).permutation(len(self.digits))[:count]
        return [self._record(int(task), role(int(task) + 10_000 * seed, before)) for before, task in enumerate(drawn)]

    def _record(self, task: int, part: Role) -> Record:
        return labelled(Record(task, _data(task), role=part), self.digits[task])


def labelled(record: Record, digit: int) -> Record:
    """The record with one person's answer."""
    region = {"from_name": "digit", "to_name": "image", "type": "choices", "value": {"choices": [str(digit)]}}
    return Record(record.task, record.data, (Annotation(record.task, (region,)),), record.role)


def open_school(folder: Path) -> School:
    """Put the digits' pixels where the features of a project's images lie."""
    from sklearn.datasets import load_digits

    choices = "".join(f'<Choice value="{digit}"/>' for digit in range(10))
    config = (
        f'<View><Image name="image" value="$image"/><Choices name="digit" toName="image">{choices}</Choices></View>'
    )
    control = parse_config(config).controls[0]
    data, store = load_digits(), ObjectStore(folder / "store")
    encoder = Families().of(control).encoder()
    assert encoder is not None
    rows = np.zeros((len(data.target), encoder.dimensions), np.float32)
    rows[:, :64] = data.data / 16
    features = FeatureStore(store)
    keys = [content_key(control, {"id": task, "data": _data(task)}) for task in range(len(rows))]
    features.add(UID, encoder.name, dict(zip(keys, rows, strict=True)))
    inputs = InputReader(MediaFetcher(MediaCache(folder / "media", 1_000_000), MediaLimits()))
    digits = [int(digit) for digit in data.target]
    return School(control, Featuriser(UID, features, inputs), Artifacts(store), digits)


def measure(folder: Path, quick: bool) -> list[Figure]:
    """Shares over all seeds."""
    school, seeds = open_school(folder), range(5 if quick else SEEDS)
    few = f"{len(seeds)} seeds, {BEFORE} and {AFTER} labels"
    small = f"{len(seeds)} seeds, {SMALL_BEFORE} and {SMALL_AFTER} labels; judged: what the champion said of the newest"
    alone = f"{len(seeds)} seeds, {SMALL_BEFORE} and {SMALL_AFTER} labels; no judgements, as after an import"
    return [
        _share("held back", "unchanged recipe", school, seeds, _unchanged, 5.0, few),
        _share("let through", "half of the labels shuffled", school, seeds, _shuffled, 10.0, few),
        _share("held back", "unchanged recipe, small holdout", school, seeds, _small, 5.0, small),
        _share("let through", "half shuffled, small holdout", school, seeds, _small_shuffled, 10.0, small),
        _share("held back", "unchanged recipe, small holdout, nobody judges", school, seeds, _unjudged, 5.0, alone),
        _share("let through", "half shuffled, small holdout, nobody judges", school, seeds, _spoilt, 10.0, alone),
    ]


Case = Callable[[School, int], Taught]


def _share(wrong: str, what: str, school: School, seeds: Sequence[int], case: Case, limit: float, note: str) -> Figure:
    """The share of seeds in which the gate does what it should not, in percent."""
    verdicts = [case(school, seed).verdict for seed in seeds]
    assert all(verdict is not None for verdict in verdicts), "nothing was trained"
    count = sum(verdict is not None and verdict.promote == (wrong == "let through") for verdict in verdicts)
    compared = [verdict.comparison for verdict in verdicts if verdict is not None and verdict.comparison is not None]
    falls = [comparison.detectable for comparison in compared] or [float("nan")]
    lost = [comparison.difference for comparison in compared] or [float("nan")]
    detail = f"{note}; {len(compared)} compared, difference {np.mean(lost):+.3f}, detectable {np.median(falls):.3f}"
    return Figure("gate", f"{what}: {wrong}", 100 * count / len(seeds), "%", limit, detail)


def _unchanged(school: School, seed: int) -> Taught:
    records = school.records(seed, AFTER)
    champion = school.champion(seed, BEFORE)
    return school.teach(records, champion, seen=_tasks(records[:BEFORE]))


def _shuffled(school: School, seed: int) -> Taught:
    """Half of what is trained on gets another one's label; the holdout stays right."""
    records = school.records(seed, AFTER)
    champion = school.champion(seed, BEFORE)
    return school.teach(_half_shuffled(school, records, seed), champion, seen=_tasks(records[:BEFORE]))


def _half_shuffled(school: School, records: Sequence[Record], seed: int) -> list[Record]:
    random = np.random.default_rng(seed)
    trained = [at for at, record in enumerate(records) if record.role.trains]
    half = random.choice(trained, len(trained) // 2, replace=False)
    spoilt = list(records)
    for at, other in zip(half, random.permutation(half), strict=True):
        spoilt[at] = labelled(records[at], school.digits[records[other].task])
    return spoilt


def _small(school: School, seed: int) -> Taught:
    return _few(school, seed, judges=True, shuffled=False)


def _small_shuffled(school: School, seed: int) -> Taught:
    return _few(school, seed, judges=True, shuffled=True)


def _unjudged(school: School, seed: int) -> Taught:
    return _few(school, seed, judges=False, shuffled=False)


def _spoilt(school: School, seed: int) -> Taught:
    return _few(school, seed, judges=False, shuffled=True)


def _few(school: School, seed: int, *, judges: bool, shuffled: bool) -> Taught:
    """While the holdout is small."""
    records = school.records(seed, SMALL_AFTER)
    champion = school.champion(seed, SMALL_BEFORE)
    judged = _judged(school, champion, records[SMALL_BEFORE:]) if judges else {}
    given = _half_shuffled(school, records, seed) if shuffled else records
    return school.teach(given, champion, seen=_tasks(records[:SMALL_BEFORE]), judged=judged)


def _judged(school: School, champion: Taught, records: Sequence[Record]) -> Mapping[int, bool]:
    """What people would have found of the champion's predictions for tasks that they labelled next."""
    from model_zoo.postprocess import ClassificationPostprocess

    assert champion.part is not None
    family = Families().behind(champion.part)
    model = family.load(school.artifacts.fetch(champion.part.artifact))
    tasks = [{"id": record.task, "data": dict(record.data)} for record in records]
    items = [item for item in school.featuriser.items(school.control, family, tasks).items if item is not None]
    postprocess = ClassificationPostprocess.from_json(champion.part.postprocess)
    said = [postprocess.decide(output, model.labels).target for output in model.predict(items)]
    pairs = zip(records, said, strict=True)
    return {record.task: target == frozenset({str(school.digits[record.task])}) for record, target in pairs}


def _tasks(records: Sequence[Record]) -> frozenset[int]:
    return frozenset(record.task for record in records)


def _data(task: int) -> dict[str, str]:
    return {"image": f"https://digits.example/{task}.png"}


def _no_step(done: int, total: int) -> None:
    """Nobody follows."""
