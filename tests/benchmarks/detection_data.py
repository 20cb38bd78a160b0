"""Labelled images for the benchmark of detection: photographs from the shared folder, and a dense scene drawn here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt

from model_zoo.images import read_image
from model_zoo.types import Box, Boxes, DetectionExample, InstanceExample, Item
from tests.benchmarks.shared_data import shared
from tests.benchmarks.zoo_segmentation import pedestrians as painted_pedestrians

HELD_OUT = 60
"""Raccoons that are never trained on, the same in every run."""


@dataclass(frozen=True)
class Split:
    """`pool` is drawn from to train; `test` is held out."""

    name: str
    labels: tuple[str, ...]
    pool: list[DetectionExample]
    test: list[DetectionExample]

    def draw(self, count: int, seed: int) -> list[DetectionExample]:
        order = np.random.default_rng(seed).permutation(len(self.pool))
        return [self.pool[at] for at in order[:count]]

    def read_ahead(self) -> Split:
        """With the images that are held out decoded once for all measurements. Those to train on are read each time,
        as a training does."""
        return replace(self, test=[replace(one, item=Item(read_image(one.item.input))) for one in self.test])


def raccoons() -> Split:
    folder = shared("det_raccoon")
    images = {path.stem: path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png")}
    examples = []
    for file in sorted(folder.rglob("*.xml")):
        root = ElementTree.parse(file).getroot()
        examples.append(DetectionExample(Item(images[file.stem]), tuple(map(_voc_box, root.iter("object")))))
    order = np.random.default_rng(1234).permutation(len(examples))
    mixed = [examples[at] for at in order]
    return Split("raccoon", ("raccoon",), mixed[HELD_OUT:], mixed[:HELD_OUT])


def coco() -> Split:
    """80 classes, nine objects an image. The networks have been trained on COCO: what counts is not to spoil them."""
    names, pool = _coco_part("train")
    return Split("coco_mini", names, pool, _coco_part("val")[1])


def renamed_coco() -> Split:
    """The same images, labelled with the six commonest classes under names that say nothing, so that they have to be
    learnt from the images alone."""
    split = coco()
    counts: dict[str, int] = {}
    for example in split.pool:
        for box in example.boxes:
            counts[box.label] = counts.get(box.label, 0) + 1
    common = sorted(counts, key=lambda name: -counts[name])[:6]
    names = {name: f"kind {index}" for index, name in enumerate(common, 1)}

    def renamed(examples: list[DetectionExample]) -> list[DetectionExample]:
        return [DetectionExample(one.item, _renamed(one.boxes, names)) for one in examples]

    pool = [example for example in renamed(split.pool) if example.boxes]
    return Split("coco_mini renamed", tuple(names.values()), pool, renamed(split.test))


def pedestrians() -> Split:
    """The boxes around Penn-Fudan's people, under a name that says nothing: few in an image, some side by side."""
    pool, test = painted_pedestrians("figure")

    def boxed(examples: list[InstanceExample]) -> list[DetectionExample]:
        return [
            DetectionExample(one.item, tuple(Box(*mask.corners, mask.label) for mask in one.masks)) for one in examples
        ]

    return Split("pedestrians", ("figure",), boxed(pool), boxed(test))


def cells(count: int = 100) -> Split:
    """Blood cells as under a microscope: pale discs that overlap, some with a dark nucleus, some small; drawn here."""
    random = np.random.default_rng(0)
    examples = [_smear(random) for _ in range(count)]
    return Split("drawn cells", ("red", "white", "platelet"), examples[40:], examples[:40])


def _voc_box(element: ElementTree.Element) -> Box:
    sides = [float(element.findtext(f"bndbox/{side}") or 0) for side in ("xmin", "ymin", "xmax", "ymax")]
    return Box(sides[0], sides[1], sides[2], sides[3], element.findtext("name") or "")


