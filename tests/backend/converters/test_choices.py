from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.converters import CONVERTERS
from backend.errors import TaskUnusable
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from backend.labelstudio.controls import TRAINABLE
from model_zoo.postprocess import ClassificationDecision
from model_zoo.types import TaskKind

CHOICES = CONVERTERS["Choices"]


def config(
    labels: Sequence[str] = ("A", "B", "C"),
    attributes: str = "",
    tag: str = "Text",
    more: Mapping[str, str] | None = None,
) -> LabellingConfig:
    """A config with one `Choices`; `more` holds further attributes by label."""
    inside = "".join(f"<Choice value={quoteattr(name)} {(more or {}).get(name, '')}/>" for name in labels)
    return parse_config(
        f'<View><{tag} name="object" value="$input"/>'
        f'<Choices name="topic" toName="object" {attributes}>{inside}</Choices></View>'
    )


def control(*labels: str, attributes: str = "", tag: str = "Text") -> Control:
    return config(labels or ("A", "B", "C"), attributes, tag).controls[0]


MULTIPLE = 'choice="multiple"'


def decision(*labels: tuple[str, float]) -> ClassificationDecision:
    return ClassificationDecision(
        labels=labels, confidence=np.array([score for _, score in labels], np.float32), uncertainty=0.5
    )


def region(choices: Any, **changes: Any) -> dict[str, Any]:
    base = {"id": "x", "from_name": "topic", "to_name": "object", "type": "choices", "value": {"choices": choices}}
    return {**base, **changes}


def test_the_table_has_every_trainable_tag() -> None:
    assert set(CONVERTERS) == set(TRAINABLE)
    assert all(tag == converter.tag for tag, converter in CONVERTERS.items())


class TestRouting:
    @pytest.mark.parametrize("tag", sorted(TRAINABLE["Choices"]))
    def test_every_object_has_a_kind(self, tag: str) -> None:
        expected = TaskKind.IMAGE_CLASSIFICATION if tag == "Image" else TaskKind.TEXT_CLASSIFICATION
        assert CHOICES.kind(control(tag=tag)) is expected

    def test_label_space(self) -> None:
        more = {"Cat": 'alias="c" hint="a pet" predicted_values="tabby"'}
        space = CHOICES.label_space(config(["Cat", "Dog"], MULTIPLE, more=more).controls[0])
        assert space.names == ("c", "Dog")
        assert space.multiple
        assert space.descriptions == (("Cat", "c", "a pet", "tabby"), ("Dog",))


class TestInput:
    @pytest.mark.parametrize("text", ["hello", "/etc/passwd", "http://127.0.0.1/", "file:///etc/passwd", "😀"])
    def test_a_text_is_taken_as_it_is(self, text: str) -> None:
        assert CHOICES.input_of(control(), {"input": text}) == text

    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            ({}, "has only: nothing. Add the key"),
            ({"text": "a", "other": 1}, 'wants a text under "input", and the task\'s data has only: text, other'),
            ({"input": None}, "got null"),
            ({"input": 3.5}, "got a number"),
            ({"input": True}, "got a boolean"),
            ({"input": ["a"]}, "got an array"),
            ({"input": {"a": 1}}, "got an object"),
            ({"input": ""}, "got an empty one"),
            ({"input": " \n"}, "got an empty one"),
        ],
    )
    def test_what_is_no_text_is_a_sentence(self, data: dict[str, Any], sentence: str) -> None:
        with pytest.raises(TaskUnusable, match=sentence):
            CHOICES.input_of(control(), data)

    def test_the_sentence_stays_short(self) -> None:
        with pytest.raises(TaskUnusable) as caught:
            CHOICES.input_of(control(), {"x" * 10_000: 1})
        assert len(str(caught.value)) < 300


