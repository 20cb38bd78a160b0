"""Masks of shape (height, width) from what files hold: polygons, and COCO's run lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from backend.simulation.regions import Size
from model_zoo.types import Box

Mask = npt.NDArray[np.bool_]


def polygon_mask(polygons: Sequence[Sequence[float]], size: Size) -> Mask:
    """The pixels within any of the polygons, each x and y in turn, in pixels."""
    canvas = Image.new("1", size)
    draw = ImageDraw.Draw(canvas)
    for corners in polygons:
        draw.polygon(list(corners), fill=1, outline=1)
    return np.asarray(canvas, bool)


def run_length_mask(counts: Sequence[int] | str, height: int, width: int) -> Mask:
    """Run lengths column by column, beginning with what is not the object; compressed ones are texts (COCO's
    `rleFrString`: base 32, six bits a character, each but the first two relative to the one two before).

    Raises ValueError where they do not fill the mask.
    """
    runs = np.asarray(_decompressed(counts) if isinstance(counts, str) else counts, np.int64)
    if runs.sum() != height * width or (runs < 0).any():
        raise ValueError(f"The runs cover {runs.sum()} pixels, wanted {height} x {width}.")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T


def box_of(mask: Mask, label: str) -> Box | None:
    """The box around a mask; None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1), label)


def _decompressed(text: str) -> list[int]:
    runs: list[int] = []
    place = 0
    while place < len(text):
        value = shift = 0
        more = True
        while more:
            if place >= len(text):
                raise ValueError("The runs end in the middle of a number.")
            code = ord(text[place]) - 48
            value |= (code & 0x1F) << (5 * shift)
            more = bool(code & 0x20)
            place += 1
            shift += 1
            if not more and code & 0x10:
                value |= -1 << (5 * shift)
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
