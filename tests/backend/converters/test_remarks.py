"""What is said of single regions, both directions: `Choices`, `Taxonomy` and `Rating` on shapes of every kind."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.converters import CONVERTERS, regions_of
from backend.converters.remarks import place_in, places_of
from backend.converters.spans import DialogueSpan
from backend.evaluation.matching import matches
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from model_zoo.postprocess import EntityDecision, RegionDecision
from model_zoo.texts import PASSAGE
from model_zoo.types import Box, Item, Place, Remark, Span, TaskKind

SAYS = {
    "Choices": '<Choices name="says" toName="image" {}><Choice value="new"/><Choice value="öld &amp; red"/></Choices>',
    "Rating": '<Rating name="says" toName="image" {}/>',
    "Taxonomy": '<Taxonomy name="says" toName="image" {}><Choice value="car"><Choice value="van"/></Choice></Taxonomy>',
}
NAMES = {"Choices": ("new", "öld & red"), "Rating": ("2", "5"), "Taxonomy": ("car", "car / van")}


def config(
    tag: str = "Choices", attributes: str = "", marks: str = "RectangleLabels", more: str = ""
) -> LabellingConfig:
    says = SAYS[tag].format(f'perRegion="true" {attributes}')
    shape = f'<{marks} name="shape" toName="image"><Label value="A"/><Label value="B"/></{marks}>'
    if marks == "Rectangle":
        shape = '<Rectangle name="shape" toName="image"/><Labels name="what" toName="image"><Label value="A"/></Labels>'
    # The tag that says something comes first: what it is about is predicted before it all the same.
    return parse_config(f'<View>{says}<Image name="image" value="$image"/>{shape}{more}</View>')


def asked(*made: str, **more: str) -> Control:
    control = config(*made, **more).control("says")
    assert control is not None
    return control


def rectangle(key: str, x: float, label: str = "A", **value: Any) -> dict[str, Any]:
    shape = {"x": x, "y": 20.0, "width": 10.0, "height": 30.0, "rotation": 0, "rectanglelabels": [label], **value}
    names = {"id": key, "from_name": "shape", "to_name": "image", "type": "rectanglelabels"}
    return {**names, "original_width": 640, "original_height": 480, "image_rotation": 0, "value": shape, "score": 0.7}


def said(of: dict[str, Any], *names: str) -> dict[str, Any]:
    value = {**of["value"], "choices": list(names)}
    value.pop("rectanglelabels")
    return {**of, "from_name": "says", "type": "choices", "value": value}


def decision(*remarks: tuple[Place, tuple[str, ...]]) -> RegionDecision:
    found = tuple(Remark(place, names) for place, names in remarks)
    return RegionDecision(found, (0.9,) * len(found), np.zeros(2, np.float32), 0.1)


ANY = Box(0, 0, 1, 1, "")


@pytest.mark.parametrize("tag", SAYS)
class TestRoundTrip:
    @given(st.lists(st.tuples(st.floats(0, 89), st.integers(0, 2)), max_size=4))
    @settings(max_examples=30, deadline=None)
    def test_what_is_written_is_read_again(self, tag: str, regions: list[tuple[float, int]]) -> None:
        control = asked(tag)
        drawn = [rectangle(f"r{at}", x) for at, (x, _) in enumerate(regions)]
        named = [(ANY, NAMES[tag][which : which + 1] if which < 2 else ()) for _, which in regions]
        written = regions_of(control, decision(*named), {}, key="1:v1", drawn=drawn)
        wanted = [
            Remark(Box(pytest.approx(x), 20, pytest.approx(x + 10), 50, ""), names)
            for (x, _), (_, names) in zip(regions, named, strict=True)
            if names
        ]
        decoded = CONVERTERS[tag].decode(control, [*drawn, *written])
        answered: Any = tuple(one for one in decoded or () if one.labels)
        assert answered == tuple(wanted)
        assert config(tag).validate({"result": [*drawn, *written], "score": 0.5}) == []
        ids = {region["id"] for region in written}
        assert ids <= {region["id"] for region in drawn}

    def test_it_is_asked_about_regions_and_comes_after_them(self, tag: str) -> None:
        first, second = config(tag).controls
        assert (first.name, second.name) == ("shape", "says")
        assert second.about == (first,)
        assert CONVERTERS[tag].kind(second) is TaskKind.REGION_CLASSIFICATION


VALUES = {"Text": "$text", "HyperText": "$html", "Paragraphs": "$turns"}
MARKERS = [
    ("Labels", "Text"), ("Labels", "HyperText"), ("HyperTextLabels", "HyperText"), ("ParagraphLabels", "Paragraphs"),
]  # fmt: skip
SAID = (("glad",), ("angry",), ())


def of_spans(marks: str = "Labels", shown: str = "Text") -> LabellingConfig:
    return parse_config(
        f'<View><{shown} name="text" value="{VALUES[shown]}"/>'
        f'<{marks} name="who" toName="text"><Label value="person"/></{marks}>'
        '<Choices name="is" toName="text" perRegion="true"><Choice value="glad"/><Choice value="angry"/></Choices>'
        "</View>"
    )


def spoken_of(marks: str = "Labels", shown: str = "Text") -> Control:
    control = of_spans(marks, shown).control("is")
    assert control is not None
    return control


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 9), st.integers(0, 2)), max_size=4))
@settings(max_examples=30, deadline=None)
def test_what_is_said_of_spans_is_read_again(places: list[tuple[int, int, int]]) -> None:
    control, names = spoken_of(), SAID
    assert CONVERTERS["Choices"].kind(control) is TaskKind.SPAN_CLASSIFICATION
    drawn: list[dict[str, Any]] = [
        {
            "id": f"s{at}", "from_name": "who", "to_name": "text", "type": "labels", "score": 0.7,
            "value": {"start": start, "end": start + length, "text": "x" * length, "labels": ["person"]},
        }
        for at, (start, length, _) in enumerate(places)
    ]  # fmt: skip
    said = decision(*[(ANY, names[which]) for _, _, which in places])
    written = regions_of(control, said, {}, key="1:v1", drawn=drawn)
    decoded: Any = CONVERTERS["Choices"].decode(control, [*drawn, *written])
    wanted = [Remark(Span(a, a + b, ""), names[which]) for a, b, which in places if names[which]]
    assert list(decoded or ()) == wanted
    assert all("text" in region["value"] and "labels" not in region["value"] for region in written)


TEXTS = st.lists(
    st.text(st.sampled_from("ab .\n\r<&🙂\u200bא́"), min_size=1, max_size=12), min_size=1, max_size=4
).filter(lambda some: any(map(str.strip, some)))


@pytest.mark.parametrize(("marks", "shown"), MARKERS)
@given(TEXTS, st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.integers(0, 2)), max_size=4))
@settings(max_examples=30, deadline=None)
def test_what_is_said_of_spans_stands_where_models_read_them(
    marks: str, shown: str, texts: list[str], places: list[tuple[int, int, int]]
) -> None:
    """From spans that a tagger finds to the page's regions and back, whatever the page counts them in."""
    html = "".join(f"<p>{escape(text)}<br></p>" for text in texts)
    data = {"text": "\n".join(texts), "html": html, "turns": [{"author": "A", "text": text} for text in texts]}
    config = of_spans(marks, shown)
    marker, control = config.controls
    assert CONVERTERS["Choices"].kind(control) is TaskKind.SPAN_CLASSIFICATION
    text = CONVERTERS["Choices"].input_of(control, data)
    assert text == CONVERTERS[marks].input_of(marker, data), "what people mark and what they say of it is one text"
    spans, names = [], []
    for start, length, which in places:
        stop = text.find(PASSAGE, start)
        end = min(start + length, stop if stop >= 0 else len(text))
        if start < end:
            spans.append(Span(start, end, "person"))
            names.append(SAID[which])
    found = EntityDecision(text, tuple(spans), (0.9,) * len(spans), np.zeros(1, np.float32), 0.1)
    drawn = regions_of(marker, found, data, key="1:v1")
    asked = tuple(place_in(Item(text), place) for _, place in places_of(control, drawn))
    assert asked == tuple(Span(span.start, span.end, "") for span in spans)
    written = regions_of(control, decision(*zip(asked, names, strict=True)), data, key="1:v1", drawn=drawn)
    assert config.validate({"result": [*drawn, *written], "score": 0.5}) == []
    decoded = CONVERTERS["Choices"].decode(control, [*drawn, *written])
    wanted = tuple(Remark(place, said) for place, said in zip(asked, names, strict=True) if said)
    assert (CONVERTERS["Choices"].target(decoded, Item(text)) if decoded else ()) == wanted
    if decoded:
        judged = matches(decoded, decoded)
        assert judged.right == judged.answered == len(wanted)


