"""Captions from few labels: `python -m tests.benchmarks.zoo_captions [--quick]`

Photographs of `coco_mini` with their five captions each: so many of its training images teach, its validation images
judge. The family beside each of its two ways alone, and beside the caption that people's agree with best, whatever the
image. Some are printed with what people said: figures say little about sentences.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from model_zoo.base import Family
from model_zoo.caption_metrics import best_f1, cider, token_f1
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import CaptionExample, CaptionOutput, Captions, Item, LabelSpace, TaskKind
from tests.benchmarks.figures import Figure, text_table
from tests.benchmarks.shared_data import shared

SPACE = LabelSpace(())
COUNTS = (5, 20, 80)
METHODS = ("auto", "nearest", "lstm")
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


def usual(train: Sequence[CaptionExample]) -> str:
    """The one caption that is most like all others."""
    everything = [text for example in train for text in example.captions.texts]
    return max(everything, key=lambda text: float(np.mean([token_f1(text, other) for other in everything])))


def judged(captions: Sequence[str], test: Sequence[CaptionExample]) -> tuple[float, float]:
    """Mean F1 of words, and CIDEr."""
    truths = [example.captions.texts for example in test]
    return float(np.mean([best_f1(*pair) for pair in zip(captions, truths, strict=True)])), float(
        cider(captions, truths).mean()
    )


def first(output: object) -> str:
    assert isinstance(output, CaptionOutput)
    return output.captions[0] if output.captions else ""


def measure(quick: bool = False, seeds: int = 5) -> list[Figure]:
    kind = family(default_family(TaskKind.CAPTIONS))
    train, test = read(kind, "train", 24 if quick else None), read(kind, "val", 12 if quick else None)
    truths = [example for _, example in test]
    figures = []
    for count in COUNTS[:2] if quick else COUNTS:
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        seconds, milliseconds, sizes = [], [], []
        for seed in range(1 if quick else seeds):
            drawn = [train[at][1] for at in np.random.default_rng(seed).permutation(len(train))[:count]]
            for method in METHODS[:2] if quick else METHODS:
                begun = time.monotonic()
                wishes: dict[str, str | int] = {} if method == "auto" else {"method": method, "folds": 1}
                trained = kind.train(drawn, SPACE, Recipe(overrides=wishes), seed=seed)
                taken = time.monotonic() - begun
                begun = time.monotonic()
                captions = [first(output) for output in trained.model.predict([one.item for one in truths])]
                found[method].append(judged(captions, truths))
                if method == "auto":
                    seconds.append(taken)
                    milliseconds.append(1000 * (time.monotonic() - begun) / len(truths))
                    sizes.append(_size(trained.model))
                    if seed == 0:
                        _show(f"{count} images, by {trained.hyperparameters['method']}", captions, test)
            found["one for all"].append(judged([usual(drawn)] * len(truths), truths))
        for name, values in found.items():
            for column, what in enumerate(("token F1", "CIDEr")):
                scores = [value[column] for value in values]
                figures.append(
                    Figure(
                        f"captions, {count} images",
                        f"{name}, {what}",
                        median(scores),
                        "",
                        note=f"worst {min(scores):.3f}",
                    )
                )
        figures += [
            Figure(f"captions, {count} images", "to train", median(seconds), "s"),
            Figure(f"captions, {count} images", "an image, features known", median(milliseconds), "ms", 30.0),
            Figure(f"captions, {count} images", "on disk", median(sizes), "MB", 100.0),
        ]
    return figures


def _size(model: object) -> float:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))  # type: ignore[attr-defined]
        return sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6


def _show(title: str, captions: Sequence[str], test: Sequence[Example]) -> None:
    print(f"\n{title}")
    for caption, (file, example) in list(zip(captions, test, strict=True))[:: max(len(test) // SHOWN, 1)]:
        print(f"  {file.name}: {caption!r}; people: {example.captions.texts[0]!r}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few images, one draw: whether it runs")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print("\n" + text_table(measure(arguments.quick, arguments.seeds)))
