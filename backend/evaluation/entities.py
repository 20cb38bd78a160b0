"""Judging named entities: span by span, a span being right where it begins, ends and is called just like the true one.

The measure of the CoNLL shared task (Tjong Kim Sang and De Meulder 2003), on characters rather than on tokens; on the
same spans it is what seqeval gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from backend.evaluation.compared import Compared
from backend.evaluation.comparison import Scores
from backend.evaluation.intervals import interval
from model_zoo.postprocess import Postprocess
from model_zoo.targets import all_of
from model_zoo.types import LabelSpace, Output, Span, Spans, Target


def compare_spans(before: Spans, after: Spans) -> Compared:
    """Each span of one side is taken for at most one of the other's: an equal one, else the first that it overlaps."""
    places: dict[Span, list[int]] = {}
    for index, span in enumerate(after):
        places.setdefault(span, []).append(index)
    kept = [(index, places[span].pop(0)) for index, span in enumerate(before) if places.get(span)]
    wrong = _others(len(before), {first for first, _ in kept})
    missing = _others(len(after), {second for _, second in kept})
    changed: list[tuple[int, int]] = []
    free = sorted(missing, key=lambda index: after[index].start)
    for index in wrong:
        meets = next((at for at in free if _overlap(before[index], after[at])), None)
        if meets is not None:
            changed.append((index, meets))
            free.remove(meets)
    moved = {first for first, _ in changed}
    return Compared(
        tuple(kept), tuple(changed), tuple(index for index in wrong if index not in moved), tuple(sorted(free))
    )


def right_spans(answer: Spans, truth: Spans) -> int:
    """How many spans of the answer are right."""
    return len(compare_spans(answer, truth).kept)


class EntityEvaluation:
    """A text is right when every span is marked and none is left over."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """F1 of each text's spans; 1 where there are none on either side."""
        pairs = zip(_spans(answers), _spans(truths), strict=True)
        return np.array([_f1(answer, truth) for answer, truth in pairs])

    def edits(self, predicted: Target, answered: Target) -> int:
        """Spans to mark, to take away, to move or to rename; one edit each."""
        return compare_spans(*_spans([predicted, answered])).edits

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """`f1`, `precision` and `recall` over all spans of all texts, and `macro_f1`, the mean over labels that
        occur."""
        if len(outputs) != len(truths):
            raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each.")
        if not outputs:
            return {}
        shown = _spans([postprocess.decide(output, labels).target for output in outputs])
        pairs = list(zip(shown, _spans(truths), strict=True))
        exact = np.array([self.edits(*pair) == 0 for pair in pairs])
        counts = np.array([_counts(*pair, labels) for pair in pairs])
        figures = {"items": float(len(outputs)), "spans": float(sum(len(truth) for _, truth in pairs))}
        for name, statistic in _STATISTICS.items():
            figures[name] = statistic(exact, counts)
            low, high = interval(lambda rows, of=statistic: of(exact[rows], counts[rows]), len(pairs))  # type: ignore[misc]
            figures |= {f"{name}_low": low, f"{name}_high": high}
        return figures


_Counts = npt.NDArray[np.int64]
"""For each text and label, how many spans are right, shown and true; shape (texts, labels, 3)."""


def _ratio(part: float, whole: float) -> float:
    return float(part / max(whole, 1))


def _macro(counts: _Counts) -> float:
    right, shown, true = counts.sum(axis=0).T
    occurring = shown + true > 0
    return float((2 * right[occurring] / (shown + true)[occurring]).mean()) if occurring.any() else 1.0


_STATISTICS: Mapping[str, Callable[[npt.NDArray[np.bool_], _Counts], float]] = {
    "accuracy": lambda exact, counts: float(exact.mean()),
    "recall": lambda exact, counts: _ratio(counts[..., 0].sum(), counts[..., 2].sum()),
    "precision": lambda exact, counts: _ratio(counts[..., 0].sum(), counts[..., 1].sum()),
    "f1": lambda exact, counts: _ratio(2 * counts[..., 0].sum(), counts[..., 1:].sum()),
    "macro_f1": lambda exact, counts: _macro(counts),
}


def _counts(answer: Spans, truth: Spans, labels: LabelSpace) -> list[tuple[int, int, int]]:
    right = [answer[index].label for index, _ in compare_spans(answer, truth).kept]
    shown, true = [span.label for span in answer], [span.label for span in truth]
    return [(right.count(name), shown.count(name), true.count(name)) for name in labels.names]


def _f1(answer: Spans, truth: Spans) -> float:
    if not answer and not truth:
        return 1.0
    return 2 * right_spans(answer, truth) / (len(answer) + len(truth))


def _overlap(first: Span, second: Span) -> bool:
    return first.start < second.end and second.start < first.end


def _others(count: int, indices: set[int]) -> list[int]:
    return [index for index in range(count) if index not in indices]


def _spans(targets: Sequence[Target]) -> list[Spans]:
    return [all_of(Span, target) for target in targets]
