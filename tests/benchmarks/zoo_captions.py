"""Captions from few labels: `python -m tests.benchmarks.zoo --only captions`

Photographs of `coco_mini` with their five captions each: so many of its training images teach, its validation images
judge. Beside it the caption that people's agree with best, whatever the image. Some are printed with what people said:
figures say little about sentences.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from model_zoo.base import Family
from model_zoo.caption_metrics import best_f1, cider, token_f1
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import CaptionExample, CaptionOutput, Captions, Item, LabelSpace, TaskKind
from tests.benchmarks.forms import AT_ONCE, serving_costs
from tests.benchmarks.shared_data import shared
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

SPACE = LabelSpace(())
COUNTS = (5, 20, 80)
MEASURES = ("token F1", "CIDEr")
ONE = "one for all"
SHOWN = 6

Example = tuple[Path, CaptionExample]


def read(kind: Family, part: str, most: int | None) -> list[Example]:
    """Images with features and captions; `part` is "train" or "val"."""
    root = shared("coco_mini")
    content = json.loads((root / "annotations" / f"captions_{part}2017.json").read_text())
    said: dict[int, list[str]] = defaultdict(list)
    for annotation in content["annotations"]:
        said[annotation["image_id"]].append(annotation["caption"].strip())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    files = [(root / f"{part}2017" / name, said[key]) for key, name in sorted(names.items())]
    usable = [(file, captions) for file, captions in files if file.is_file() and captions][:most]
    encoder = kind.encoder()
    assert encoder is not None
    rows = encoder.encode([file for file, _ in usable])
    return [
        (file, CaptionExample(Item(features=row), Captions(tuple(captions))))
        for row, (file, captions) in zip(rows, usable, strict=True)
    ]


def usual_caption(train: Sequence[CaptionExample]) -> str:
    """The one caption that is most like all others."""
    everything = [text for example in train for text in example.captions.texts]
    return max(everything, key=lambda text: float(np.mean([token_f1(text, other) for other in everything])))


def judged(captions: Sequence[str], test: Sequence[CaptionExample]) -> dict[str, float]:
    """Mean F1 of words, and CIDEr."""
    truths = [example.captions.texts for example in test]
    shared_words = float(np.mean([best_f1(*pair) for pair in zip(captions, truths, strict=True)]))
    return dict(zip(MEASURES, (shared_words, float(cider(captions, truths).mean())), strict=True))


def first(output: object) -> str:
    assert isinstance(output, CaptionOutput)
    return output.captions[0] if output.captions else ""


def trial(count: int, seed: int, quick: bool) -> Trial:
    kind = family(default_family(TaskKind.CAPTIONS))
    train, test = _sets(quick)
    drawn = [train[at][1] for at in np.random.default_rng(seed).permutation(len(train))[:count]]
    truths = [example for _, example in test]
    own: dict[str, float] = {}
    usual = {ONE: {"seconds": 0.0, **judged([usual_caption(drawn)] * len(truths), truths)}}
    with costing() as cost:
        trained = kind.train(drawn, SPACE, Recipe(), seed=seed)
    captions = [first(output) for output in trained.model.predict([one.item for one in truths])]
    own = {"seconds": cost.seconds, **judged(captions, truths)}
    if seed == 0:
        _show(f"{count} images, by {trained.hyperparameters['method']}", captions, test)
    return Trial(own, usual, cost.peak, on_disk(trained.model))


def measure(quick: bool = False, seeds: int = 5) -> list[Row]:
    counts = COUNTS[:2] if quick else COUNTS
    jobs = [(count, seed, quick) for count in reversed(counts) for seed in range(seeds)]
    found = dict(zip(jobs, tried(trial, jobs), strict=True))
    kind = family(default_family(TaskKind.CAPTIONS))
    train, test = _sets(quick)
    model = kind.train(
        [example for _, example in train[: COUNTS[-1]]], SPACE, Recipe(overrides={"method": "lstm", "folds": 1})
    ).model
    speed, how = serving_costs(model, [Item(file) for file, _ in test[:AT_ONCE]])
    return [
        Row(
            f"captions, {count} images", what, [found[job] for job in jobs if job[0] == count], speed,
            network_on_disk(kind), note=f"{how}; encoder and LSTM" if what == MEASURES[0] else "",
        )
        for count in counts
        for what in MEASURES
    ]  # fmt: skip


@cache
def _sets(quick: bool) -> tuple[list[Example], list[Example]]:
    kind = family(default_family(TaskKind.CAPTIONS))
    return read(kind, "train", 24 if quick else None), read(kind, "val", 12 if quick else None)


def _show(title: str, captions: Sequence[str], test: Sequence[Example]) -> None:
    print(f"\n{title}")
    for caption, (file, example) in list(zip(captions, test, strict=True))[:: max(len(test) // SHOWN, 1)]:
        print(f"  {file.name}: {caption!r}; people: {example.captions.texts[0]!r}")
