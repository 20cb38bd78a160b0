"""Few spans of which people say what they are (the entities of WNUT17, their types being the choices; its test set
judges): `python -m tests.benchmarks.zoo --only spans`

Beside it logistic regression on what the same encoder makes of each span's own text, without the sentence around it.
Seconds are those of ours with the reading of the labelled spans; logistic regression is given their features.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from model_zoo.metrics import flags, macro_f1
from model_zoo.postprocess import RegionPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.text_classification.minilm_linear import MiniLMLinear
from model_zoo.types import LabelSpace, RegionItem, Remark, RemarkExample, Span, TaskKind
from tests.benchmarks.forms import serving_costs
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_entities import read
from tests.benchmarks.zoo_rows import Row, Trial

COUNTS = (20, 100, 400)
MEASURES = ("macro_f1", "accuracy")

Marked = tuple[str, Span, str]
"""A text, a span in it, and what that is."""


def marked(name: str) -> list[Marked]:
    """The entities of one file of the set."""
    return [
        (str(one.item.input), Span(span.start, span.end, ""), span.label) for one in read(name) for span in one.spans
    ]


def examples(rows: Sequence[Marked]) -> list[RemarkExample]:
    """An example a text, with the spans that are known of it."""
    remarks: dict[str, list[Remark]] = defaultdict(list)
    for text, place, label in rows:
        remarks[text].append(Remark(place, (label,)))
    return [
        RemarkExample(RegionItem(text, regions=tuple(one.place for one in said)), tuple(said))
        for text, said in remarks.items()
    ]


def trial(count: int, seed: int, quick: bool) -> Trial:
    kind = family(default_family(TaskKind.SPAN_CLASSIFICATION))
    train, test, labels = _split(quick)
    known = [train[at] for at in np.random.default_rng(seed).permutation(len(train))[:count]]
    asked = examples(test)
    encoder = MiniLMLinear(kind.runtime).encoder()
    alone = encoder.encode([_itself(row) for row in known])  # also loads what the encoder imports
    with costing() as cost:
        given = examples(known)
        trained = kind.train(given, labels, Recipe(), seed=seed)
        postprocess = RegionPostprocess.fit(trained.out_of_fold, [one.remarks for one in given], labels)
    outputs = trained.model.predict([one.item for one in asked])
    said = [remark.labels for output in outputs for remark in postprocess.decide(output, labels).remarks]
    true = [remark.labels for one in asked for remark in one.remarks]
    begun = time.perf_counter()
    plain = LogisticRegression(max_iter=1000).fit(alone, [label for *_, label in known])
    seconds = time.perf_counter() - begun
    guessed = [(name,) for name in plain.predict(encoder.encode([_itself(row) for row in test]))]
    usual = {"LR": {"seconds": seconds, **_judged(guessed, [(label,) for *_, label in test], labels)}}
    return Trial({**_judged(said, true, labels), "seconds": cost.seconds}, usual, cost.peak, on_disk(trained.model))


def measure(quick: bool, seeds: int) -> list[Row]:
    counts = COUNTS[:2] if quick else COUNTS
    jobs = [(count, seed, quick) for count in reversed(counts) for seed in range(seeds)]
    found = dict(zip(jobs, tried(trial, jobs), strict=True))
    kind = family(default_family(TaskKind.SPAN_CLASSIFICATION))
    train, test, labels = _split(quick)
    model = kind.train(examples(train[:20]), labels, Recipe()).model
    speed, how = serving_costs(model, [one.item for one in examples(test[:160])])
    return [
        Row(
            f"wnut17, {count} spans", name, [found[job] for job in jobs if job[0] == count], speed,
            network_on_disk(kind), note=how,
        )
        for count in counts
        for name in MEASURES
    ]  # fmt: skip


@cache
def _split(quick: bool) -> tuple[list[Marked], list[Marked], LabelSpace]:
    train, test = marked("wnut17train.conll"), marked("emerging.test.annotated")
    labels = LabelSpace(tuple(sorted({label for *_, label in train})))
    return train, test[: 300 if quick else None], labels


def _itself(row: Marked) -> str:
    text, place, _ = row
    return text[place.start : place.end]


def _judged(said: Sequence[tuple[str, ...]], true: Sequence[tuple[str, ...]], labels: LabelSpace) -> dict[str, float]:
    given, wanted = flags([frozenset(one) for one in said], labels), flags([frozenset(one) for one in true], labels)
    return {"macro_f1": macro_f1(given, wanted), "accuracy": float((given == wanted).all(axis=1).mean())}
