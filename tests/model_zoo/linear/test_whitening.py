from __future__ import annotations

import numpy as np

from model_zoo.linear.whitening import fit_whitening


def test_spread_within_labels_shrinks_and_between_them_stays() -> None:
    random = np.random.default_rng(0)
    targets = np.eye(2, dtype=np.bool_)[np.arange(200) % 2]
    features = random.normal(size=(200, 3)) * [10.0, 0.1, 0.1] + targets[:, :1] * [0.0, 1.0, 0.0]
    whitened = fit_whitening(features, targets, 0.01, 3)(features)
    nuisance, signal = np.ptp(whitened[:, 0]), abs(np.diff([whitened[targets[:, k], 1].mean() for k in (0, 1)])[0])
    assert np.ptp(features[:, 0]) / 1.0 > 10 * nuisance / signal


def test_without_spread_only_centre_and_scale_change() -> None:
    features = np.array([[1.0, 0.0], [0.0, 1.0]])
    whitening = fit_whitening(features, np.eye(2, dtype=np.bool_), 0.3, 2)
    assert len(whitening.directions) == 0
    np.testing.assert_allclose(whitening(features), [[2**-0.5, -(2**-0.5)], [-(2**-0.5), 2**-0.5]])


def test_one_item_alone_stays_finite() -> None:
    assert np.isfinite(fit_whitening(np.ones((1, 4)), np.ones((1, 1), np.bool_), 0.3, 4)(np.ones((1, 4)))).all()


def test_folded_into_weights_it_gives_the_same_scores() -> None:
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(30, 50)), np.eye(3, dtype=np.bool_)[np.arange(30) % 3]
    whitening = fit_whitening(features, targets, 0.4, 50)
    weight, bias = random.normal(size=(3, 50)), random.normal(size=3)
    folded, shifted = whitening.fold(weight, bias)
    np.testing.assert_allclose(features @ folded.T + shifted, whitening(features) @ weight.T + bias, atol=1e-9)


def test_more_items_than_dimensions_or_fewer_agree() -> None:
    """The same covariance, once from its own matrix and once from that of the items."""
    random = np.random.default_rng(2)
    few = random.normal(size=(20, 12))
    targets = np.eye(2, dtype=np.bool_)[np.arange(20) % 2]
    padded = np.hstack([few, np.zeros((20, 30))])
    np.testing.assert_allclose(
        fit_whitening(few, targets, 0.5, 42)(few), fit_whitening(padded, targets, 0.5, 42)(padded)[:, :12], atol=1e-9
    )
