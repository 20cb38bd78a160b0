"""What a teacher adds: `python -m tests.benchmarks.zoo --only distil`

The same few labelled examples twice: by themselves, and with what a teacher says of others that nobody has labelled.
The teacher has learnt from more people's work, as a later version of a project, or a finished project of the same
labels, has. Of hand signs it is once also another family, taught the same few examples.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.evaluation.entities import EntityEvaluation
from model_zoo.base import Family, Trained
from model_zoo.detection_metrics import detection_metrics
from model_zoo.distillation import Distillation, as_taught
from model_zoo.postprocess import DetectionPostprocess, EntityPostprocess, postprocess_of
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import ClassificationOutput, DetectionExample, EntityExample, Example, LabelSpace, TaskKind
from tests.benchmarks import zoo_entities
from tests.benchmarks.detection_data import raccoons
from tests.benchmarks.few_labels import few, read
from tests.benchmarks.figures import median
from tests.benchmarks.shared_data import shared
from tests.benchmarks.zoo_draws import costing, on_disk
from tests.benchmarks.zoo_rows import Row, Trial

ALONE = "without a teacher"
OTHER = "image_classification/mobilenet_v2_linear.v1"

Judge = Callable[[Trained, Sequence[Example]], float]
"""How good a training is on what is held out, from 0 to 1, given its examples."""


@dataclass(frozen=True)
class Case:
    """Who is taught what, and how well. `few` are labelled, `others` nobody has labelled, and the teacher has learnt
    from `more`; examples of a family of its own, where it is of another one, are `theirs`, one for each of `others`."""

    student: Family
    labels: LabelSpace
    few: Sequence[Example]
    others: Sequence[Example]
    teacher: Family
    more: Sequence[Example]
    theirs: Sequence[Example]
    judge: Judge


def measure(quick: bool, seeds: int) -> list[Row]:
    """The standard choice is the same training without a teacher."""
    return [*_signs(quick, seeds), *_entities(quick, seeds), *_raccoons(quick, seeds)]


def trial(case: Case, measure: str) -> tuple[Trial, float]:
    """The student with its teacher beside the student alone; and how good the teacher is, where it is of the same
    family, else 0."""
    large = case.teacher.train(case.more, case.labels, Recipe())
    truths = [one for example in case.more for one in vars(example).values() if isinstance(one, tuple | frozenset)]
    process = postprocess_of(case.student.task).fit(large.out_of_fold, truths, case.labels)
    columns = range(len(case.labels))
    said = large.model.predict([one.item for one in case.theirs])
    outputs = [as_taught(output, process, columns, case.labels) for output in said]
    lesson = Distillation([one.item for one in case.others], outputs)
    with costing() as alone:
        plain = case.student.train(case.few, case.labels, Recipe())
    with costing() as cost:
        both = case.student.distil(case.few, case.labels, Recipe(), lesson)
    usual = {ALONE: {measure: case.judge(plain, case.few), "seconds": alone.seconds}}
    found = {measure: case.judge(both, case.few), "seconds": cost.seconds}
    same = case.teacher.name == case.student.name
    teacher = case.judge(large, case.more) if same else 0.0
    return Trial(found, usual, cost.peak, on_disk(both.model)), teacher


def _row(part: str, measure: str, cases: Sequence[Case]) -> Row:
    trials = [trial(case, measure) for case in cases]
    teacher = median(found for _, found in trials)
    return Row(part, measure, [one for one, _ in trials], note=f"the teacher: {teacher:.3f}" if teacher else "")


def _signs(quick: bool, seeds: int) -> list[Row]:
    weights = os.environ.get("PRELABEL_WEIGHTS_DIR")
    student = family(default_family(TaskKind.IMAGE_CLASSIFICATION))
    other = family(OTHER, Path(weights) if weights else None)
    files = sorted((shared("cls_signdigits") / "Dataset").glob("*/*"))[:: 2 if quick else 1]
    own, theirs = (read(kind, [(path, path.parent.name) for path in files]) for kind in (student, other))
    names = sorted({path.parent.name for path in files})
    labels = LabelSpace(tuple(names))

    def case(count: int, seed: int, teacher: Family) -> Case:
        chosen = few(own, names, count, seed)
        rest = [int(at) for at in np.random.default_rng(seed).permutation(len(files)) if at not in set(chosen)]
        third = len(rest) // 3
        others, test, more = rest[:third], rest[third : 2 * third], [*chosen, *rest[2 * third :]]

        def judge(trained: Trained, examples: Sequence[Example]) -> float:
            outputs = trained.model.predict([own[at].item for at in test])
            best = [names[one.probabilities.argmax()] for one in outputs if isinstance(one, ClassificationOutput)]
            return float(np.mean([name in own[at].labels for name, at in zip(best, test, strict=True)]))

        seen = theirs if teacher is other else own
        known = [seen[at] for at in (chosen if teacher is other else more)]
        pairs = ([own[at] for at in others], [seen[at] for at in others])
        return Case(student, labels, [own[at] for at in chosen], pairs[0], teacher, known, pairs[1], judge)

    rows = []
    for teacher, said in ((student, "a later version"), (other, "another family")):
        for count in (2, 5):
            cases = [case(count, seed, teacher) for seed in range(seeds)]
            rows.append(_row(f"hand signs, {count} a class, taught by {said}", "accuracy", cases))
    return rows


def _entities(quick: bool, seeds: int) -> list[Row]:
    kind = family(default_family(TaskKind.NAMED_ENTITIES))
    sentences, test = zoo_entities.read("wnut17train.conll"), zoo_entities.read("emerging.dev.conll")
    test = zoo_entities.drawn(test, 200 if quick else 600, 0)
    labels = LabelSpace(tuple(sorted({span.label for one in sentences for span in one.spans})))

    def judge(trained: Trained, examples: Sequence[Example]) -> float:
        truths = [one.spans for one in examples if isinstance(one, EntityExample)]
        process = EntityPostprocess.fit(trained.out_of_fold, truths, labels)
        outputs = trained.model.predict([one.item for one in test])
        return EntityEvaluation().measure(outputs, [one.spans for one in test], process, labels)["f1"]

    cases = []
    for seed in range(seeds):
        pool = zoo_entities.drawn(sentences, 650 if quick else 1050, seed)
        others = pool[50:250]
        cases.append(Case(kind, labels, pool[:50], others, kind, pool[250:], others, judge))
    return [_row("wnut17, 50 sentences", "f1", cases)]


def _raccoons(quick: bool, seeds: int) -> list[Row]:
    weights = os.environ.get("PRELABEL_WEIGHTS_DIR")
    kind = family(default_family(TaskKind.OBJECT_DETECTION), Path(weights) if weights else None)
    split = raccoons()
    labels, test = LabelSpace(split.labels), split.test[:30] if quick else split.test

    def judge(trained: Trained, examples: Sequence[Example]) -> float:
        truths = [one.boxes for one in examples if isinstance(one, DetectionExample)]
        process = DetectionPostprocess.fit(trained.out_of_fold, truths, labels)
        outputs = trained.model.predict([one.item for one in test])
        return detection_metrics(outputs, [one.boxes for one in test], process, labels).map50

    cases = []
    for seed in range(seeds):
        pool = split.draw(75 if quick else 135, seed)
        others = pool[5 : 45 if quick else 105]
        cases.append(Case(kind, labels, pool[:5], others, kind, pool[-30:], others, judge))
    return [_row("raccoons, 5 images", "map50", cases)]
