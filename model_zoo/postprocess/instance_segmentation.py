"""Objects with masks: as detections, but what is right, and what is shown, are their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import as_array, overlaps
from model_zoo.errors import CheckpointError
from model_zoo.masks import mask_of, mask_overlaps, resized, shared_pixels
from model_zoo.postprocess.base import InstanceDecision
from model_zoo.postprocess.objects import OVERLAP, ObjectPostprocess
from model_zoo.types import (
    DetectionOutput,
    FloatArray,
    InstanceOutput,
    LabelSpace,
    Mask,
    Objects,
    Output,
    PoseOutput,
)

if TYPE_CHECKING:
    from typing_extensions import Self

COMPARED = 640
"""Pixels of the longer side in which masks are held against true ones: a mask knows no more than its network saw."""
NEAR = 0.1
"""Overlap of boxes below which their masks cannot be taken for each other."""


COVERED = 0.7
"""Share of a mask that another one covers from which on they are of one object, where true ones do not overlap."""
FAINT = 0.01
"""Confidence below which candidates are not worth comparing their masks."""


@dataclass(frozen=True)
class InstancePostprocess(ObjectPostprocess):
    """Suppressed by their boxes, and by their masks: a part of a person, and a person with a part of a neighbour, have
    boxes of their own. Of two of which one covers more than `covered` of the other the better stays. Judged by their
    masks."""

    covered: float = COVERED

    careful: ClassVar[bool] = True

    def shaped(self, pairs: Sequence[tuple[DetectionOutput, Objects]], apart: float = OVERLAP) -> Self:
        """Where true masks lie in each other, found ones may, too; the worst few are left to people."""
        within = [0.0]
        for _, truth in pairs:
            masks = [piece for piece in truth if isinstance(piece, Mask)]
            both, areas, _ = shared_pixels(masks, masks)
            shares = both / np.maximum(np.minimum(areas[:, None], areas[None]), 1)
            alike = np.array([[one.label == other.label for other in masks] for one in masks], np.bool_)
            within += shares[np.triu(alike, 1)].tolist() if masks else []
        covered = float(np.clip(np.quantile(within, 0.98) + 0.2, COVERED, 1.0))
        return replace(super().shaped(pairs, apart), covered=round(covered, 2))

    def suppressed(
        self,
        output: DetectionOutput | PoseOutput,
        rows: npt.NDArray[np.int64],
        confidence: FloatArray,
        apart: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.int64]:
        stay = super().suppressed(output, rows, confidence, apart)
        if not isinstance(output, InstanceOutput) or self.covered >= 1:
            return stay
        worth = int((confidence[stay] >= FAINT).sum())
        found = cells(output, rows[stay[:worth]])
        both = found @ found.T
        areas = np.diag(both)
        group = apart[stay[:worth]]
        same = (group[:, None] == group) & (both > self.covered * np.minimum(areas[:, None], areas))
        kept = np.ones(len(stay), np.bool_)
        for place in range(worth):
            if kept[place]:
                kept[place + 1 : worth] &= ~same[place, place + 1 :]
        return stay[kept]

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "covered": self.covered}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        covered = content.get("covered", COVERED)  # versions of before have none
        if not isinstance(covered, (int, float)):
            raise CheckpointError(f"The version's postprocessing is damaged (covered {covered!r}); train again.")
        return replace(super().from_json(content), covered=float(covered))

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> InstanceDecision:
        if not isinstance(output, InstanceOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted an InstanceOutput to decide on masks.")
        rows, confidence, label, best, doubt = self.shown(output, labels, minimum)
        masks = draw(output, rows, [labels.names[index] for index in label], (output.width, output.height))
        drawn = [(mask, float(score)) for mask, score in zip(masks, confidence, strict=True) if mask is not None]
        return InstanceDecision(
            tuple(mask for mask, _ in drawn),
            tuple(score for _, score in drawn),
            best,
            doubt,
            output.width,
            output.height,
        )

    def shares(self, output: DetectionOutput, rows: npt.NDArray[np.int64], truth: Objects) -> FloatArray:
        if not isinstance(output, InstanceOutput):
            return super().shares(output, rows, truth)
        table: FloatArray = np.zeros((len(rows), len(truth)), np.float32)
        near = overlaps(output.boxes[rows], as_array(truth)) >= NEAR
        close = np.flatnonzero(near.any(axis=1))
        size = compared(output)
        true = [resized(mask, *size) if isinstance(mask, Mask) else None for mask in truth]
        masks = draw(output, rows[close], [""] * len(close), size)
        for row, mask in zip(close, masks, strict=True):
            columns = [at for at in np.flatnonzero(near[row]) if true[at] is not None]
            if mask is not None and columns:
                table[row, columns] = mask_overlaps([mask], [one for at in columns if (one := true[at])])[0]
        return table


def compared(output: InstanceOutput) -> tuple[int, int]:
    """Width and height in which an output's masks are compared."""
    part = min(1.0, COMPARED / max(output.width, output.height))
    return max(round(output.width * part), 1), max(round(output.height * part), 1)


