"""Few labelled images (hand signs, `cls_signdigits`, all but 20 of each judge) beside logistic regression on the same
frozen features: `python -m tests.benchmarks.zoo --only signs`

Seconds are those of ours with the reading of the labelled images; logistic regression is given their features.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from model_zoo.registry import default_family, family
from model_zoo.types import Item, LabelSpace, TaskKind
from tests.benchmarks.few_labels import accuracy, few, labelled, learnt, ready
from tests.benchmarks.forms import serving_costs
from tests.benchmarks.shared_data import shared
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

TARGETS: Mapping[int, float | None] = {1: None, 5: 0.78, 20: 0.90}
"""Labels a class, with the accuracy that is to be reached."""


def trial(count: int, seed: int, store: Path) -> Trial:
    kind = family(default_family(TaskKind.IMAGE_CLASSIFICATION))
    files, features = _files(), _stored(store)
    rows = [(path, path.parent.name) for path in files]
    labels = np.array([name for _, name in rows])
    names = sorted(set(labels.tolist()))
    pool = few(labelled(rows), names, 20, seed)
    chosen = [pool[at] for at in few(labelled([rows[at] for at in pool]), names, count, seed)]
    test = sorted(set(range(len(rows))) - set(pool))
    ready(kind, files[0])
    with costing() as cost:
        model, postprocess = learnt(kind, labelled([rows[at] for at in chosen]), LabelSpace(tuple(names)), seed)
    right = accuracy(model, postprocess, [Item(features=features[at]) for at in test], labels[test].tolist())
    begun = time.perf_counter()
    plain = LogisticRegression(max_iter=1000).fit(features[chosen], labels[chosen])
    seconds = time.perf_counter() - begun
    usual = {"LR": {"seconds": seconds, "accuracy": float(plain.score(features[test], labels[test]))}}
    return Trial({"accuracy": right, "seconds": cost.seconds}, usual, cost.peak, on_disk(model))


def measure(quick: bool, seeds: int) -> list[Row]:
    kind = family(default_family(TaskKind.IMAGE_CLASSIFICATION))
    encoder = kind.encoder()
    assert encoder is not None
    counts = list(TARGETS)[:2] if quick else list(TARGETS)
    rows = labelled([(path, path.parent.name) for path in _files()])
    model, _ = learnt(kind, rows[::100], LabelSpace(tuple(sorted({path.parent.name for path in _files()}))), 0)
    speed, how = serving_costs(model, [one.item for one in rows[:8]])
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        store = Path(folder) / "features.npy"
        np.save(store, encoder.encode(_files()))  # as compiled
        jobs = [(count, seed, store) for count in counts for seed in range(seeds)]
        found = dict(zip(jobs, tried(trial, jobs), strict=True))
    return [
        Row(
            f"hand signs, {count} a class", "accuracy", [found[job] for job in jobs if job[0] == count], speed,
            network_on_disk(kind), TARGETS[count], note=how,
        )
        for count in counts
    ]  # fmt: skip


@cache
def _files() -> list[Path]:
    return sorted((shared("cls_signdigits") / "Dataset").glob("*/*"))


@cache
def _stored(store: Path) -> np.ndarray:
    found: np.ndarray = np.load(store)
    return found
