"""Captions: how many of them are shown, and how like people's they may be expected to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.caption_metrics import best_f1
from model_zoo.errors import CheckpointError
from model_zoo.linear.head import sigmoid
from model_zoo.postprocess.base import CaptionDecision, Postprocess
from model_zoo.types import CaptionOutput, Captions, FloatArray, LabelSpace, Output, Target

if TYPE_CHECKING:
    from typing_extensions import Self

TINY = 1e-3
"""Scores are kept this far from 0 and 1 before their log-odds are taken."""
SPREAD = 0.5
"""Standard deviation of the priors on the slope less 1 and on the shift, as of classifications."""
SLOPES = np.linspace(0.0, 3.0, 61)
SHIFTS = np.linspace(-3.0, 3.0, 121)


@dataclass(frozen=True)
class CaptionPostprocess(Postprocess):
    """`slope` and `shift` turn the log-odds of a score into those of the F1 to be expected of its caption (Platt 1999,
    with shares in place of truth values); captions of less than `threshold` are not shown, nor more than `count`."""

    slope: float = 1.0
    shift: float = 0.0
    threshold: float = 0.0
    count: int = 1

    @classmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        return cls(threshold=threshold or 0.0)

    @classmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        """As promised. As many captions are shown as people write, mostly."""
        written = [len(truth.texts) for truth in truths if isinstance(truth, Captions) and truth.texts]
        pairs = [
            (float(score), best_f1(text, truth.texts))
            for output, truth in zip(outputs, truths, strict=True)
            if isinstance(output, CaptionOutput) and isinstance(truth, Captions)
            for text, score in zip(output.captions[:1], output.scores[:1], strict=True)
        ]
        count = median_low(written) if written else 1
        if not pairs:
            return cls(count=count)
        scores, shares = (np.array(column) for column in zip(*pairs, strict=True))
        slope, shift = _platt(_log_odds(scores), shares)
        return cls(slope, shift, count=count)

    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> CaptionDecision:
        if not isinstance(output, CaptionOutput):
            raise TypeError(f"Got a {type(output).__name__}, wanted a CaptionOutput to decide on captions.")
        expected = sigmoid(self.slope * _log_odds(output.scores) + self.shift).astype(np.float32)
        least = self.threshold if minimum is None else minimum
        shown = [
            (text, float(confidence))
            for text, confidence in zip(output.captions, expected, strict=True)
            if confidence >= least
        ]
        best = expected[:1] if len(expected) else np.zeros(1, np.float32)
        return CaptionDecision(tuple(shown[: self.count]), best, float(np.clip(1 - best[0], 0, 1)))

    def to_json(self) -> dict[str, Any]:
        return {"slope": self.slope, "shift": self.shift, "threshold": self.threshold, "count": self.count}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        try:
            slope, shift, threshold = (float(content[key]) for key in ("slope", "shift", "threshold"))
            return cls(slope, shift, threshold, int(content["count"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The version's postprocessing is damaged ({error!r}); train again.") from error


def _log_odds(scores: FloatArray | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    bounded = np.clip(np.asarray(scores, np.float64), TINY, 1 - TINY)
    odds: np.ndarray[Any, Any] = np.log(bounded) - np.log1p(-bounded)
    return odds


def _platt(odds: np.ndarray[Any, Any], shares: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Slope and shift under which the shares are likeliest, held near 1 and 0 by a prior; the best of a grid, so that
    the same outputs give the same on every machine."""
    best, found = np.inf, (1.0, 0.0)
    for slope in SLOPES:
        expected = np.clip(sigmoid(slope * odds + SHIFTS[:, None]), 1e-12, 1 - 1e-12)
        costs = -(shares * np.log(expected) + (1 - shares) * np.log1p(-expected)).sum(axis=1)
        costs += 0.5 * ((slope - 1) / SPREAD) ** 2 + 0.5 * (SHIFTS / SPREAD) ** 2
        at = int(costs.argmin())
        if costs[at] < best:
            best, found = float(costs[at]), (round(float(slope), 4), round(float(SHIFTS[at]), 4))
    return found