def cells(output: InstanceOutput, rows: npt.NDArray[np.int64]) -> FloatArray:
    """Which cells of the pictures are part of each candidate (rows, cells), 0 or 1: enough to tell what lies in what,
    and far less work than drawing."""
    count, high, wide = output.basis.shape
    pictures = output.coefficients[rows] @ output.basis.reshape(count, -1).astype(np.float32)
    left, top, right, bottom = output.frame
    scale = np.array([(right - left) / max(output.width, 1), (bottom - top) / max(output.height, 1)] * 2)
    edges = (output.boxes[rows] * scale + np.array([left, top] * 2))[:, :, None]
    across, down = np.arange(wide) + 0.5, np.arange(high) + 0.5
    columns = (across >= edges[:, 0]) & (across <= edges[:, 2])
    lines = (down >= edges[:, 1]) & (down <= edges[:, 3])
    inside: npt.NDArray[np.bool_] = (pictures > 0) & (lines[:, :, None] & columns[:, None, :]).reshape(
        len(rows), high * wide
    )
    return inside.astype(np.float32)


def draw(
    output: InstanceOutput, rows: npt.NDArray[np.int64], names: list[str], size: tuple[int, int]
) -> list[Mask | None]:
    """Masks of candidates, one a row, in an image of `size` (width, height); None where no pixel is the object's."""
    count, high, wide = output.basis.shape
    pictures = output.coefficients[rows] @ output.basis.reshape(count, -1).astype(np.float32)
    scale = np.array([size[0] / output.width, size[1] / output.height] * 2)
    corners = np.round(output.boxes[rows] * scale).astype(int)
    corners[:, 2:] = np.minimum(np.maximum(corners[:, 2:], corners[:, :2] + 1), size)
    masks = []
    for picture, (left, top, right, bottom), name in zip(pictures, corners, names, strict=True):
        part = _enlarged(picture.reshape(high, wide), output.frame, size, (left, top, right, bottom))
        masks.append(mask_of(name, part > 0, size, (left, top)))
    return masks


def _enlarged(
    picture: FloatArray,
    frame: tuple[float, float, float, float],
    size: tuple[int, int],
    area: tuple[int, int, int, int],
) -> FloatArray:
    """A part of an image of `size` as the picture's cells have it, between them as their neighbours do in proportion.
    `frame` is where in the picture the image lies, `area` the part's left, top, right and bottom."""
    lines = []
    for axis, cells in ((0, picture.shape[1]), (1, picture.shape[0])):
        centres = np.arange(area[axis], area[axis + 2]) + 0.5
        place = frame[axis] + centres * (frame[axis + 2] - frame[axis]) / size[axis] - 0.5
        low = np.clip(np.floor(place), 0, cells - 1).astype(int)
        lines.append((low, np.minimum(low + 1, cells - 1), np.clip(place - low, 0, 1).astype(np.float32)))
    (left, right, across), (above, below, down) = lines
    sides = picture[:, left] * (1 - across) + picture[:, right] * across
    enlarged: FloatArray = sides[above] * (1 - down)[:, None] + sides[below] * down[:, None]
    return enlarged
