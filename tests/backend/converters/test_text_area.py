"""`TextArea` on an image: captions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.converters import CONVERTERS
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from model_zoo.postprocess import CaptionDecision, ClassificationDecision
from model_zoo.types import Captions, LabelSpace, TaskKind

TEXTS = CONVERTERS["TextArea"]


def config(attributes: str = "") -> LabellingConfig:
    return parse_config(
        f'<View><Image name="image" value="$image"/><TextArea name="says" toName="image" {attributes}/></View>'
    )


def control(attributes: str = "") -> Control:
    (found,) = config(attributes).controls
    return found


def decision(*captions: tuple[str, float]) -> CaptionDecision:
    return CaptionDecision(captions, np.ones(1, np.float32), 0.5)


def region(text: Any, **changes: Any) -> dict[str, Any]:
    base = {"id": "x", "from_name": "says", "to_name": "image", "type": "textarea", "value": {"text": text}}
    return {**base, **changes}


def decoded(*result: Any) -> tuple[Any, list[str]]:
    reports: list[str] = []
    return TEXTS.decode(control(), list(result), reports.append), reports


def test_routing() -> None:
    assert TEXTS.kind(control()) is TaskKind.CAPTIONS
    assert TEXTS.label_space(control()) == LabelSpace(())
    assert control().fetched


def test_what_was_written() -> None:
    assert decoded(region(["A cat.", " Two dogs "])) == (Captions(("A cat.", "Two dogs")), [])
    assert decoded(region("A cat.")) == (Captions(("A cat.",)), [])
    assert decoded(region(["a"]), region(["b"]), region(["a"])) == (Captions(("a", "b")), [])


def test_nothing_written_is_no_answer() -> None:
    assert decoded() == decoded(region([])) == decoded(region([" "])) == (None, [])
    assert decoded(region(["a"], from_name="other"), None, 3) == (None, [])


@pytest.mark.parametrize("bad", [region(["a"], type="choices"), region(["a"], value=None), region(None), region([1])])
def test_a_region_of_unknown_shape_is_left_out(bad: dict[str, Any]) -> None:
    captions, reports = decoded(bad)
    assert captions is None
    assert len(reports) == 1


def test_a_region() -> None:
    (found,) = TEXTS.encode(control(), decision(("A cat.", 0.75), ("Cat", 0.5)), key="1:v1")
    assert (found["value"], found["score"], found["type"]) == ({"text": ["A cat.", "Cat"]}, 0.5, "textarea")
    assert config().validate({"score": 0.5, "result": [found]}) == []
    assert TEXTS.encode(control(), decision((" ", 0.9)), key="1:v1") == []
    with pytest.raises(TypeError, match="wanted a CaptionDecision"):
        TEXTS.encode(control(), ClassificationDecision((), np.zeros(0, np.float32), 0.5), key="1:v1")


def test_no_more_than_may_be_submitted() -> None:
    shown = decision(("a", 0.9), ("b", 0.8), ("c", 0.7))
    (found,) = TEXTS.encode(control('maxSubmissions="2"'), shown, key="1:v1")
    assert (found["value"], found["score"]) == ({"text": ["a", "b"]}, 0.8)


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [('perRegion="true"', "(perRegion) of Image cannot be learnt yet"), ('value="$draft"', "only what people write")],
)
def test_what_cannot_be_learnt_is_said_by_name(attributes: str, sentence: str) -> None:
    good = '<Choices name="c" toName="image"><Choice value="A"/></Choices>'
    xml = f'<View><Image name="image" value="$i"/>{good}<TextArea name="says" toName="image" {attributes}/></View>'
    (said,) = parse_config(xml).skipped
    assert said.startswith('TextArea "says" is skipped')
    assert sentence in said


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30).map(str.strip).filter(bool), min_size=1, max_size=4, unique=True))
def test_any_captions_survive_the_round_trip(texts: list[str]) -> None:
    regions = TEXTS.encode(control(), decision(*((text, 0.5) for text in texts)), key="1:v1")
    assert config().validate({"score": 0.5, "result": regions}) == []
    assert TEXTS.decode(control(), regions) == Captions(tuple(texts))
