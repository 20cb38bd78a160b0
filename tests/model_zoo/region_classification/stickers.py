"""Pictures with striped and plain stickers, of which people say which is which."""

from __future__ import annotations

import numpy as np

from model_zoo.types import Box, Item, RegionItem, Remark, RemarkExample

LABELS = ("plain", "striped")
WHOLE = (Box(0, 0, 100, 100, ""), Box(99, 99, 100, 100, ""), Box(0, 40, 0.001, 60, ""))


def example(seed: int, names: tuple[str, ...]) -> RemarkExample:
    """Stickers side by side, each with its name."""
    random = np.random.default_rng(seed)
    pixels = random.integers(90, 130, (60, 60 * len(names), 3)).astype(np.uint8)
    remarks = []
    for at, name in enumerate(names):
        left, top = 60 * at + int(random.integers(6, 14)), int(random.integers(6, 14))
        pixels[top : top + 40, left : left + 40] = 240
        if name == "striped":
            pixels[top : top + 40 : 4, left : left + 40] = 10
            pixels[top + 1 : top + 40 : 4, left : left + 40] = 10
        share = 100 / (60 * len(names))
        box = Box(left * share, top / 0.6, (left + 40) * share, (top + 40) / 0.6, "")
        remarks.append(Remark(box, (name,)))
    return RemarkExample(RegionItem(pixels, regions=tuple(remark.place for remark in remarks)), tuple(remarks))


def examples() -> list[RemarkExample]:
    """Eight, with twelve stickers."""
    names = [("plain", "striped"), ("striped", "plain"), ("plain",), ("striped",)]
    return [example(seed, names[seed % 4]) for seed in range(8)]


HOSTILE = [
    *(RegionItem(np.full((*size, 3), 80, np.uint8), regions=WHOLE) for size in ((1, 1), (30, 4000), (200, 7))),
    RegionItem(np.zeros((9, 9, 3), np.uint8)),
    Item(np.zeros((9, 9, 3), np.uint8)),
]
"""Images of one pixel and of a few rows, with regions of next to nothing; and of none at all."""