def test_what_is_said_of_characters_that_are_gone_is_not_learnt() -> None:
    control = spoken_of("ParagraphLabels", "Paragraphs")
    value = {"start": "0", "end": "0", "startOffset": 2, "endOffset": 9, "paragraphlabels": ["person"]}
    region = {"id": "s", "from_name": "who", "to_name": "text", "type": "paragraphlabels", "value": value}
    said = {**region, "from_name": "is", "type": "choices", "value": {**value, "choices": ["glad"]}}
    decoded = CONVERTERS["Choices"].decode(control, [region, said])
    assert decoded == (Remark(DialogueSpan(2, 9, ""), ("glad",)),)
    assert CONVERTERS["Choices"].target(decoded, Item("a Ada")) == (Remark(Span(2, 5, ""), ("glad",)),)
    assert CONVERTERS["Choices"].target(decoded, Item("a")) == ()


@pytest.mark.parametrize("value", [{}, {"start": 3, "end": 3}, {"start": "a", "end": "9"}, {"start": -1, "end": 4}])
def test_spans_without_a_place_are_left_out(value: Any) -> None:
    region = {"id": "s", "from_name": "who", "to_name": "text", "type": "labels", "value": value}
    said = {**region, "from_name": "is", "type": "choices", "value": {"choices": ["glad"]}}
    assert CONVERTERS["Choices"].decode(spoken_of(), [region, said]) is None