def _coco_part(part: str) -> tuple[tuple[str, ...], list[DetectionExample]]:
    folder = shared("coco_mini")
    file = next(path for path in folder.rglob("*.json") if "instances" in path.name and part in path.name)
    content = json.loads(file.read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    boxes: dict[int, list[Box]] = {}
    for one in content["annotations"]:
        left, top, width, height = one["bbox"]
        if not one.get("iscrowd") and width > 0 and height > 0:
            found = Box(left, top, left + width, top + height, names[one["category_id"]])
            boxes.setdefault(one["image_id"], []).append(found)
    files = {path.name: path for path in folder.rglob("*.jpg")}
    examples = [
        DetectionExample(Item(files[image["file_name"]]), tuple(boxes.get(image["id"], ())))
        for image in content["images"]
    ]
    return tuple(names.values()), examples


def _renamed(boxes: Boxes, names: dict[str, str]) -> Boxes:
    return tuple(Box(*_sides(box), label=names[box.label]) for box in boxes if box.label in names)


def _sides(box: Box) -> Iterator[float]:
    yield from box.corners


Canvas = npt.NDArray[np.float64]
SIZE = (640, 480)
SHADES = {"red": ((200, 140, 150), 0.6), "white": ((190, 170, 205), 0.7), "platelet": ((150, 110, 180), 0.8)}
RADII = {"red": (36, 52), "white": (55, 80), "platelet": (10, 16)}


def _smear(random: np.random.Generator) -> DetectionExample:
    width, height = SIZE
    ground = np.array([215.0, 195.0, 200.0]) + random.normal(0, 10, 3)
    canvas: Canvas = np.ones((height, width, 3)) * ground
    boxes: list[Box] = []
    kinds = ["red"] * (int(random.poisson(14)) + 2)
    kinds += ["white"] * int(random.integers(0, 3)) + ["platelet"] * int(random.integers(0, 4))
    for kind in kinds:
        canvas = _cell(canvas, kind, ground, boxes, random)
    pixels = np.clip(canvas + random.normal(0, 5, canvas.shape), 0, 255).astype(np.uint8)
    return DetectionExample(Item(pixels), tuple(boxes))


def _cell(
    canvas: Canvas, kind: str, ground: npt.NDArray[np.float64], boxes: list[Box], random: np.random.Generator
) -> Canvas:
    width, height = SIZE
    radius = float(random.uniform(*RADII[kind]))
    x, y = random.uniform(0, width), random.uniform(0, height)
    if any(np.hypot((box.left + box.right) / 2 - x, (box.top + box.bottom) / 2 - y) < 0.75 * radius for box in boxes):
        return canvas
    other, angle = radius * float(random.uniform(0.85, 1.1)), float(random.uniform(0, 180))
    shade, strength = SHADES[kind]
    canvas = _disc(canvas, (x, y), (other, radius), angle, np.array(shade) + random.normal(0, 8, 3), strength, 1.5)
    if kind == "red":
        canvas = _disc(canvas, (x, y), (other * 0.45, radius * 0.45), angle, ground, 0.35, 6)
    for _ in range(int(random.integers(2, 4)) if kind == "white" else 0):
        place = (x + random.normal(0, radius * 0.3), y + random.normal(0, radius * 0.3))
        size = (radius * random.uniform(0.3, 0.45), radius * random.uniform(0.3, 0.45))
        canvas = _disc(canvas, place, size, float(random.uniform(0, 180)), np.array([110, 60, 150]), 0.8, 2)
    turn = np.deg2rad(angle)
    across = np.hypot(other * np.cos(turn), radius * np.sin(turn))
    down = np.hypot(other * np.sin(turn), radius * np.cos(turn))
    left, top = max(x - across, 0.0), max(y - down, 0.0)
    right, bottom = min(x + across, float(width)), min(y + down, float(height))
    if min(right - left, bottom - top) > 6:
        boxes.append(Box(float(left), float(top), float(right), float(bottom), kind))
    return canvas


def _disc(
    canvas: Canvas,
    centre: tuple[float, float],
    radii: tuple[float, float],
    angle: float,
    shade: npt.NDArray[np.float64],
    strength: float,
    blur: float,
) -> Canvas:
    mask = np.zeros(canvas.shape[:2], np.float32)
    cv2.ellipse(mask, (centre, (2 * radii[0], 2 * radii[1]), angle), 1.0, -1)
    share = strength * cv2.GaussianBlur(mask, (0, 0), blur)[..., None]
    mixed: Canvas = canvas * (1 - share) + shade * share
    return mixed
