"""Few labelled texts (`banking77`, its own test set): `python -m tests.benchmarks.zoo --only texts`

Beside them TF-IDF with logistic regression, and SetFit on the same MiniLM weights. SetFit learns from `ITERATIONS`
positive and as many negative pairs a text, as its paper and the documentation of its training have them, in `MOST`
steps of 16 pairs at most, which is all of it at 1 a class. Seconds are those of training alone, of ours with the
reading of the labelled texts and the fitting of what is shown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from model_zoo.registry import default_family, family
from model_zoo.types import Item, LabelSpace, TaskKind
from tests.benchmarks import peers
from tests.benchmarks.few_labels import accuracy, few, labelled, learnt
from tests.benchmarks.forms import serving_costs
from tests.benchmarks.shared_data import banking77
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

COUNTS = (1, 8, 64)
ITERATIONS, MOST = 20, 385
"""Steps at most: a quarter of those that 8 a class ask for. See `RESULTS.md` for what all of them give."""
SETFIT, TFIDF = "SetFit", "TF-IDF"


def trial(count: int, seed: int, quick: bool, interpreter: Path | None) -> Trial:
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION))
    train, test = banking77("train"), banking77("test")[:: 10 if quick else 1]
    names = sorted({name for _, name in train})
    chosen = [train[at] for at in few(labelled(train), names, count, seed)]
    with costing() as cost:
        model, postprocess = learnt(kind, labelled(chosen), LabelSpace(tuple(names)), seed)
    texts = [Item(features=row) for row in _features(quick)]
    right = accuracy(model, postprocess, texts, [label for _, label in test])
    begun = time.perf_counter()
    plain = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(max_iter=1000, C=10.0))
    plain.fit(*zip(*chosen, strict=True))
    usual = {TFIDF: {"seconds": time.perf_counter() - begun, "accuracy": float(plain.score(*zip(*test, strict=True)))}}
    if interpreter is not None:
        encoder = kind.encoder()
        assert encoder is not None
        asked = {
            "weights": str(encoder.located.main.parent), "train": chosen, "test": test, "seed": seed, "threads": 1,
            "iterations": ITERATIONS, "most": 20 if quick else MOST,
        }  # fmt: skip
        usual[SETFIT] = peers.told(interpreter, "setfit_texts.py", asked)
    return Trial({"accuracy": right, "seconds": cost.seconds}, usual, cost.peak, on_disk(model))


def measure(quick: bool, seeds: int) -> list[Row]:
    interpreter = peers.python("setfit")
    counts = COUNTS[:2] if quick else COUNTS
    jobs = [(count, seed, quick, interpreter) for count in counts for seed in range(seeds)]
    # The longest first, so that no processor waits at the end.
    found = dict(zip(jobs[::-1], tried(trial, jobs[::-1]), strict=True))
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION))
    names = sorted({name for _, name in banking77("train")})
    model = kind.untrained(LabelSpace(tuple(names)))
    assert model is not None
    speed, how = serving_costs(model, [Item(text) for text, _ in banking77("test")[:96]])
    steps = {1: "all", 8: "a quarter", 64: "a thirtieth"}
    return [
        Row(
            f"banking77, {count} a class", "accuracy", [found[job] for job in jobs if job[0] == count], speed,
            network_on_disk(kind), fast=SETFIT if count == 8 else None,
            note=f"{how}; SetFit: {steps[count]} of its steps",
        )
        for count in counts
    ]  # fmt: skip


@cache
def _features(quick: bool) -> Sequence[np.ndarray]:
    """What our encoder makes of the test set, once a process: reading it is no part of what is measured."""
    encoder = family(default_family(TaskKind.TEXT_CLASSIFICATION)).encoder()
    assert encoder is not None
    return list(encoder.encode([text for text, _ in banking77("test")[:: 10 if quick else 1]]))
