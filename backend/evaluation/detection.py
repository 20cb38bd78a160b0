"""Judging detections: box by box, a box being right where it overlaps one of the same label by half or more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from backend.evaluation.comparison import Scores
from backend.evaluation.intervals import interval
from model_zoo.boxes import as_array, overlaps
from model_zoo.detection_metrics import detection_metrics
from model_zoo.postprocess import DetectionPostprocess, Postprocess
from model_zoo.types import Boxes, DetectionOutput, LabelSpace, Output, Target

RIGHT = 0.5
"""Overlap (intersection over union) from which on a box is the right one, as in Pascal VOC."""
TOUCHED = 0.1
"""Overlap from which on a wrong box was rather moved or renamed than taken away and drawn anew."""


class DetectionEvaluation:
    """An image is right when every object has its box and no box is left over."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """F1 of each image's boxes; 1 where there are none on either side."""
        pairs = zip(_boxes(answers), _boxes(truths), strict=True)
        return np.array([_f1(answer, truth) for answer, truth in pairs])

    def edits(self, predicted: Target, answered: Target) -> int:
        """Boxes to add, to take away, to move or to rename; one edit each."""
        before, after = _boxes([predicted, answered])
        kept = _pairs(before, after, RIGHT, same_label=True)
        wrong = _without(before, {first for first, _ in kept})
        missing = _without(after, {second for _, second in kept})
        changed = len(_pairs(wrong, missing, TOUCHED, same_label=False))
        return len(wrong) + len(missing) - changed

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """`recall`, `precision` and `f1` are those of what is shown, over all boxes; `map50` and `map50_95` COCO's."""
        if len(outputs) != len(truths):
            raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each.")
        if not outputs:
            return {}
        shown = _boxes([postprocess.decide(output, labels).target for output in outputs])
        true = _boxes(truths)
        pairs = list(zip(shown, true, strict=True))
        exact = np.array([self.edits(*pair) == 0 for pair in pairs])
        counts = np.array([(right_boxes(*pair), len(pair[0]), len(pair[1])) for pair in pairs])
        figures = {"items": float(len(outputs)), "objects": float(sum(map(len, true)))}
        for name, statistic in _STATISTICS.items():
            figures[name] = statistic(exact, counts)
            low, high = interval(lambda rows, of=statistic: of(exact[rows], counts[rows]), len(pairs))  # type: ignore[misc]
            figures |= {f"{name}_low": low, f"{name}_high": high}
        return figures | _average_precision(outputs, true, postprocess, labels)


_Counts = npt.NDArray[np.int64]
"""For each image, how many boxes are right, shown and true; shape (images, 3)."""

_STATISTICS: Mapping[str, Callable[[npt.NDArray[np.bool_], _Counts], float]] = {
    "accuracy": lambda exact, counts: float(exact.mean()),
    "recall": lambda exact, counts: float(counts[:, 0].sum() / max(counts[:, 2].sum(), 1)),
    "precision": lambda exact, counts: float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1)),
    "f1": lambda exact, counts: float(2 * counts[:, 0].sum() / max(counts[:, 1:].sum(), 1)),
}


def _average_precision(
    outputs: Sequence[Output], truths: Sequence[Boxes], postprocess: Postprocess, labels: LabelSpace
) -> dict[str, float]:
    """Over all confidences, as COCO counts it."""
    found = [output for output in outputs if isinstance(output, DetectionOutput)]
    if not isinstance(postprocess, DetectionPostprocess) or len(found) != len(outputs):
        raise TypeError(f"Got {type(postprocess).__name__}, wanted a DetectionPostprocess and outputs of detectors.")
    measured = detection_metrics(found, truths, postprocess, labels)
    return {"map50": measured.map50, "map50_95": measured.map50_95}


def right_boxes(answer: Boxes, truth: Boxes) -> int:
    """How many boxes of the answer are right."""
    return len(_pairs(answer, truth, RIGHT, same_label=True))


def _f1(answer: Boxes, truth: Boxes) -> float:
    if not answer and not truth:
        return 1.0
    return 2 * len(_pairs(answer, truth, RIGHT, same_label=True)) / (len(answer) + len(truth))


def _pairs(first: Boxes, second: Boxes, least: float, *, same_label: bool) -> list[tuple[int, int]]:
    """Indices of boxes that overlap by `least` or more, each box in one pair, those that overlap most first."""
    shared = overlaps(as_array(first), as_array(second))
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


def _without(boxes: Boxes, indices: Iterable[int]) -> Boxes:
    gone = set(indices)
    return tuple(box for index, box in enumerate(boxes) if index not in gone)


def _boxes(targets: Sequence[Target]) -> list[Boxes]:
    strange = next((target for target in targets if not isinstance(target, tuple)), None)
    if strange is not None:
        raise TypeError(f"Got {type(strange).__name__}, wanted boxes to judge a detection.")
    return [target for target in targets if isinstance(target, tuple)]
