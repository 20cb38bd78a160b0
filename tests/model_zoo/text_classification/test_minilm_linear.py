from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Model
from model_zoo.postprocess import ClassificationPostprocess
from model_zoo.registry import family
from model_zoo.text_classification.minilm_linear import MiniLMLinear, label_phrases
from model_zoo.types import Item, LabelSpace

INTENTS = LabelSpace(("card_arrival", "ExchangeRate", "lost phone"))
TEXTS = ["When will my new card arrive?", "What exchange rate do you use?", "I have lost my phone", "Tomorrow it rains"]


@pytest.fixture(scope="module")
def kind() -> MiniLMLinear:
    found = family(MiniLMLinear.name)
    assert isinstance(found, MiniLMLinear)
    return found


def shown(kind: MiniLMLinear, model: Model) -> list[list[str]]:
    postprocess = ClassificationPostprocess.uncalibrated(model.labels, kind.untrained_threshold)
    outputs = model.predict([Item(text) for text in TEXTS])
    return [[name for name, _ in postprocess.decide(output, model.labels).labels] for output in outputs]


def test_names_alone_find_labels_and_stay_silent_otherwise(kind: MiniLMLinear) -> None:
    model = kind.untrained(INTENTS)
    assert model is not None
    assert shown(kind, model) == [["card_arrival"], ["ExchangeRate"], ["lost phone"], []]


def test_several_labels_at_once_too(kind: MiniLMLinear) -> None:
    model = kind.untrained(LabelSpace(INTENTS.names, multiple=True))
    assert model is not None
    assert shown(kind, model) == [["card_arrival"], ["ExchangeRate"], ["lost phone"], []]


def test_hints_give_meaning_to_a_name_without_any(kind: MiniLMLinear) -> None:
    bare = kind.untrained(LabelSpace(("A1", "B2")))
    hinted = kind.untrained(LabelSpace(("A1", "B2"), descriptions=(("card arrival",), ("exchange rate",))))
    assert bare is not None
    assert hinted is not None
    assert shown(kind, bare)[:2] == [[], []]
    assert shown(kind, hinted)[:2] == [["A1"], ["B2"]]


def test_what_is_like_no_label_leaves_probability_for_none(kind: MiniLMLinear) -> None:
    model = kind.untrained(INTENTS)
    assert model is not None
    sums = [float(output.probabilities.sum()) for output in model.predict([Item(text) for text in TEXTS])]
    assert min(sums[:3]) > 0.6
    assert sums[3] < 0.2


def test_an_untrained_model_round_trips(kind: MiniLMLinear, tmp_path: Path) -> None:
    model = kind.untrained(INTENTS)
    assert model is not None
    model.save(tmp_path)
    loaded = kind.load(tmp_path, INTENTS)
    for one, other in zip(*(m.predict([Item(text) for text in TEXTS]) for m in (model, loaded)), strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_no_labels_no_model(kind: MiniLMLinear) -> None:
    assert kind.untrained(LabelSpace(())) is None


def test_labels_are_spoken() -> None:
    space = LabelSpace(("card_arrival", "ExchangeRate", "___"), descriptions=(("card arrival", "a_hint"), (), ("",)))
    assert [label_phrases(space, index) for index in range(3)] == [
        ["card arrival", "a hint"],
        ["Exchange Rate"],
        ["___"],
    ]
