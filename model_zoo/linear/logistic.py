"""Logistic regression with an L2 penalty, softmax or one sigmoid a label, by L-BFGS.

Minimises `sum(weight * log loss) + |W|^2 / (2 strength)` over the weights W and an unpenalised bias: the objective of
scikit-learn's LogisticRegression with C = strength. With a teacher's answers (`Softly`) the sum becomes a mean, and a
part of the loss of `model_zoo.distillation`. Importing scikit-learn would cost a worker 0.8 s and 130 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.linear.head import sigmoid, softmax

Array = npt.NDArray[np.float64]

ITERATIONS = 200
TOLERANCE = 1e-4
"""On the gradient of the mean loss; predictions move less than 1e-3 beyond it."""


@dataclass(frozen=True)
class Fit:
    """`weight` (labels, dimensions), `bias` (labels,), and the mean log loss on the examples, penalty left out."""

    weight: Array
    bias: Array
    loss: float


@dataclass(frozen=True)
class Softly:
    """What a teacher says of features (items, dimensions): `targets` (items, labels), softened already. The student's
    scores are `scale` times those of the fit and `shift` (labels,). The mean divergence of these items counts
    `divergence`, the mean loss of the labelled ones `task`."""

    features: Array
    targets: Array
    scale: float
    shift: Array
    task: float
    divergence: float
    entropy: float
    """The mean of the targets' own."""


def fit_logistic(
    features: Array,
    targets: Array,
    weights: Array,
    strength: float,
    multiple: bool,
    check: Callable[[], None] = lambda: None,
    softly: Softly | None = None,
) -> Fit:
    """Fit to features (items, dimensions), targets (items, labels) in {0, 1} and item weights (items,), and to what a
    teacher says of others.

    The problem is convex: the result does not depend on a start. `check` is called at each step and may raise. The loss
    is that of the examples, and with a teacher that of both.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy ships no types; only training needs it

    labels, columns = targets.shape[1], features.shape[1]
    total = float(weights.sum())
    # What the teacher has answered is evidence as well.
    penalty = 1 / (strength * (total + ((1 - softly.task) * len(softly.features) if softly else 0)))

    def wrong(table: Array) -> tuple[float, Array]:
        """The loss, and its derivative by the table of weights and biases."""
        loss, slopes = _loss(features @ table[:, :-1].T + table[:, -1], targets, multiple)
        slopes *= (weights / total)[:, None]
        mean, gradient = float(weights @ loss) / total, _derivative(slopes, features)
        if softly is None:
            return mean, gradient
        scores = softly.scale * (softly.features @ table[:, :-1].T + table[:, -1]) + softly.shift
        loss, slopes = _loss(scores, softly.targets, multiple)
        slopes *= softly.divergence * softly.scale / len(loss)
        gradient = softly.task * gradient + _derivative(slopes, softly.features)
        return softly.task * mean + softly.divergence * (float(loss.mean()) - softly.entropy), gradient

    def objective(flat: Array) -> tuple[float, Array]:
        check()
        table = flat.reshape(labels, columns + 1)
        loss, gradient = wrong(table)
        gradient[:, :-1] += penalty * table[:, :-1]
        return loss + penalty / 2 * float(np.square(table[:, :-1]).sum()), gradient.ravel()

    options = {"maxiter": ITERATIONS, "gtol": TOLERANCE, "maxcor": 20}
    start = np.zeros(labels * (columns + 1))
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x.reshape(labels, columns + 1)
    return Fit(found[:, :-1], found[:, -1], wrong(found)[0])


def _derivative(slopes: Array, features: Array) -> Array:
    """By weights and biases (labels, dimensions + 1), from that by the scores (items, labels)."""
    return np.column_stack([slopes.T @ features, slopes.sum(axis=0)])


def _loss(scores: Array, targets: Array, multiple: bool) -> tuple[Array, Array]:
    """Each item's loss (items,) and its derivative by the scores (items, labels)."""
    if multiple:
        return (np.logaddexp(0, scores) - targets * scores).sum(axis=1), sigmoid(scores) - targets
    top = scores.max(axis=1)
    partition = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return partition - (targets * scores).sum(axis=1), softmax(scores) - targets
