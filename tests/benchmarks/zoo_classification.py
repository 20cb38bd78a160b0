"""Few labels of whole images and texts, beside a standard choice on the same examples in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import ClassificationExample, LabelSpace, TaskKind
from tests.benchmarks.few_labels import few, read
from tests.benchmarks.few_labels import measure as measured
from tests.benchmarks.figures import Figure, median
from tests.benchmarks.shared_data import banking77, shared

Examples = Sequence[ClassificationExample]
Peer = Callable[[Sequence[int], Sequence[int]], float]
"""The accuracy of a standard choice, from the indices to learn from and those to be judged on."""

SIGNS = {1: None, 5: 0.78, 20: 0.90}
TEXTS = (1, 8, 64)
"""Labels a class; for hand signs with the accuracy that is to be reached."""


def measure(quick: bool, seeds: int) -> list[Figure]:
    """Errors, 1 - accuracy, so that less is better: at most the standard choice's, and what the target asks."""
    return [*_signs(quick, seeds), *_texts(quick, seeds)]


def _signs(quick: bool, seeds: int) -> list[Figure]:
    kind = family(default_family(TaskKind.IMAGE_CLASSIFICATION))
    files = sorted((shared("cls_signdigits") / "Dataset").glob("*/*"))
    files = files[::4] if quick else files
    examples = read(kind, [(path, path.parent.name) for path in files])
    names = sorted({path.parent.name for path in files})
    features = np.stack([example.item.features for example in examples if example.item.features is not None])
    labels = np.array([path.parent.name for path in files])

    def peer(train: Sequence[int], test: Sequence[int]) -> float:
        model = LogisticRegression(max_iter=1000).fit(features[train], labels[train])
        return float(model.score(features[test], labels[test]))

    figures = []
    for count, target in SIGNS.items():
        draws = []
        for seed in range(seeds):
            pool = few(examples, names, 5 if quick else 20, seed)
            test = sorted(set(range(len(examples))) - set(pool))
            chosen = [pool[at] for at in few([examples[at] for at in pool], names, count, seed)]
            draws.append((chosen, test))
        figures += _compared(
            f"hand signs, {count} a class", examples, names, draws, peer, target, "logistic regression"
        )
    return figures


def _texts(quick: bool, seeds: int) -> list[Figure]:
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION))
    rows = [*banking77("train"), *(banking77("test")[:: 10 if quick else 1])]
    known = len(banking77("train"))
    examples = read(kind, rows)
    names = sorted({name for _, name in rows})
    texts, labels = np.array([text for text, _ in rows], dtype=object), np.array([name for _, name in rows])

    def peer(train: Sequence[int], test: Sequence[int]) -> float:
        model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(max_iter=1000, C=10.0))
        return float(model.fit(texts[train], labels[train]).score(texts[test], labels[test]))

    test = list(range(known, len(rows)))
    figures = []
    for count in TEXTS[: 2 if quick else 3]:
        draws = [(few(examples[:known], names, count, seed), test) for seed in range(seeds)]
        figures += _compared(f"banking77, {count} a class", examples, names, draws, peer, None, "TF-IDF with LR")
    return figures


def _compared(
    part: str,
    examples: Examples,
    names: Sequence[str],
    draws: Sequence[tuple[Sequence[int], Sequence[int]]],
    peer: Peer,
    target: float | None,
    called: str,
) -> list[Figure]:
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION if "banking" in part else TaskKind.IMAGE_CLASSIFICATION))
    own, theirs, seconds = [], [], []
    for train, test in draws:
        begun = time.monotonic()
        judged = measured(
            kind, [examples[at] for at in train], [examples[at] for at in test], LabelSpace(tuple(names)), Recipe()
        )
        seconds.append(time.monotonic() - begun)
        own.append(judged.accuracy)
        theirs.append(peer(train, test))
    note = f"{len(draws)} draws, the worst {1 - min(own):.3f}"
    figures = [
        Figure(part, "1 - accuracy", 1 - median(own), "", 1 - median(theirs), f"{note}; the limit is {called}"),
        Figure(part, "seconds to train and to judge", median(seconds), "s", None, "features computed before"),
    ]
    if target is not None:
        figures.append(Figure(part, "1 - accuracy, to reach", 1 - median(own), "", 1 - target))
    return figures
