"""Judging maps: by the area of each label, and region by region as people correct them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from backend.evaluation.comparison import Scores
from backend.evaluation.detection import compare, right_objects
from backend.evaluation.intervals import interval
from model_zoo.masks import WHOLE, area, covered, shared_pixels
from model_zoo.postprocess import Postprocess, SegmentationPostprocess
from model_zoo.targets import all_of
from model_zoo.types import LabelSpace, Mask, Masks, Output, SegmentationOutput, Target

Counts = npt.NDArray[np.float64]
"""Of shape (images, ...), as shares of each image, so that a large one counts no more than a small one."""


class SegmentationEvaluation:
    """An image is right when every label's area overlaps the true one by half or more, and no other label is there."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """The mean overlap (intersection over union) of the labels that an image has on either side; 1 where it has
        none on both."""
        pairs = zip(answers, truths, strict=True)
        return np.array([_overlap(all_of(Mask, answer), all_of(Mask, truth)) for answer, truth in pairs])

    def edits(self, predicted: Target, answered: Target) -> int:
        """Areas to add, to take away, to paint anew or to rename; one edit each."""
        return compare(all_of(Mask, predicted), all_of(Mask, answered)).edits

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """`miou` is the mean over labels that occur in truth or answer of `iou_<label>`, which is over all images'
        pixels together. `pixel_accuracy` is the share of pixels that are right, those that people left out counting as
        a label by itself unless they cover (nearly) whole images. `recall` and `precision` are of areas as people
        correct them."""
        if len(outputs) != len(truths):
            raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each.")
        if not outputs:
            return {}
        if not isinstance(postprocess, SegmentationPostprocess):
            raise TypeError(f"Got outputs for {type(postprocess).__name__}, wanted those of maps.")
        shown, sizes = [], []
        for output in outputs:
            if not isinstance(output, SegmentationOutput):
                raise TypeError(f"Got a {type(output).__name__}, wanted a SegmentationOutput.")
            shown.append(postprocess.decide(output, labels).masks)
            sizes.append(output.width * output.height)
        true = [all_of(Mask, truth) for truth in truths]
        pairs = list(zip(shown, true, strict=True))
        regions = np.array([_regions(*pair) for pair in pairs])
        pixels = np.stack([_pixels(*pair, labels) / size for pair, size in zip(pairs, sizes, strict=True)])
        whole = float(np.mean([covered(masks) for masks in true])) >= WHOLE
        figures = {"items": float(len(outputs)), "regions": float(sum(map(len, true)))}
        for name, statistic in _STATISTICS.items():
            figures[name] = statistic(regions)
            low, high = interval(lambda rows, of=statistic: of(regions[rows]), len(pairs))  # type: ignore[misc]
            figures |= {f"{name}_low": low, f"{name}_high": high}
        for name, value in (("miou", _mean_overlap), ("pixel_accuracy", _right_whole if whole else _right_parts)):
            figures[name] = value(pixels)
            low, high = interval(lambda rows, of=value: of(pixels[rows]), len(pairs))  # type: ignore[misc]
            figures |= {f"{name}_low": low, f"{name}_high": high}
        each = _overlaps(pixels)
        named = zip(labels.names, each, strict=True)
        return figures | {f"iou_{name}": float(share) for name, share in named if np.isfinite(share)}


_STATISTICS: Mapping[str, Callable[[npt.NDArray[np.int64]], float]] = {
    "accuracy": lambda counts: float((counts[:, 3] == 0).mean()),
    "recall": lambda counts: float(counts[:, 0].sum() / max(counts[:, 2].sum(), 1)),
    "precision": lambda counts: float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1)),
    "f1": lambda counts: float(2 * counts[:, 0].sum() / max(counts[:, 1:3].sum(), 1)),
}
"""Of each image's areas: right, shown, true, and edits; (images, 4)."""


def _regions(shown: Masks, true: Masks) -> tuple[int, int, int, int]:
    return right_objects(shown, true), len(shown), len(true), compare(shown, true).edits


def _pixels(shown: Masks, true: Masks, labels: LabelSpace) -> Counts:
    """For each label how many pixels have it on both sides, shown, and in truth; and in a last row, how many have a
    label on both sides (any), shown, and in truth; (labels + 1, 3)."""
    both, found, wanted = shared_pixels(true, shown)
    table = np.zeros((len(labels) + 1, 3), np.float64)
    place = {name: at for at, name in enumerate(labels.names)}
    for row, mask in enumerate(true):
        if mask.label in place:
            table[place[mask.label], 2] += found[row]
            same = [column for column, other in enumerate(shown) if other.label == mask.label]
            table[place[mask.label], 0] += both[row, same].sum()
    for column, mask in enumerate(shown):
        # Counted in the truth's size, which is the same: both are as large as the image.
        table[place[mask.label], 1] += wanted[column]
    table[-1] = both.sum(), sum(map(area, shown)), sum(map(area, true))
    return table


def _overlaps(pixels: Counts) -> Counts:
    """Of each label; no number where it does not occur."""
    both, shown, true = pixels[:, :-1].sum(axis=0).T
    either = shown + true - both
    return np.where(either > 0, both / np.maximum(either, 1e-12), np.nan)


def _mean_overlap(pixels: Counts) -> float:
    each = _overlaps(pixels)
    return float(np.nanmean(each)) if np.isfinite(each).any() else 1.0


def _right_whole(pixels: Counts) -> float:
    """Of what people labelled."""
    return float(pixels[:, :-1, 0].sum() / max(pixels[:, -1, 2].sum(), 1e-12))


def _right_parts(pixels: Counts) -> float:
    """Of all: what neither side labels is right, too."""
    some, shown, true = pixels[:, -1].T
    return float((pixels[:, :-1, 0].sum(axis=1) + 1 - (shown + true - some)).mean())


def _overlap(answer: Masks, truth: Masks) -> float:
    labels = LabelSpace(tuple(dict.fromkeys(mask.label for mask in (*answer, *truth))))
    return _mean_overlap(_pixels(answer, truth, labels)[None]) if len(labels) else 1.0
