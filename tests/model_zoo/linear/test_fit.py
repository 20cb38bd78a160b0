from __future__ import annotations

import time

import numpy as np
import pytest

from model_zoo.linear.fit import Hyperparameters, Sample, fit_head, names_help, rotate

HYPER = Hyperparameters(strength=10.0, shrinkage=0.5, anchor_weight=0.5)


def sample(per_label: int, labels: int = 3, dimensions: int = 40, noise: float = 0.5, seed: int = 0) -> Sample:
    """Noisy copies of orthogonal directions, named by them."""
    random = np.random.default_rng(seed)
    names = np.eye(labels, dimensions)
    drawn = np.tile(np.arange(labels), per_label)
    features = names[drawn] + random.normal(size=(len(drawn), dimensions)) * noise / np.sqrt(dimensions)
    return Sample(features, np.eye(labels, dtype=np.bool_)[drawn], names, False, dimensions)


@pytest.mark.parametrize("anchors", [True, False])
def test_rotated_or_not_the_head_is_the_same(anchors: bool) -> None:
    whole = sample(4)
    if not anchors:
        whole = Sample(whole.features, whole.targets, None, False, whole.dimensions)
    small, rotation = rotate(whole)
    assert small.features.shape[1] < whole.features.shape[1]
    rotated = rotation.expand(fit_head(small, HYPER)[0])
    direct = fit_head(whole, HYPER)[0]
    new = np.random.default_rng(9).normal(size=(20, 40)).astype(np.float32)
    np.testing.assert_allclose(rotated.probabilities(new), direct.probabilities(new), atol=2e-3)


def test_a_large_sample_is_not_rotated() -> None:
    whole = sample(20)
    assert rotate(whole)[0] is whole


def test_names_are_believed_when_they_find_the_examples() -> None:
    good = sample(1)
    assert names_help(good)
    shuffled = Sample(good.features, np.roll(good.targets, 1, axis=1), good.anchors, False, 40)
    assert not names_help(shuffled)
    assert not names_help(Sample(good.features, good.targets, None, False, 40))


def test_misleading_names_change_nothing() -> None:
    good = sample(3)
    misled = Sample(good.features, np.roll(good.targets, 1, axis=1), good.anchors, False, 40)
    unnamed = Sample(misled.features, misled.targets, None, False, 40)
    np.testing.assert_array_equal(fit_head(misled, HYPER)[0].weight, fit_head(unnamed, HYPER)[0].weight)


def test_a_name_stands_in_for_a_label_without_examples() -> None:
    good = sample(3)
    known = good.part(~good.targets[:, 2])
    assert good.anchors is not None
    third = good.anchors[2:].astype(np.float32)
    assert fit_head(known, HYPER)[0].probabilities(third).argmax() == 2


def test_frequent_labels_are_preferred_once_there_is_evidence() -> None:
    """Between two labels that look alike, the one seen 90 times of 100 wins; one seen 2 times of 3 barely."""
    shares = []
    for often, seldom in ((90, 10), (2, 1)):
        targets = np.repeat(np.eye(2, dtype=np.bool_), [often, seldom], axis=0)
        alike = Sample(np.zeros((often + seldom, 5)), targets, None, False, 5)
        shares.append(fit_head(alike, HYPER)[0].probabilities(np.zeros((1, 5), np.float32))[0, 0])
    assert shares[0] == pytest.approx(110 / 140, abs=0.01)
    assert shares[1] == pytest.approx(22 / 43, abs=0.01)


def test_a_label_that_always_holds() -> None:
    base = sample(2, labels=2)
    both = np.hstack([np.ones((4, 1), np.bool_), base.targets[:, 1:]])
    head, _ = fit_head(Sample(base.features, both, None, True, 40), HYPER)
    rows = head.probabilities(base.features.astype(np.float32))
    np.testing.assert_allclose(rows[:, 0], 5 / 6, rtol=1e-5)


def test_fifty_examples_take_no_time() -> None:
    """The promise is half a second on one core; the bound here bears a busy machine."""
    few = sample(10, labels=5, dimensions=3456)
    start = time.perf_counter()
    small, _ = rotate(few)
    for _ in range(6):
        fit_head(small, HYPER)
    assert time.perf_counter() - start < 2.0
