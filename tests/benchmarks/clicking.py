"""A simulated person who clicks: each next click at the centre of the largest error, as in the literature on
interactive segmentation (Xu et al.: "Deep Interactive Object Selection", CVPR 2016)."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.simulation.masks import polygon_mask
from model_zoo.interactive.prompts import Mask, Point
from model_zoo.types import Box

GOOD = 0.85
"""Overlap at which a person would go on to the next object."""

Click = tuple[Point, bool]
"""Where, and whether the object covers it."""
Answer = Callable[[Sequence[Click]], Mask | None]
"""All clicks so far to the mask that is shown."""


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
        for number in np.unique(np.asarray(numbers)):
            if number:
                yield Object(image, np.asarray(numbers) == number, "person")


def instances(folder: Path, part: str = "val2017", least: int = 32 * 32) -> Iterator[Object]:
    """The objects of a half of coco_mini of at least so many pixels, without crowds."""
    content: dict[str, Any] = json.loads((folder / "annotations" / f"instances_{part}.json").read_text())
    names = {one["id"]: one["name"] for one in content["categories"]}
    by_image = defaultdict(list)
    for one in content["annotations"]:
        if not one["iscrowd"] and one["area"] >= least:
            by_image[one["image_id"]].append(one)
    for image in content["images"]:
        for one in by_image[image["id"]]:
            mask = polygon_mask(one["segmentation"], (image["width"], image["height"]))
            yield Object(folder / part / image["file_name"], mask, names[one["category_id"]])


def uncounted(folder: Path, part: str = "val2017", most: int = 32 * 32) -> dict[tuple[Path, str], list[Box]]:
    """What `instances` leaves out, by image and name: boxes of crowds and of small objects, to find which is neither
    right nor wrong, as in COCO's own measure."""
    content: dict[str, Any] = json.loads((folder / "annotations" / f"instances_{part}.json").read_text())
    names = {one["id"]: one["name"] for one in content["categories"]}
    files = {one["id"]: folder / part / one["file_name"] for one in content["images"]}
    found = defaultdict(list)
    for one in content["annotations"]:
        if one["iscrowd"] or one["area"] < most:
            left, top, width, height = one["bbox"]
            name = names[one["category_id"]]
            found[files[one["image_id"]], name].append(Box(left, top, left + width, top + height, name))
    return dict(found)


def overlap(first: Mask, second: Mask) -> float:
    """Intersection over union."""
    return float((first & second).sum() / max((first | second).sum(), 1))


def next_click(truth: Mask, mask: Mask) -> Click:
    """The centre of the largest error, and whether the object covers it."""
    depths = []
    for wrong in (truth & ~mask, mask & ~truth):
        depth = cv2.distanceTransform(np.pad(wrong, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        depths.append((float(depth.max()), np.unravel_index(int(depth.argmax()), depth.shape)))
    positive = depths[0][0] >= depths[1][0]
    row, column = depths[0 if positive else 1][1]
    return (float(column) + 0.5, float(row) + 0.5), positive


def click(one: Object, answer: Answer, clicks: int) -> Clicked:
    """Click on an object so many times."""
    mask = np.zeros(one.mask.shape, np.bool_)
    made: list[Click] = []
    shares, seconds = [], []
    for _ in range(clicks):
        made.append(next_click(one.mask, mask))
        begun = time.perf_counter()
        found = answer(made)
        seconds.append(time.perf_counter() - begun)
        mask = found if found is not None else mask
        shares.append(overlap(mask, one.mask))
    return Clicked(tuple(shares), tuple(seconds))
