"""Scenes that a network without pretrained weights learns in seconds, and the families of detection."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.base import Family
from model_zoo.registry import FAMILIES, family
from model_zoo.types import Box, DetectionExample, Item, TaskKind

LABELS = ("bright 🔆", "dark")


def scene(seed: int, size: tuple[int, int] = (64, 64)) -> DetectionExample:
    """A bright square and a dark one, each in a half of a grey image, with a little noise."""
    random = np.random.default_rng(seed)
    width, height = size
    pixels = random.integers(110, 140, (height, width, 3))
    boxes = []
    for number, (label, shade) in enumerate(zip(LABELS, (250, 5), strict=True)):
        side = int(random.integers(18, 25))
        left = int(random.integers(0, width // 2 - side)) + number * width // 2
        top = int(random.integers(0, height - side))
        pixels[top : top + side, left : left + side] = shade
        boxes.append(Box(left, top, left + side, top + side, label))
    return DetectionExample(Item(pixels.astype(np.uint8)), tuple(boxes))


@pytest.fixture(scope="session", params=[kind.name for kind in FAMILIES if kind.task is TaskKind.OBJECT_DETECTION])
def detector(request: pytest.FixtureRequest) -> Family:
    return family(request.param)


@pytest.fixture(scope="session")
def scenes() -> list[DetectionExample]:
    return [scene(seed) for seed in range(4)]
