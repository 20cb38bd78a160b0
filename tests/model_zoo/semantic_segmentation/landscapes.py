"""Small landscapes of which every pixel is known: sky above ground, and mostly a rock on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model_zoo.masks import map_of, mask_of
from model_zoo.types import Item, Masks, SegmentationExample

LABELS = ("Sky", "Ground", "Rock")
COLOURS = ((120, 170, 230), (70, 140, 60), (150, 140, 130))
ROUGH = (4, 25, 45)
"""How far the pixels of each label are from its colour."""

Pixels = npt.NDArray[np.uint8]
Size = tuple[int, int]


def landscape(seed: int, size: Size = (64, 48)) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Pixels (h, w, 3), and the index of each one's label (h, w); every fourth has no rock."""
    random = np.random.default_rng(seed)
    width, height = size
    across, down = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    horizon = random.uniform(0.35, 0.6) + 0.08 * np.sin(across * random.uniform(4, 9) + random.uniform(0, 6))
    classes = (down > horizon).astype(np.int64)
    if seed % 4:
        x, y, radius = random.uniform(0.3, 0.7), random.uniform(0.72, 0.8), random.uniform(0.12, 0.2)
        classes[(across - x) ** 2 + ((down - y) * height / width) ** 2 < radius**2] = 2
    noise = random.normal(size=(height, width, 1)) * np.array(ROUGH)[classes][..., None]
    return (np.array(COLOURS)[classes] + noise).clip(0, 255).astype(np.uint8), classes


def areas(classes: npt.NDArray[np.int64]) -> Masks:
    """The masks of all labels that there are."""
    size = (classes.shape[1], classes.shape[0])
    found = (mask_of(name, classes == index, size) for index, name in enumerate(LABELS))
    return tuple(mask for mask in found if mask is not None)


def example(seed: int, size: Size = (64, 48), names: tuple[str, ...] = LABELS) -> SegmentationExample:
    """One landscape with the areas of these labels."""
    pixels, classes = landscape(seed, size)
    masks = [mask for mask in areas(classes) if mask.label in names]
    return SegmentationExample(Item(pixels), map_of(masks, size))


def examples() -> list[SegmentationExample]:
    """A few landscapes, and one that is ground all over."""
    ground = np.full((48, 64), 1)
    bare = np.random.default_rng(0).integers(40, 120, (48, 64, 3)).astype(np.uint8)
    return [*(example(seed) for seed in range(1, 4)), SegmentationExample(Item(bare), map_of(areas(ground), (64, 48)))]


HOSTILE = [
    Item(np.zeros((1, 1, 3), np.uint8)),
    Item(np.full((3, 400, 3), 255, np.uint8)),
    Item(np.random.default_rng(1).integers(0, 256, (300, 5, 3)).astype(np.uint8)),
]
TINY = {"image_size": 64, "views": 2, "epochs": 25, "folds": 2, "train": "decoder"}
"""Hyperparameters of a training that takes a second."""
