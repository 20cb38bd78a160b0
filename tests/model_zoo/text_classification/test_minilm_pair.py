"""Two passages of an item, read by one network."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.base import Watch
from model_zoo.errors import Cancelled, UnreadableInput
from model_zoo.runtime import shared_runtime
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.text_classification.minilm_pair import MiniLMPair
from model_zoo.texts import PASSAGE, two_passages
from model_zoo.tuning.hyperparameters import FEW_SHOT

FIRST = ["Rome", "", "Rome", "日本 🙂"]
SECOND = ["She lives in Rome.", "nothing here", "Rome", "word " * 600]
TEXTS = [f"{first}{PASSAGE}{second}" for first, second in zip(FIRST, SECOND, strict=True)]


@pytest.fixture(scope="module")
def one() -> MiniLM:
    return shared_runtime().encoder(MiniLM)


@pytest.fixture(scope="module")
def pair(one: MiniLM) -> MiniLMPair:
    return MiniLMPair(one.located, one=one)


def test_both_passages_stand_side_by_side(one: MiniLM, pair: MiniLMPair) -> None:
    features = pair.encode(TEXTS)
    expected = np.hstack([one.encode(FIRST), one.encode(SECOND)]) / np.sqrt(2)
    np.testing.assert_allclose(features, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert features.dtype == np.float32
    assert pair.encode([]).shape == (0, MiniLMPair.dimensions)
    np.testing.assert_allclose(pair.encode(["Rome"]), features[2:3], atol=1e-5)
    assert two_passages(f"a{PASSAGE}b{PASSAGE}c") == ("a", f"b{PASSAGE}c")
    assert two_passages(f"a{PASSAGE}") == ("a", "")


def test_the_network_is_the_one_that_reads_single_texts(one: MiniLM, pair: MiniLMPair) -> None:
    assert pair.program is one.program
    assert pair.name != one.name
    with pytest.raises(UnreadableInput):
        pair.encode([None])
    with pytest.raises(Cancelled):
        pair.encode(TEXTS, Watch(cancelled=lambda: True))


def test_what_is_trained_further_gives_the_same_features(pair: MiniLMPair) -> None:
    body = pair.body(FEW_SHOT)
    kept = body.below(TEXTS[:3], lambda: None)
    np.testing.assert_allclose(body.above(kept).detach().numpy(), pair.encode(TEXTS[:3]), atol=2e-3)
    tuned = pair.tuned(body.settle())
    np.testing.assert_allclose(tuned.encode(TEXTS[:3]), pair.encode(TEXTS[:3]), atol=2e-3)
    assert tuned.name.startswith(f"{pair.name}-")
    assert tuned.nbytes > pair.nbytes == 0
