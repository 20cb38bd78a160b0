"""Judging objects found: one by one, each being right where it overlaps one of the same label by half or more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from backend.evaluation.average_precision import precision_figures
from backend.evaluation.compared import Compared
from backend.evaluation.comparison import Scores
from backend.evaluation.intervals import interval
from model_zoo.detection_metrics import rankings
from model_zoo.masks import mask_overlaps
from model_zoo.oriented import box_overlaps
from model_zoo.postprocess import DetectionPostprocess, Postprocess
from model_zoo.postprocess.objects import ObjectPostprocess
from model_zoo.targets import objects_of
from model_zoo.types import Box, DetectionOutput, FloatArray, LabelSpace, Mask, Objects, OrientedBox, Output, Target

RIGHT = 0.5
"""Overlap (intersection over union) from which on an object is the right one, as in Pascal VOC."""
TOUCHED = 0.1
"""Overlap from which on a wrong object was rather moved or renamed than taken away and drawn anew."""


def compare(before: Objects, after: Objects) -> Compared:
    """Each object of one side is taken for at most one of the other's, those that overlap most first."""
    kept = _pairs(before, after, RIGHT, same_label=True)
    wrong = _others(before, [first for first, _ in kept])
    missing = _others(after, [second for _, second in kept])
    pairs = _pairs(
        tuple(before[index] for index in wrong), tuple(after[index] for index in missing), TOUCHED, same_label=False
    )
    changed = [(wrong[first], missing[second]) for first, second in pairs]
    taken = [{pair[side] for pair in changed} for side in (0, 1)]
    return Compared(
        tuple(kept),
        tuple(changed),
        tuple(index for index in wrong if index not in taken[0]),
        tuple(index for index in missing if index not in taken[1]),
    )


class ObjectEvaluation:
    """An image is right when every object is found and nothing else is."""

    postprocess: ClassVar[type[ObjectPostprocess]]
    """What decides on the outputs that are judged."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """F1 of each image's objects; 1 where there are none on either side."""
        pairs = zip(_objects(answers), _objects(truths), strict=True)
        return np.array([_f1(answer, truth) for answer, truth in pairs])

    def edits(self, predicted: Target, answered: Target) -> int:
        """Objects to add, to take away, to move or to rename; one edit each."""
        return compare(*_objects([predicted, answered])).edits

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """`map50` and `map50_95` are COCO's, over all confidences; `recall` and `precision` those of what is shown,
        over all objects."""
        if len(outputs) != len(truths):
            raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each.")
        if not outputs:
            return {}
        found, process = self._checked(outputs, postprocess)
        shown = _objects([process.decide(output, labels).target for output in found])
        true = _objects(truths)
        pairs = list(zip(shown, true, strict=True))
        exact = np.array([compare(*pair).edits == 0 for pair in pairs])
        counts = np.array([(right_objects(*pair), len(pair[0]), len(pair[1])) for pair in pairs])
        figures = {"items": float(len(outputs)), "objects": float(sum(map(len, true)))}
        for name, statistic in _STATISTICS.items():
            figures[name] = statistic(exact, counts)
            low, high = interval(lambda rows, of=statistic: of(exact[rows], counts[rows]), len(pairs))  # type: ignore[misc]
            figures |= {f"{name}_low": low, f"{name}_high": high}
        candidates, shares = [], []
        for output, truth in zip(found, true, strict=True):
            rows, confidence, label = process.stay(output)
            candidates.append((output.boxes[rows], confidence, label))
            shares.append(process.shares(output, rows, truth))
        figures |= precision_figures(rankings(candidates, true, labels, shares=shares), len(pairs))
        return figures | self.more(pairs)

    def more(self, pairs: Sequence[tuple[Objects, Objects]]) -> dict[str, float]:
        """Further figures of what is shown and what is true in each image."""
        return {}

    def _checked(
        self, outputs: Sequence[Output], postprocess: Postprocess
    ) -> tuple[list[DetectionOutput], ObjectPostprocess]:
        found = [output for output in outputs if isinstance(output, DetectionOutput)]
        if len(found) != len(outputs) or not isinstance(postprocess, self.postprocess):
            raise TypeError(f"Got outputs for {type(postprocess).__name__}, wanted {self.postprocess.__name__}.")
        return found, postprocess


class DetectionEvaluation(ObjectEvaluation):
    """By boxes."""

    postprocess: ClassVar[type[ObjectPostprocess]] = DetectionPostprocess


_Counts = npt.NDArray[np.int64]
"""For each image, how many objects are right, shown and true; shape (images, 3)."""

_STATISTICS: Mapping[str, Callable[[npt.NDArray[np.bool_], _Counts], float]] = {
    "accuracy": lambda exact, counts: float(exact.mean()),
    "recall": lambda exact, counts: float(counts[:, 0].sum() / max(counts[:, 2].sum(), 1)),
    "precision": lambda exact, counts: float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1)),
    "f1": lambda exact, counts: float(2 * counts[:, 0].sum() / max(counts[:, 1:].sum(), 1)),
}


def right_objects(answer: Objects, truth: Objects) -> int:
    """How many objects of the answer are right."""
    return len(_pairs(answer, truth, RIGHT, same_label=True))


def _f1(answer: Objects, truth: Objects) -> float:
    if not answer and not truth:
        return 1.0
    return 2 * len(_pairs(answer, truth, RIGHT, same_label=True)) / (len(answer) + len(truth))


def shares(first: Objects, second: Objects) -> FloatArray:
    """Intersection over union of each object of `first` with each of `second`, of shape (n, m)."""
    for piece in (*first[:1], *second[:1]):
        return _SHARES[type(piece)](first, second)
    return np.zeros((0, 0), np.float32)


_SHARES: Mapping[type, Callable[..., FloatArray]] = {
    Box: box_overlaps,
    OrientedBox: box_overlaps,
    Mask: mask_overlaps,
}
"""How far two objects of one kind overlap."""


def _pairs(first: Objects, second: Objects, least: float, *, same_label: bool) -> list[tuple[int, int]]:
    """Indices of objects that overlap by `least` or more, each in one pair, those that overlap most first."""
    if not first or not second:
        return []
    shared = shares(first, second)
    if same_label:
        shared = shared * np.array([[a.label == b.label for b in second] for a in first], np.float32).reshape(
            shared.shape
        )
    candidates = np.argwhere(shared >= least)
    best_first = candidates[np.argsort(-shared[shared >= least], kind="stable")]
    pairs: list[tuple[int, int]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for one, other in best_first.tolist():
        if one not in taken[0] and other not in taken[1]:
            pairs.append((one, other))
            taken[0].add(one)
            taken[1].add(other)
    return pairs


def _others(boxes: Objects, indices: Collection[int]) -> list[int]:
    return [index for index in range(len(boxes)) if index not in indices]


def _objects(targets: Sequence[Target]) -> list[Objects]:
    return [objects_of(target) for target in targets]
