"""A simulated person who clicks: each next click at the centre of the largest error, as in the literature on
interactive segmentation (Xu et al.: "Deep Interactive Object Selection", CVPR 2016)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from model_zoo.images import read_image
from model_zoo.interactive.prompts import Engine, Mask, Pixels, Point, Prompt

GOOD = 0.85
"""Overlap at which a person would go on to the next object."""


@dataclass(frozen=True)
class Object:
    """One object of one image; `called` is its name."""

    image: Path
    mask: Mask
    called: str


@dataclass(frozen=True)
class Clicked:
    """One object's story: its mask's overlap with the truth after each click, and how long each answer took."""

    overlaps: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def clicks(self) -> float:
        """Clicks until `GOOD`; one more than there were, where it was not reached."""
        reached = [number for number, overlap in enumerate(self.overlaps, 1) if overlap >= GOOD]
        return float(reached[0] if reached else len(self.overlaps) + 1)


def pedestrians(folder: Path) -> Iterator[Object]:
    """The people of seg_pennfudan."""
    for image in sorted((folder / "PNGImages").glob("*.png")):
        numbers = cv2.imread(str(folder / "PedMasks" / f"{image.stem}_mask.png"), cv2.IMREAD_UNCHANGED)
        for number in np.unique(numbers):
            if number:
                yield Object(image, numbers == number, "person")


def overlap(first: Mask, second: Mask) -> float:
    """Intersection over union."""
    return float((first & second).sum() / max((first | second).sum(), 1))


def next_click(truth: Mask, mask: Mask) -> tuple[Point, bool]:
    """The centre of the largest error, and whether the object covers it."""
    depths = []
    for wrong in (truth & ~mask, mask & ~truth):
        depth = cv2.distanceTransform(np.pad(wrong, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        depths.append((float(depth.max()), np.unravel_index(int(depth.argmax()), depth.shape)))
    positive = depths[0][0] >= depths[1][0]
    row, column = depths[0 if positive else 1][1]
    return (float(column) + 0.5, float(row) + 0.5), bool(positive)


def click(engines: Sequence[Engine], one: Object, pixels: Pixels, features: Sequence[Any], clicks: int) -> Clicked:
    """Click on an object so many times; the first engine that answers counts."""
    mask = np.zeros(one.mask.shape, np.bool_)
    prompt = Prompt(called=frozenset({one.called}))
    shares, seconds = [], []
    for _ in range(clicks):
        point, positive = next_click(one.mask, mask)
        if positive:
            prompt = Prompt((*prompt.positives, point), prompt.negatives, called=prompt.called)
        else:
            prompt = Prompt(prompt.positives, (*prompt.negatives, point), called=prompt.called)
        begun = time.perf_counter()
        answers = (engine.mask(pixels, given, prompt) for engine, given in zip(engines, features, strict=True))
        found = next((answer for answer in answers if answer is not None), None)
        seconds.append(time.perf_counter() - begun)
        if found is not None:
            mask = found.mask
        shares.append(overlap(mask, one.mask))
    return Clicked(tuple(shares), tuple(seconds))


def click_all(
    engines: Sequence[Engine], objects: Sequence[Object], clicks: int, prepared: Callable[[float], None]
) -> list[Clicked]:
    """Every object's story; `prepared` is told the seconds that each image's features take."""
    stories = []
    before: Path | None = None
    pixels, features = np.zeros((1, 1, 3), np.uint8), []
    for one in objects:
        if one.image != before:
            pixels = read_image(one.image)
            begun = time.perf_counter()
            features = [engine.features(pixels) for engine in engines]
            prepared(time.perf_counter() - begun)
            before = one.image
        stories.append(click(engines, one, pixels, features, clicks))
    return stories
