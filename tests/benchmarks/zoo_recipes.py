"""What training more of a network gives: `python -m tests.benchmarks.zoo_recipes [--quick] [--only NAME]`

The recipes micro, few_shot and fine_tune on the same examples, and what is chosen by evidence: hand signs at 20 and 40
a class (`cls_signdigits`), 20 intents of banking77 at 64 a class, and 1,000 sentences of WNUT17; each on test data that
none has seen, with the seconds that it took.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.evaluation.entities import EntityEvaluation
from model_zoo.base import Family
from model_zoo.image_classification.encoder import square
from model_zoo.metrics import classification_metrics
from model_zoo.postprocess import ClassificationPostprocess, EntityPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import ClassificationExample, Example, Item, LabelSpace, TaskKind
from tests.benchmarks import zoo_entities
from tests.benchmarks.few_labels import few
from tests.benchmarks.figures import Figure, text_table
from tests.benchmarks.shared_data import banking77, shared

RECIPES = ("few_shot", "fine_tune")
INTENTS = 20
ALIKE = ("card", "cash", "declined", "pending", "top_up")
"""How intents begin that are hard to tell apart; of others micro gets 0.987 right."""


@dataclass(frozen=True)
class Trial:
    """Examples to learn from and to be judged on."""

    name: str
    kind: Family
    labels: LabelSpace
    train: Sequence[Example]
    test: Sequence[Example]


def signs(a_class: int) -> Trial:
    files = sorted((shared("cls_signdigits") / "Dataset").glob("*/*"))
    names = sorted({path.parent.name for path in files})
    order = np.random.default_rng(0).permutation(len(files))
    train, test = [], []
    for name in names:
        own = [files[at] for at in order if files[at].parent.name == name]
        train += [ClassificationExample(Item(square(path)), frozenset([name])) for path in own[:a_class]]
        test += [ClassificationExample(Item(square(path)), frozenset([name])) for path in own[40:80]]
    kind = family(default_family(TaskKind.IMAGE_CLASSIFICATION))
    return Trial(f"hand signs, {a_class} a class", kind, LabelSpace(tuple(names)), train, test)


def intents(a_class: int) -> Trial:
    every = sorted({name for _, name in banking77("train")})
    names = [name for name in every if name.startswith(ALIKE)][:INTENTS]
    sets = [
        [ClassificationExample(Item(text), frozenset([name])) for text, name in banking77(part) if name in names]
        for part in ("train", "test")
    ]
    train = [sets[0][at] for at in few(sets[0], names, a_class, 0)]
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION))
    return Trial(f"{INTENTS} intents of banking77, {a_class} a class", kind, LabelSpace(tuple(names)), train, sets[1])


def entities(count: int) -> Trial:
    train, test = zoo_entities.read("wnut17train.conll"), zoo_entities.read("emerging.test.annotated")
    labels = LabelSpace(tuple(sorted({span.label for example in train for span in example.spans})))
    kind = family(default_family(TaskKind.NAMED_ENTITIES))
    return Trial(f"WNUT17, {count} sentences", kind, labels, zoo_entities.drawn(train, count, 0), test)


TRIALS: dict[str, Callable[[], Trial]] = {
    "signs20": lambda: signs(20),
    "signs40": lambda: signs(40),
    "intents": lambda: intents(64),
    "entities": lambda: entities(1000),
}
QUICK: dict[str, Callable[[], Trial]] = {"signs": lambda: signs(10), "entities": lambda: entities(100)}


def quality(trial: Trial, trained: Any) -> tuple[float, str]:
    """1 - accuracy or 1 - F1 on the test set, and the calibration error where there is one."""
    outputs = trained.model.predict([example.item for example in trial.test])
    truths = [example.labels if isinstance(example, ClassificationExample) else example.spans for example in trial.test]  # type: ignore[union-attr]  # of the two kinds
    known = [example.labels if isinstance(example, ClassificationExample) else example.spans for example in trial.train]  # type: ignore[union-attr]  # of the two kinds
    if trial.kind.task is TaskKind.NAMED_ENTITIES:
        fitted = EntityPostprocess.fit(trained.out_of_fold, known, trial.labels)
        return 1 - EntityEvaluation().measure(outputs, truths, fitted, trial.labels)["f1"], ""
    calibrated = ClassificationPostprocess.fit(trained.out_of_fold, known, trial.labels)
    decisions = [calibrated.decide(output, trial.labels) for output in outputs]
    answers = [frozenset(name for name, _ in decision.labels) for decision in decisions]
    confidence = np.stack([decision.confidence for decision in decisions])
    found = classification_metrics(answers, confidence, truths, trial.labels)
    return 1 - found.accuracy, f"calibration error {found.calibration_error:.3f}; "


def compared(trial: Trial, seconds: float) -> Iterator[Figure]:
    """Errors of each recipe; that chosen by evidence must not be above micro's."""
    error = "1 - F1" if trial.kind.task is TaskKind.NAMED_ENTITIES else "1 - accuracy"
    micro: float | None = None
    recipes = [("micro", Recipe(overrides={"seconds": 0.0}))]
    recipes += [(name, Recipe(name)) for name in RECIPES]
    recipes += [("by evidence", Recipe(overrides={"seconds": seconds}))]
    for name, recipe in recipes:
        begun = time.perf_counter()
        trained = trial.kind.train(trial.train, trial.labels, recipe)
        took = time.perf_counter() - begun
        found, note = quality(trial, trained)
        used = {key: trained.hyperparameters.get(key) for key in ("name", "epochs", "gain")}
        limit = micro if name == "by evidence" else None
        micro = found if micro is None else micro
        yield Figure(trial.name, f"{error}, {name}", found, "", limit, f"{took:.0f} s; {note}{used} {trained.notes}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="of fewer examples")
    parser.add_argument("--only", choices=[*TRIALS, *QUICK])
    parser.add_argument("--seconds", type=float, default=120.0, help="that trying larger recipes may take")
    chosen = parser.parse_args()
    trials = QUICK if chosen.quick else TRIALS
    for name, make in {**TRIALS, **QUICK}.items():
        if name == chosen.only or (chosen.only is None and name in trials):
            for figure in compared(make(), chosen.seconds):
                print(text_table([figure]), flush=True)
