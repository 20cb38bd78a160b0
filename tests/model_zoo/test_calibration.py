from __future__ import annotations

import numpy as np
import pytest

from model_zoo.calibration import Calibration, fit_platt, fit_temperature
from model_zoo.linear.head import sigmoid, softmax
from model_zoo.metrics import calibration_error


def overconfident(
    items: int, factor: float
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float32]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Probabilities `factor` times too sharp in their logarithms, and labels drawn from the true ones."""
    random = np.random.default_rng(3)
    scores = random.normal(size=(items, 4)) * 1.5
    truths = np.array([random.choice(4, p=row) for row in softmax(scores)])
    return softmax(scores * factor).astype(np.float32), truths


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 3.0])
def test_temperature_is_recovered(factor: float) -> None:
    probabilities, truths = overconfident(3000, factor)
    calibration = fit_temperature(probabilities, truths)
    assert calibration.temperature == pytest.approx(factor, rel=0.08)
    error = calibration_error(calibration(probabilities), np.eye(4, dtype=np.bool_)[truths], multiple=False)
    assert error < 0.03


def test_temperature_keeps_the_order_and_the_sum() -> None:
    probabilities, _ = overconfident(50, 2.0)
    turned = Calibration(temperature=2.5)(probabilities)
    np.testing.assert_array_equal(turned.argsort(axis=1), probabilities.argsort(axis=1))
    np.testing.assert_allclose(turned.sum(axis=1), 1, atol=1e-6)


def test_three_outputs_change_little() -> None:
    certain = np.float32([[0.99, 0.01]] * 3)
    assert 0.5 < fit_temperature(certain, np.array([0, 0, 0])).temperature <= 1
    assert 1 < fit_temperature(certain, np.array([1, 1, 1])).temperature < 5


def test_nothing_known_changes_nothing() -> None:
    probabilities = np.float32([[0.2, 0.3]])  # an untrained model keeps the rest for "none"
    for calibration in (Calibration(), fit_temperature(np.empty((0, 2), np.float32), np.empty(0, np.int64))):
        np.testing.assert_array_equal(calibration(probabilities), probabilities)
    assert fit_platt(np.empty((0, 2), np.float32), np.empty((0, 2), np.bool_)) == Calibration()


def test_platt_recovers_each_labels_line() -> None:
    random = np.random.default_rng(5)
    log_odds = random.normal(size=(4000, 2)) * 2
    truths = random.random((4000, 2)) < sigmoid(log_odds)
    distorted = sigmoid((log_odds - [0.0, 1.0]) / [2.0, 0.5]).astype(np.float32)
    calibration = fit_platt(distorted, truths)
    np.testing.assert_allclose(calibration.slopes, [2.0, 0.5], rtol=0.1)
    np.testing.assert_allclose(calibration.shifts, [0.0, 1.0], atol=0.15)
    assert calibration_error(calibration(distorted), truths, multiple=True) < 0.02


def test_platt_never_turns_the_order_around() -> None:
    probabilities = np.linspace(0.01, 0.99, 200, dtype=np.float32)[:, None]
    calibration = fit_platt(probabilities, probabilities < 0.5)
    assert (np.diff(calibration(probabilities)[:, 0]) > 0).all()


def test_zeros_and_ones_stay_finite() -> None:
    extremes = np.float32([[0.0, 1.0], [1.0, 0.0]])
    assert np.isfinite(fit_temperature(extremes, np.array([0, 1]))(extremes)).all()
    assert np.isfinite(fit_platt(extremes, extremes < 0.5)(extremes)).all()
