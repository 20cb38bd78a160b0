"""Average precision as COCO counts it, of a set of images or of any resample of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.types import FloatArray

OVERLAPS = tuple(np.round(np.arange(0.5, 0.96, 0.05), 2).tolist())
POINTS = 101
"""Recalls from 0 to 1 at which precision is read off."""
_CELLS_AT_ONCE = 4_000_000

Drawn = npt.NDArray[np.int64]
"""How often each image is in each of several samples, of shape (samples, images)."""


@dataclass(frozen=True)
class Ranked:
    """What was found of one label in all images, the most confident first.

    `images` (n,) are the indices of the images it was found in, `hits` (overlaps, n) whether it is right, and `true`
    (images,) how many objects of the label each image has. `counted` (overlaps, n) says what is looked at at all, where
    not everything is. Since objects are matched image by image, all that a resample changes is how often an image
    counts.
    """

    images: npt.NDArray[np.int64]
    hits: npt.NDArray[np.bool_]
    true: npt.NDArray[np.int64]
    counted: npt.NDArray[np.bool_] | None = None

    def precisions(self, drawn: Drawn) -> FloatArray:
        """Average precision of shape (samples, overlaps); NaN for samples without a true object."""
        rows = max(1, _CELLS_AT_ONCE // max(len(self.images), 1))
        parts = [self._precisions(drawn[start : start + rows]) for start in range(0, len(drawn), rows)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.hits)), np.float32)

    def _precisions(self, drawn: Drawn) -> FloatArray:
        total = drawn @ self.true
        table: FloatArray = np.full((len(drawn), len(self.hits)), np.nan, np.float32)
        rest = int(np.flatnonzero(self.hits.any(axis=0)).max(initial=-1)) + 1  # nothing is right from there on
        times = drawn[:, self.images[:rest]]
        among = times.cumsum(axis=1)
        for column, hits in enumerate(self.hits):
            if self.counted is not None:
                among = (times * self.counted[column, :rest]).cumsum(axis=1)
            # Precision is highest, and recall grows, at what is right alone. An image that was drawn several times has
            # its objects side by side, and the last of them stands for all: there precision is highest.
            places = np.flatnonzero(hits)
            right = drawn[:, self.images[places]].cumsum(axis=1)
            precision = right / np.maximum(among[:, places], 1)
            highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            recall = right / np.maximum(total, 1)[:, None]
            # The first point of recall that each falls behind; the slack is for thirds and the like, as COCO's is.
            reached = np.floor((recall + 1e-12) * (POINTS - 1)).astype(np.int64) + 1
            points = np.diff(reached, axis=1, prepend=0)
            table[:, column] = (highest * points).sum(axis=1) / POINTS
        table[total == 0] = np.nan
        return table


def ranked(
    confidence: Sequence[FloatArray],
    hits: Sequence[npt.NDArray[np.bool_]],
    true: Sequence[int],
    counted: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> Ranked:
    """From each image's confidences (n,), hits (overlaps, n), number of true objects, and what is counted (overlaps,
    n). Equals keep their order."""
    scores = np.concatenate([np.empty(0, np.float32), *confidence])
    order = np.argsort(-scores, kind="stable")
    images = np.repeat(np.arange(len(confidence)), [len(one) for one in confidence])
    judged = np.concatenate(counted, axis=1)[:, order] if counted is not None else None
    return Ranked(images[order], np.concatenate(hits, axis=1)[:, order], np.array(true, np.int64), judged)


def table_of(rankings: Sequence[Ranked], images: int, overlaps: int) -> FloatArray:
    """Average precision of shape (overlaps, labels) on all images once; NaN for labels without a true object."""
    whole = np.ones((1, images), np.int64)
    columns = [one.precisions(whole)[0] for one in rankings]
    return np.stack(columns, axis=1) if columns else np.empty((overlaps, 0), np.float32)


def means(rankings: Sequence[Ranked], drawn: Drawn) -> tuple[FloatArray, FloatArray]:
    """For each sample (samples,) the mean over the labels that occur in it: at the first overlap, and over all
    overlaps. NaN where no label does."""
    each = np.stack([one.precisions(drawn) for one in rankings])
    known = ~np.isnan(each[..., 0])
    count = known.sum(axis=0)
    sums = np.where(known[..., None], each, 0.0).sum(axis=0)
    first, all_ = (np.where(count > 0, of / np.maximum(count, 1), np.nan) for of in (sums[:, 0], sums.mean(axis=1)))
    return first.astype(np.float32), all_.astype(np.float32)