class TestDecode:
    def test_the_region_that_it_is_said_of_is_known_by_its_id(self) -> None:
        drawn = [rectangle("a", 10), rectangle("b", 50)]
        result = [said(drawn[1], "new"), *drawn]
        assert CONVERTERS["Choices"].decode(asked(), result) == (Remark(Box(50, 20, 60, 50, ""), ("new",)),)
        assert CONVERTERS["Choices"].decode(asked(), drawn) is None, "nothing was said"
        assert CONVERTERS["Choices"].decode(asked(), [said(drawn[0], "new")]) is None, "of a region that is gone"
        assert CONVERTERS["Choices"].decode(asked(), [3, {"from_name": "says"}, *drawn]) is None

    def test_of_several_none_may_hold(self) -> None:
        drawn = [rectangle("a", 10), rectangle("b", 50)]
        control = asked("Choices", 'choice="multiple"')
        answered = CONVERTERS["Choices"].decode(control, [*drawn, said(drawn[0], "öld & red", "new")])
        assert answered == (
            Remark(Box(10, 20, 20, 50, ""), ("new", "öld & red")),
            Remark(Box(50, 20, 60, 50, ""), ()),
        )

    def test_only_of_the_labels_that_it_is_asked_for(self) -> None:
        drawn = [rectangle("a", 10, "A"), rectangle("b", 50, "B")]
        control = asked("Choices", 'whenLabelValue="B"')
        result = [*drawn, *(said(one, "new") for one in drawn)]
        assert CONVERTERS["Choices"].decode(control, result) == (Remark(Box(50, 20, 60, 50, ""), ("new",)),)
        (written,) = regions_of(control, decision((ANY, ("new",))), {}, key="1:v1", drawn=drawn)
        assert written["id"] == "b"

    @pytest.mark.parametrize(
        ("marks", "value"),
        [
            ("PolygonLabels", {"points": [[10, 20], [20, 20], [20, 50], [10, 50]], "polygonlabels": ["A"]}),
            ("EllipseLabels", {"x": 15, "y": 35, "radiusX": 5, "radiusY": 15, "rotation": 0, "ellipselabels": ["A"]}),
            ("KeyPointLabels", {"x": 15, "y": 35, "width": 1, "keypointlabels": ["A"]}),
        ],
    )
    def test_shapes_of_other_kinds(self, marks: str, value: dict[str, Any]) -> None:
        control = asked(marks=marks)
        shape = {**rectangle("a", 0), "type": marks.lower(), "value": value}
        (written,) = regions_of(control, decision((ANY, ("new",))), {}, key="1:v1", drawn=[shape])
        place = {name: part for name, part in value.items() if name != marks.lower()}
        assert written["value"] == {**place, "choices": ["new"]}
        assert config(marks=marks).validate({"result": [shape, written], "score": 0.5}) == []
        found: Any = CONVERTERS["Choices"].decode(control, [shape, written])
        assert found[0].labels == ("new",)
        assert found[0].place.corners == pytest.approx((10, 20, 20, 50), abs=12)

    def test_a_rectangle_with_its_labels_apart(self) -> None:
        control = asked(marks="Rectangle")
        shape = {**rectangle("a", 10), "type": "rectangle"}
        shape["value"] = {name: part for name, part in shape["value"].items() if name != "rectanglelabels"}
        labels = {**shape, "from_name": "what", "type": "labels", "value": {**shape["value"], "labels": ["A"]}}
        written = regions_of(control, decision((ANY, ("new",))), {}, key="1:v1", drawn=[shape, labels])
        assert [one["id"] for one in written] == ["a"]
        assert CONVERTERS["Choices"].decode(control, [shape, labels, *written]) == (
            Remark(Box(10, 20, 20, 50, ""), ("new",)),
        )


def test_a_turned_region_keeps_its_turn() -> None:
    drawn = [rectangle("a", 40, rotation=30)]
    (written,) = regions_of(asked(), decision((ANY, ("new",))), {}, key="1:v1", drawn=drawn)
    assert written["value"]["rotation"] == 30
    assert written["score"] == 0.9


def test_other_tags_are_not_its_business() -> None:
    parsed = config(
        attributes='whenTagName="other"',
        more='<PolygonLabels name="other" toName="image"><Label value="C"/></PolygonLabels>',
    )
    control = parsed.control("says")
    assert control is not None
    assert [about.name for about in control.about] == ["other"]


def test_visibility_of_points_stays_with_them() -> None:
    (only,) = parse_config(
        '<View><Image name="image" value="$image"/><KeyPointLabels name="p" toName="image"><Label value="A"/>'
        '</KeyPointLabels><Choices name="seen" toName="image" perRegion="true" whenTagName="p">'
        '<Choice value="visible"/><Choice value="hidden"/></Choices></View>'
    ).controls
    assert only.visibility is not None
    assert only.about == ()
