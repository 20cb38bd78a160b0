"""Few labelled texts (`banking77`, its own test set): `python -m tests.benchmarks.zoo --only texts [--only setfit]`

Beside them TF-IDF with logistic regression, and SetFit on the same MiniLM weights. SetFit's paper has 20 positive and
as many negative pairs a text, in batches of 16: 193 steps at 1 a class, 1,540 at 8, 12,320 at 64, of which a processor
takes about one a second. So `texts` lets it make `MOST` steps, on some of the draws; `setfit` all of them at 8 a class,
on one draw and with all processors. Seconds are those of training alone, of ours with the reading of the labelled texts
and the fitting of what is shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from backend.processors import available
from model_zoo.registry import default_family, family
from model_zoo.types import Item, LabelSpace, TaskKind
from tests.benchmarks import peers
from tests.benchmarks.few_labels import accuracy, few, labelled, learnt, ready
from tests.benchmarks.forms import serving_costs
from tests.benchmarks.shared_data import banking77
from tests.benchmarks.zoo_draws import Job, costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

COUNTS = (1, 8, 64)
BESIDE = {1: 1, 8: 3, 64: 1}
"""Draws on which SetFit is trained, too."""
ITERATIONS, MOST, EVERY = 20, 150, -1
SETFIT, SHORTENED, TFIDF = "SetFit", "SetFit cut short", "TF-IDF"
"""What is cut short says nothing of what all steps reach: after 150 on one draw it was no better than after 5."""


def trial(count: int, seed: int, quick: bool, interpreter: Path | None, steps: int) -> Trial:
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION))
    train, test = banking77("train"), banking77("test")[:: 10 if quick else 1]
    names = sorted({name for _, name in train})
    chosen = [train[at] for at in few(labelled(train), names, count, seed)]
    ready(kind, test[0][0])
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
            "weights": str(encoder.located.main.parent), "train": chosen, "test": test, "seed": seed,
            "threads": available() if steps == EVERY else 1,
            "iterations": ITERATIONS, "most": steps,
        }  # fmt: skip
        usual[SETFIT if steps == EVERY else SHORTENED] = peers.told(interpreter, "setfit_texts.py", asked)
    return Trial({"accuracy": right, "seconds": cost.seconds}, usual, cost.peak, on_disk(model))


def measure(quick: bool, seeds: int) -> list[Row]:
    found, steps = peers.python("setfit"), 5 if quick else MOST
    counts = COUNTS[:2] if quick else COUNTS
    jobs: list[Job] = [
        (count, seed, quick, found if seed < BESIDE[count] else None, steps)
        for seed in range(seeds)
        for count in reversed(counts)
    ]
    return _rows(counts, dict(zip(jobs, tried(trial, jobs), strict=True)), f"SetFit: {steps} steps")


def whole(quick: bool, seeds: int) -> list[Row]:
    """SetFit as it is meant to be, on one draw, however many are asked for."""
    job = (8, 0, quick, peers.python("setfit"), 20 if quick else EVERY)
    return _rows((8,), {job: tried(trial, [job])[0]}, "SetFit: all its steps")


def _rows(counts: Sequence[int], found: Mapping[Job, Trial], said: str) -> list[Row]:
    kind = family(default_family(TaskKind.TEXT_CLASSIFICATION))
    names = sorted({name for _, name in banking77("train")})
    model = kind.untrained(LabelSpace(tuple(names)))
    assert model is not None
    speed, how = serving_costs(model, [Item(text) for text, _ in banking77("test")[:96]])
    return [
        Row(
            f"banking77, {count} a class", "accuracy", [one for job, one in found.items() if job[0] == count], speed,
            network_on_disk(kind), fast=SETFIT if count == 8 else None, note=f"{how}; {said}",
        )
        for count in counts
    ]  # fmt: skip


@cache
def _features(quick: bool) -> Sequence[np.ndarray]:
    """What our encoder makes of the test set, once a process: reading it is no part of what is measured."""
    encoder = family(default_family(TaskKind.TEXT_CLASSIFICATION)).encoder()
    assert encoder is not None
    return list(encoder.encode([text for text, _ in banking77("test")[:: 10 if quick else 1]]))
