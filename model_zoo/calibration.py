"""Making confidences mean what they say: fitted from outputs whose truth is known, applied to all that follow.

One label of several: a temperature (Guo et al. 2017, https://arxiv.org/abs/1706.04599). Several at once: a slope and a
shift for each label (Platt 1999). Both are held near "change nothing" by a prior, so that five outputs cannot turn a
model upside down. Parameters are plain numbers, for JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.linear.head import sigmoid, softmax
from model_zoo.types import FloatArray

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

TINY = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""
SPREAD = 0.5
"""Standard deviation of the priors: on the logarithm of the temperature, on the slope less 1, and on the shift."""


@dataclass(frozen=True)
class Calibration:
    """`temperature` divides log-probabilities where one label applies; `slopes` and `shifts`, one a label, turn
    log-odds where several may. Empty slopes, and a temperature of 1, leave probabilities as they are."""

    temperature: float = 1.0
    slopes: tuple[float, ...] = ()
    shifts: tuple[float, ...] = ()

    def __call__(self, probabilities: FloatArray) -> FloatArray:
        """Calibrated probabilities, of the same shape (..., labels)."""
        if self.slopes:
            turned = _log_odds(probabilities) * np.array(self.slopes) + np.array(self.shifts)
            return sigmoid(turned).astype(np.float32)
        if self.temperature == 1.0:
            return probabilities
        return softmax(_log(probabilities) / self.temperature).astype(np.float32)


def fit_temperature(probabilities: FloatArray, truths: npt.NDArray[np.int64]) -> Calibration:
    """From probabilities (items, labels) and the index of each item's label (items,)."""
    if len(truths) == 0 or probabilities.shape[1] < 2:
        return Calibration()
    logs = _log(probabilities)
    grid = np.linspace(np.log(0.2), np.log(5.0), 161)

    def cost(log_temperature: float) -> float:
        shares = softmax(logs / np.exp(log_temperature))
        loss = -np.log(np.maximum(shares[np.arange(len(truths)), truths], 1e-300)).sum()
        return float(loss) + 0.5 * (log_temperature / SPREAD) ** 2

    best = min(grid, key=cost)
    return Calibration(temperature=round(float(np.exp(best)), 4))


def fit_platt(probabilities: FloatArray, truths: Flags) -> Calibration:
    """From probabilities and truths, both of shape (items, labels)."""
    if len(truths) == 0:
        return Calibration()
    fitted = [_fit_one(_log_odds(column), truth) for column, truth in zip(probabilities.T, truths.T, strict=True)]
    return Calibration(slopes=tuple(slope for slope, _ in fitted), shifts=tuple(shift for _, shift in fitted))


def _fit_one(log_odds: Array, truth: Flags) -> tuple[float, float]:
    """Slope and shift by Newton's method, its steps halved while they lead uphill; the cost is convex."""
    usual, precision = np.array([1.0, 0.0]), 1 / SPREAD**2
    design = np.stack([log_odds, np.ones_like(log_odds)], axis=1)

    def cost(line: Array) -> float:
        scores = design @ line
        return float((np.logaddexp(0, scores) - truth * scores).sum() + precision / 2 * np.square(line - usual).sum())

    found = usual
    for _ in range(50):
        chance = sigmoid(design @ found)
        gradient = design.T @ (chance - truth) + precision * (found - usual)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + precision * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while cost(found - step) > cost(found) and np.abs(step).max() > 1e-6:
            step = step / 2
        found = found - step
        if np.abs(step).max() < 1e-6:
            break
    # A falling line would rank the unlikely first; keep the model's order whatever a few outputs say.
    return round(max(float(found[0]), 0.05), 4), round(float(found[1]), 4)


def _log(probabilities: FloatArray) -> Array:
    logs: Array = np.log(np.clip(probabilities.astype(np.float64), TINY, 1.0))
    return logs


def _log_odds(probabilities: FloatArray) -> Array:
    clipped = np.clip(probabilities.astype(np.float64), TINY, 1 - TINY)
    odds: Array = np.log(clipped) - np.log1p(-clipped)
    return odds
