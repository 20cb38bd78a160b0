from __future__ import annotations

import numpy as np
import pytest

from model_zoo.errors import Cancelled
from model_zoo.linear.head import sigmoid, softmax
from model_zoo.linear.logistic import fit_logistic


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_finds_what_scikit_learn_finds(strength: float) -> None:
    """Weighted, several labels: the same objective has the same optimum."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(0)
    features, labels, weights = random.normal(size=(60, 8)), random.integers(0, 3, 60), random.random(60) + 0.2
    fit = fit_logistic(features, np.eye(3)[labels], weights, strength, multiple=False)
    theirs = linear_model.LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(features, labels, weights)
    ours = softmax(features @ fit.weight.T + fit.bias)
    np.testing.assert_allclose(ours, theirs.predict_proba(features), atol=3e-3)


def test_several_labels_are_fitted_one_by_one() -> None:
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(50, 5)), (random.random((50, 4)) < 0.4).astype(np.float64)
    weights = np.ones(50)
    together = fit_logistic(features, targets, weights, 1.0, multiple=True)
    for column in range(4):
        alone = fit_logistic(features, targets[:, [column]], weights, 1.0, multiple=True)
        np.testing.assert_allclose(
            sigmoid(features @ together.weight[column] + together.bias[column]),
            sigmoid(features @ alone.weight[0] + alone.bias[0]),
            atol=3e-3,
        )


def test_can_be_stopped_in_the_middle() -> None:
    calls = iter(range(100))

    def check() -> None:
        if next(calls) == 3:
            raise Cancelled

    random = np.random.default_rng(2)
    features, targets = random.normal(size=(50, 5)), np.eye(5)[random.integers(0, 5, 50)]
    with pytest.raises(Cancelled):
        fit_logistic(features, targets, np.ones(50), 10.0, multiple=False, check=check)
    assert next(calls) == 4
