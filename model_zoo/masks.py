"""Masks of objects: packed and unpacked, scaled, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import as_array, overlaps
from model_zoo.types import Box, FloatArray, Mask, SegmentationMap

Bits = npt.NDArray[np.bool_]
"""Shape (height, width)."""

WHOLE = 0.9
"""Share of an image from which on masks are said to cover it: people leave gaps between what they paint."""


def mask_of(label: str, part: Bits, size: tuple[int, int], at: tuple[int, int] = (0, 0)) -> Mask | None:
    """The mask of an image of `size` (width, height) whose pixels from `at` (left, top) on are `part` (rows, columns);
    what lies outside of the image is left out. None where no pixel is left."""
    width, height = size
    left, top = at
    inside = part[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    left, top = max(left, 0), max(top, 0)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    tight = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    left, top = left + int(columns[0]), top + int(rows[0])
    return Mask(label, width, height, left, top, tight.shape[1], tight.shape[0], np.packbits(tight).tobytes())


def part_of(mask: Mask) -> Bits:
    """The pixels of the box around it, of shape (mask.rows, mask.columns)."""
    bits = np.unpackbits(np.frombuffer(mask.bits, np.uint8), count=mask.rows * mask.columns)
    return bits.astype(np.bool_).reshape(mask.rows, mask.columns)


def pixels(mask: Mask) -> Bits:
    """All pixels of the image, of shape (mask.height, mask.width)."""
    whole = np.zeros((mask.height, mask.width), np.bool_)
    whole[mask.top : mask.top + mask.rows, mask.left : mask.left + mask.columns] = part_of(mask)
    return whole


def box_around(mask: Mask) -> Box:
    """The box around it, with its label."""
    return Box(*mask.corners, mask.label)


def resized(mask: Mask, width: int, height: int) -> Mask | None:
    """The same object in an image of another size: each pixel is what lies under its centre. None where nothing is."""
    if (mask.width, mask.height) == (width, height):
        return mask
    across, first_column = _under(mask.left, mask.columns, mask.width, width)
    down, first_row = _under(mask.top, mask.rows, mask.height, height)
    part = part_of(mask)[np.ix_(down - mask.top, across - mask.left)]
    return mask_of(mask.label, part, (width, height), (first_column, first_row))


def _under(start: int, length: int, old: int, new: int) -> tuple[npt.NDArray[np.int64], int]:
    """For pixels along one side of the new image that lie over `length` old ones from `start` on, which old ones those
    are; and the first of them."""
    under = ((np.arange(new) + 0.5) * old / new).astype(np.int64)
    over = np.flatnonzero((under >= start) & (under < start + length))
    return under[over], int(over[0]) if len(over) else 0


def mask_overlaps(first: Sequence[Mask], second: Sequence[Mask]) -> FloatArray:
    """Intersection over union of each mask of `first` with each of `second`, of shape (n, m). Masks of images of
    different sizes are compared in that of the first."""
    both, areas, others = shared_pixels(first, second)
    table: FloatArray = (both / np.maximum(areas[:, None] + others[None] - both, 1)).astype(np.float32)
    return table


Counts = npt.NDArray[np.int64]


def shared_pixels(first: Sequence[Mask], second: Sequence[Mask]) -> tuple[Counts, Counts, Counts]:
    """How many pixels each mask of `first` has in common with each of `second` (n, m), and how many each has, (n,) and
    (m,). Masks of images of different sizes are counted in that of the first."""
    table = np.zeros((len(first), len(second)), np.int64)
    size = next(((mask.width, mask.height) for mask in (*first, *second)), (1, 1))
    scaled = [[resized(mask, *size) for mask in side] for side in (first, second)]
    parts = [[part_of(mask) if mask else None for mask in side] for side in scaled]
    areas, others = (np.array([0 if part is None else part.sum() for part in side], np.int64) for side in parts)
    if not table.size:
        return table, areas, others
    touching = overlaps(*(as_array([mask or _NOWHERE for mask in side]) for side in scaled))
    for one, other in np.argwhere(touching > 0).tolist():
        here, there = scaled[0][one], scaled[1][other]
        if here is not None and there is not None:
            table[one, other] = _shared(here, parts[0][one], there, parts[1][other])
    return table, areas, others


def _shared(here: Mask, mine: Bits | None, there: Mask, its: Bits | None) -> int:
    """How many pixels are part of both."""
    left, top = max(here.left, there.left), max(here.top, there.top)
    right = min(here.left + here.columns, there.left + there.columns)
    bottom = min(here.top + here.rows, there.top + there.rows)
    if mine is None or its is None:
        return 0
    both = (
        mine[top - here.top : bottom - here.top, left - here.left : right - here.left]
        & its[top - there.top : bottom - there.top, left - there.left : right - there.left]
    )
    return int(both.sum())


_NOWHERE = Box(0, 0, 0, 0, "")


def numbered(masks: Sequence[Mask], width: int, height: int) -> npt.NDArray[np.uint16]:
    """A picture (height, width) of all objects: 0 where none is, else 1 plus the number of the mask; where several
    are, that of the smallest."""
    drawn = np.zeros((height, width), np.uint16)
    scaled = [(number, resized(mask, width, height)) for number, mask in enumerate(masks, 1)]
    for number, mask in sorted(scaled, key=lambda one: -one[1].rows * one[1].columns if one[1] else 0):
        if mask is not None:
            drawn[mask.top : mask.top + mask.rows, mask.left : mask.left + mask.columns][part_of(mask)] = number
    return drawn


def map_of(masks: Sequence[Mask], size: tuple[int, int]) -> SegmentationMap:
    """What each pixel of an image of `size` (width, height) is: all masks of a label are one, and what several labels
    claim is the last one's, as the page shows it. Labels are in the order in which they come first."""
    scaled = [part for mask in masks if (part := resized(mask, *size)) is not None]
    names = list(dict.fromkeys(mask.label for mask in scaled))
    drawn = picture(scaled, names, size)
    found = (mask_of(name, drawn == index, size) for index, name in enumerate(names))
    return SegmentationMap(tuple(mask for mask in found if mask is not None), *size)


def picture(masks: Sequence[Mask], names: Sequence[str], size: tuple[int, int]) -> npt.NDArray[np.int16]:
    """For each pixel of an image of `size` (width, height) the index of its label in `names`, -1 where it has none of
    them; of shape (height, width). Later masks lie above earlier ones."""
    index = {name: at for at, name in enumerate(names)}
    drawn = np.full(size[::-1], -1, np.int16)
    for mask in masks:
        scaled = resized(mask, *size) if mask.label in index else None
        if scaled is not None:
            rows = slice(scaled.top, scaled.top + scaled.rows)
            drawn[rows, scaled.left : scaled.left + scaled.columns][part_of(scaled)] = index[mask.label]
    return drawn


def area(mask: Mask) -> int:
    """How many pixels are part of it."""
    return int(np.unpackbits(np.frombuffer(mask.bits, np.uint8)).sum())


def covered(masks: Sequence[Mask]) -> float:
    """The share of an image's pixels that are part of any of its masks; 0 without masks."""
    if not masks:
        return 0.0
    size = masks[0].width, masks[0].height
    flat = map_of([replace(mask, label="") for mask in masks], size).masks
    return sum(map(area, flat)) / (size[0] * size[1])