class TestDecode:
    def decode(self, where: Control, *result: Any) -> tuple[frozenset[str] | None, list[str]]:
        reports: list[str] = []
        return CHOICES.decode(where, list(result), reports.append), reports

    def test_one_label(self) -> None:
        assert self.decode(control(), region(["B"])) == (frozenset("B"), [])
        assert self.decode(control(), region("B")) == (frozenset("B"), [])

    def test_several_labels(self) -> None:
        assert self.decode(control(attributes=MULTIPLE), region(["B", "A"])) == (frozenset("AB"), [])

    def test_nothing_chosen(self) -> None:
        assert self.decode(control()) == (None, [])
        assert self.decode(control(), region(["B"], from_name="another")) == (None, [])
        assert self.decode(control(attributes=MULTIPLE)) == (frozenset(), [])

    def test_a_control_that_may_have_been_hidden_is_not_answered(self) -> None:
        hidden = control(attributes=MULTIPLE + ' visibleWhen="choice-selected" whenTagName="other"')
        assert self.decode(hidden) == (None, [])
        assert self.decode(hidden, region(["A"])) == (frozenset("A"), [])

    @pytest.mark.parametrize("attributes", ["", MULTIPLE])
    def test_a_label_that_left_the_config(self, attributes: str) -> None:
        labels, reports = self.decode(control(attributes=attributes), region(["gone"]))
        assert labels is None
        assert reports == ['Choices "topic" no longer has the label "gone" of an annotation; it is left out.']

    def test_the_labels_beside_it_stay(self) -> None:
        labels, reports = self.decode(control(attributes=MULTIPLE), region(["gone", "A"]))
        assert labels == frozenset("A")
        assert len(reports) == 1

    def test_two_labels_where_one_is_wanted(self) -> None:
        labels, reports = self.decode(control(), region(["A", "B"]))
        assert labels is None
        assert reports == ['Choices "topic" takes one label, and an annotation has 2; it is not learnt from.']

    @pytest.mark.parametrize("attributes", ["", MULTIPLE])
    @pytest.mark.parametrize(
        "bad",
        [
            region(["A"], type="rating"),
            region(["A"], type=None),
            region(["A"], value=None),
            region(["A"], value={"rating": 3}),
            region(None),
            region(3),
            region([["A", "A1"]]),
            region([None]),
        ],
    )
    def test_a_region_of_unknown_shape_is_left_out(self, bad: dict[str, Any], attributes: str) -> None:
        labels, reports = self.decode(control(attributes=attributes), bad)
        assert labels is None
        assert len(reports) == 1

    @pytest.mark.parametrize("bad", [None, 3, "x", [], {}, {"from_name": "topic2"}])
    def test_what_is_no_region_of_ours_is_passed_over(self, bad: Any) -> None:
        assert self.decode(control(), bad, region(["A"])) == (frozenset("A"), [])


class TestEncode:
    def test_a_region(self) -> None:
        (found,) = CHOICES.encode(control(), decision(("B", 0.75)), key="7:v1")
        assert found.pop("id")
        assert found == {
            "from_name": "topic",
            "to_name": "object",
            "type": "choices",
            "value": {"choices": ["B"]},
            "score": 0.75,
        }

    def test_the_score_is_that_of_the_least_certain(self) -> None:
        (found,) = CHOICES.encode(control(attributes=MULTIPLE), decision(("A", 0.9), ("B", 0.6)), key="7:v1")
        assert found["score"] == 0.6
        assert type(found["score"]) is float

    def test_nothing_decided(self) -> None:
        assert CHOICES.encode(control(), decision(), key="7:v1") == []
        assert CHOICES.encode(control(), decision(("unknown", 0.9)), key="7:v1") == []

    def test_predicted_values_become_labels(self) -> None:
        where = config(["Cat", "Dog"], more={"Cat": 'predicted_values="tabby,persian"'}).controls[0]
        (found,) = CHOICES.encode(where, decision(("Persian", 0.9)), key="7:v1")
        assert found["value"] == {"choices": ["Cat"]}

    def test_ids_are_stable_and_differ(self) -> None:
        where = parse_config(
            '<View><Text name="object" value="$input"/>'
            '<Choices name="topic" toName="object"><Choice value="A"/></Choices>'
            '<Choices name="tone" toName="object"><Choice value="A"/></Choices></View>'
        ).controls
        ids = [
            CHOICES.encode(control, decision(("A", 0.5)), key=f"{task}:{version}")[0]["id"]
            for control in where
            for task in range(50)
            for version in ("v1", "v2")
        ]
        assert len(set(ids)) == len(ids) == 200
        assert CHOICES.encode(where[0], decision(("A", 0.9)), key="0:v1")[0]["id"] == ids[0]


# What XML can carry in an attribute once written as one line; the parser makes spaces of line breaks.
NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=30
).filter(lambda name: name.strip() and not name.startswith("$"))
LABELS = st.lists(NAMES, min_size=1, max_size=8, unique=True)


@settings(max_examples=60, deadline=None)
@given(labels=LABELS, data=st.data())
def test_one_label_survives_the_round_trip(labels: list[str], data: st.DataObject) -> None:
    parsed = config(labels)
    chosen = data.draw(st.sampled_from(labels))
    round_trip(parsed, frozenset([chosen]))


@settings(max_examples=60, deadline=None)
@given(labels=LABELS, data=st.data())
def test_any_set_survives_the_round_trip(labels: list[str], data: st.DataObject) -> None:
    parsed = config(labels, MULTIPLE)
    chosen = data.draw(st.frozensets(st.sampled_from(labels)))
    round_trip(parsed, chosen)


@pytest.mark.parametrize("name", ['"quoted" <&>', "it's", "👩‍👩‍👧 é", "x" * 10_000, "a,b|c", "null", " padded "])
def test_unusual_labels_survive_the_round_trip(name: str) -> None:
    round_trip(config([name, "other"]), frozenset([name]))
    round_trip(config([name, "other"], MULTIPLE), frozenset([name, "other"]))


def round_trip(parsed: LabellingConfig, labels: frozenset[str]) -> None:
    (where,) = parsed.controls
    regions = CHOICES.encode(where, decision(*((name, 0.5) for name in sorted(labels))), key="1:v1")
    assert parsed.validate({"score": 0.5, "result": regions}) == []
    assert CHOICES.decode(where, regions) == labels
