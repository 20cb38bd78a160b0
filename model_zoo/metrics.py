"""Measures of classification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.types import FloatArray, LabelSpace

BINS = 15
"""As in Guo et al. 2017, https://arxiv.org/abs/1706.04599."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClassificationMetrics:
    """All in [0, 1]. `accuracy`: all labels of an item right; `macro_f1`: the mean over labels that occur, in truth
    or answer; `calibration_error`: expected, over bins of confidence; `items`: how many were measured."""

    accuracy: float
    macro_f1: float
    calibration_error: float
    items: int


def classification_metrics(
    answers: Sequence[frozenset[str]],
    confidences: FloatArray,
    truths: Sequence[frozenset[str]],
    labels: LabelSpace,
) -> ClassificationMetrics:
    """Compare what was answered, with confidences of shape (items, labels), to what is true.

    Raises ValueError when there is nothing to measure or lengths differ.
    """
    if not truths or not len(answers) == len(truths) == len(confidences):
        raise ValueError(
            f"Got {len(answers)} answers, {len(confidences)} confidences and {len(truths)} truths; "
            "wanted as many of each, at least one."
        )
    given, true = flags(answers, labels), flags(truths, labels)
    return ClassificationMetrics(
        accuracy(answers, truths),
        macro_f1(given, true),
        calibration_error(confidences, true, labels.multiple),
        len(truths),
    )


def accuracy(answers: Sequence[frozenset[str]], truths: Sequence[frozenset[str]]) -> float:
    """The share of items whose set of labels is exactly right."""
    return float(np.mean([answer == truth for answer, truth in zip(answers, truths, strict=True)]))


def macro_f1(given: Flags, true: Flags) -> float:
    """The mean F1 over labels that occur; `given` and `true` of shape (items, labels). 1 where none occurs."""
    both = given.sum(axis=0) + true.sum(axis=0)
    occurring = both > 0
    if not occurring.any():
        return 1.0
    return float((2 * (given & true).sum(axis=0)[occurring] / both[occurring]).mean())


def calibration_error(confidences: FloatArray, true: Flags, multiple: bool) -> float:
    """Expected calibration error over `BINS` bins of equal width: of the best label's confidence, or, where several
    labels may apply, of every label's."""
    if confidences.shape[1] == 0:
        return 0.0
    if multiple:
        confidence, right = confidences.ravel(), true.ravel()
    else:
        best = confidences.argmax(axis=1)
        rows = np.arange(len(best))
        confidence, right = confidences[rows, best], true[rows, best]
    bins = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
    gaps = np.bincount(bins, weights=right.astype(np.float64) - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def flags(sets: Sequence[frozenset[str]], labels: LabelSpace) -> Flags:
    """Which labels each set holds, of shape (items, labels)."""
    return np.array([[name in held for name in labels.names] for held in sets], np.bool_).reshape(
        len(sets), len(labels)
    )
