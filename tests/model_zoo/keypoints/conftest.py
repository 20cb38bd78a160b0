"""Scenes that a head on a network without pretrained weights learns in seconds, and the families of keypoints."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.base import Family
from model_zoo.registry import FAMILIES, family
from model_zoo.types import Box, Item, Keypoint, LabelSpace, Pose, PoseExample, TaskKind

POINTS = ("left corner", "right corner", "middle 🔆")
SPACE = LabelSpace(POINTS, objects=("bright", "dark"))


def scene(seed: int, size: tuple[int, int] = (64, 64)) -> PoseExample:
    """A bright square and a dark one, each in a half of a grey image, with two corners and a middle; that of the bright
    one is hidden."""
    random = np.random.default_rng(seed)
    width, height = size
    pixels = random.integers(110, 140, (height, width, 3))
    poses = []
    for number, (label, shade) in enumerate(zip(SPACE.objects, (250, 5), strict=True)):
        side = int(random.integers(18, 25))
        left = int(random.integers(0, width // 2 - side)) + number * width // 2
        top = int(random.integers(0, height - side))
        pixels[top : top + side, left : left + side] = shade
        places = ((left, top), (left + side, top), (left + side / 2, top + side / 2))
        points = tuple(
            Keypoint(name, float(x), float(y), visible=not (number == 0 and name == POINTS[2]))
            for name, (x, y) in zip(POINTS, places, strict=True)
        )
        poses.append(Pose(points, Box(left, top, left + side, top + side, label)))
    return PoseExample(Item(pixels.astype(np.uint8)), tuple(poses))


@pytest.fixture(scope="session", params=[kind.name for kind in FAMILIES if kind.task is TaskKind.KEYPOINTS])
def pointer(request: pytest.FixtureRequest) -> Family:
    return family(request.param)


@pytest.fixture(scope="session")
def scenes() -> list[PoseExample]:
    return [scene(seed) for seed in range(4)]
