"""What few labels teach: `python -m tests.benchmarks.few_labels`

Accuracy and expected calibration error of the default families on hand signs (`cls_signdigits`: 40 images a class
held out) and on banking77 (its own test set), over several draws of the labelled examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from model_zoo.base import Family, Model
from model_zoo.metrics import ClassificationMetrics, classification_metrics
from model_zoo.postprocess import ClassificationPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import ClassificationExample, Input, Item, LabelSpace, TaskKind
from tests.benchmarks.shared_data import banking77, shared

USUAL = Recipe()


def read(kind: Family, rows: Iterable[tuple[Input, str]]) -> list[ClassificationExample]:
    """Examples with their features."""
    pairs = list(rows)
    encoder = kind.encoder()
    assert encoder is not None
    features = encoder.encode([value for value, _ in pairs])
    return [
        ClassificationExample(Item(features=row), frozenset([label]))
        for row, (_, label) in zip(features, pairs, strict=True)
    ]


def few(examples: Sequence[ClassificationExample], names: Sequence[str], count: int, seed: int) -> list[int]:
    """Indices of `count` examples of each label."""
    order = np.random.default_rng(seed).permutation(len(examples))
    return [i for name in names for i in [j for j in order if name in examples[j].labels][:count]]


def labelled(rows: Iterable[tuple[Input, str]]) -> list[ClassificationExample]:
    """Examples that are yet to be read."""
    return [ClassificationExample(Item(value), frozenset([label])) for value, label in rows]


def ready(kind: Family, value: Input) -> None:
    """Have the encoder read something, so that what is measured afterwards begins with all that it imports."""
    encoder = kind.encoder()
    assert encoder is not None
    encoder.encode([value])


def learnt(
    kind: Family, train: Sequence[ClassificationExample], labels: LabelSpace, seed: int = 0, recipe: Recipe = USUAL
) -> tuple[Model, ClassificationPostprocess]:
    """A model, and how what it says is shown."""
    trained = kind.train(train, labels, recipe, seed=seed)
    truths = [example.labels for example in train]
    return trained.model, ClassificationPostprocess.fit(trained.out_of_fold, truths, labels)


def accuracy(model: Model, postprocess: ClassificationPostprocess, items: Sequence[Item], true: Sequence[str]) -> float:
    """The share of items of which just what is true is shown."""
    decisions = [postprocess.decide(output, model.labels) for output in model.predict(items)]
    return float(np.mean([one.target == {name} for one, name in zip(decisions, true, strict=True)]))


def measure(
    kind: Family,
    train: Sequence[ClassificationExample],
    test: Sequence[ClassificationExample],
    labels: LabelSpace,
    recipe: Recipe,
) -> ClassificationMetrics:
    model, postprocess = learnt(kind, train, labels, recipe=recipe)
    decisions = [postprocess.decide(output, labels) for output in model.predict([example.item for example in test])]
    return classification_metrics(
        [frozenset(name for name, _ in decision.labels) for decision in decisions],
        np.stack([decision.confidence for decision in decisions]),
        [example.labels for example in test],
        labels,
    )


def report(title: str, count: int, measured: Sequence[ClassificationMetrics]) -> None:
    accuracy = [each.accuracy for each in measured]
    error = np.mean([each.calibration_error for each in measured])
    print(
        f"{title:>14} {count:3d} a class: accuracy {np.mean(accuracy):.3f} +- {np.std(accuracy):.3f}, "
        f"calibration error {error:.3f}",
        flush=True,
    )


def signs() -> None:
    kind = family(default_family(TaskKind.IMAGE_CLASSIFICATION))
    files = sorted((shared("cls_signdigits") / "Dataset").glob("*/*"))
    examples = read(kind, [(path, path.parent.name) for path in files])
    names = sorted({path.parent.name for path in files})
    for count in (1, 2, 5, 10, 20):
        measured = []
        for seed in range(5):
            pool = few(examples, names, 20, seed)
            test = [examples[i] for i in range(len(examples)) if i not in set(pool)]
            train = [examples[i] for i in pool]
            train = [train[i] for i in few(train, names, count, seed)]
            measured.append(measure(kind, train, test, LabelSpace(tuple(names)), Recipe()))
        report("cls_signdigits", count, measured)


def banking() -> None:
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION))
    train, test = read(kind, banking77("train")), read(kind, banking77("test"))
    names = sorted({name for example in train for name in example.labels})
    # Without names: as where labels are called A, B and C.
    for title, recipe in (("banking77", Recipe()), ("without names", Recipe(overrides={"anchor_weight": 0.0}))):
        for count in (1, 3, 8, 20):
            measured = []
            for seed in range(3):
                chosen = [train[i] for i in few(train, names, count, seed)]
                measured.append(measure(kind, chosen, test, LabelSpace(tuple(names)), recipe))
            report(title, count, measured)


if __name__ == "__main__":
    signs()
    banking()
