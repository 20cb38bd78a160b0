"""Logistic regression with an L2 penalty, softmax or one sigmoid a label, by L-BFGS.

Minimises `sum(weight * log loss) + |W|^2 / (2 strength)` over the weights W and an unpenalised bias: the objective of
scikit-learn's LogisticRegression with C = strength. Importing scikit-learn would cost a worker 0.8 s and 130 MB.
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


def fit_logistic(
    features: Array,
    targets: Array,
    weights: Array,
    strength: float,
    multiple: bool,
    check: Callable[[], None] = lambda: None,
) -> Fit:
    """Fit to features (items, dimensions), targets (items, labels) in {0, 1} and item weights (items,).

    The problem is convex: the result does not depend on a start. `check` is called at each step and may raise.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy ships no types; only training needs it

    labels, columns = targets.shape[1], features.shape[1]
    total = float(weights.sum())
    penalty = 1 / (strength * total)

    def objective(flat: Array) -> tuple[float, Array]:
        check()
        table = flat.reshape(labels, columns + 1)
        loss, slopes = _loss(features @ table[:, :-1].T + table[:, -1], targets, multiple)
        slopes *= (weights / total)[:, None]
        gradient = np.empty_like(table)
        gradient[:, :-1] = slopes.T @ features + penalty * table[:, :-1]
        gradient[:, -1] = slopes.sum(axis=0)
        return float(weights @ loss) / total + penalty / 2 * float(np.square(table[:, :-1]).sum()), gradient.ravel()

    options = {"maxiter": ITERATIONS, "gtol": TOLERANCE, "maxcor": 20}
    start = np.zeros(labels * (columns + 1))
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x.reshape(labels, columns + 1)
    loss, _ = _loss(features @ found[:, :-1].T + found[:, -1], targets, multiple)
    return Fit(found[:, :-1], found[:, -1], float(weights @ loss) / total)


def _loss(scores: Array, targets: Array, multiple: bool) -> tuple[Array, Array]:
    """Each item's loss (items,) and its derivative by the scores (items, labels)."""
    if multiple:
        return (np.logaddexp(0, scores) - targets * scores).sum(axis=1), sigmoid(scores) - targets
    top = scores.max(axis=1)
    partition = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return partition - (targets * scores).sum(axis=1), softmax(scores) - targets
