"""`Labels`, `HyperTextLabels` and `ParagraphLabels`: spans in texts, in pages and in dialogues.

What the real page makes of them is in `tests/e2e/test_entities.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.converters import CONVERTERS, regions_of
from backend.converters.hypertext import LONGEST, read_page
from backend.converters.spans import PARAGRAPH, DialogueSpan
from backend.errors import TaskUnusable
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from model_zoo.postprocess import EntityDecision
from model_zoo.texts import PASSAGE
from model_zoo.types import Item, Span, TaskKind

LABELS = ("Person", "Place")
OBJECTS = {"Labels": "Text", "HyperTextLabels": "HyperText", "ParagraphLabels": "Paragraphs"}
TAGS = sorted(OBJECTS)
VALUES = {"Text": "$text", "HyperText": "$html", "Paragraphs": "$turns"}


def config(tag: str = "Labels", shown: str | None = None, more: str = "", attributes: str = "") -> LabellingConfig:
    shown = shown or OBJECTS[tag]
    labels = "".join(f'<Label value="{name}"/>' for name in LABELS)
    return parse_config(
        f'<View><{shown} name="text" value="{VALUES[shown]}" {more}/>'
        f'<{tag} name="what" toName="text" {attributes}>{labels}</{tag}></View>'
    )


def control(tag: str = "Labels", shown: str | None = None, more: str = "", attributes: str = "") -> Control:
    (found,) = config(tag, shown, more, attributes).controls
    return found


def decision(text: str, *spans: Span) -> EntityDecision:
    return EntityDecision(text, spans, (0.5,) * len(spans), np.zeros(len(LABELS), np.float32), 0.5)


def decode(found: Control, result: list[Any], said: list[str] | None = None) -> Any:
    return CONVERTERS[found.tag].decode(found, result, (said if said is not None else []).append)


def region(kind: str = "labels", **value: Any) -> dict[str, Any]:
    return {"id": "r", "from_name": "what", "to_name": "text", "type": kind, "value": value}


class TestRouting:
    @pytest.mark.parametrize(
        ("tag", "shown"),
        [
            ("Labels", "Text"),
            ("Labels", "HyperText"),
            ("HyperTextLabels", "HyperText"),
            ("ParagraphLabels", "Paragraphs"),
        ],
    )
    def test_they_find_named_entities(self, tag: str, shown: str) -> None:
        found = control(tag, shown)
        assert CONVERTERS[tag].kind(found) is TaskKind.NAMED_ENTITIES
        assert CONVERTERS[tag].label_space(found).names == LABELS
        assert not found.fetched

    @pytest.mark.parametrize("tag", ["HyperTextLabels", "ParagraphLabels"])
    def test_what_has_to_be_fetched_is_left_to_people(self, tag: str) -> None:
        with pytest.raises(Exception, match="fetched from an address"):
            control(tag, more='valueType="url"')

    def test_labels_that_name_shapes_stay_with_them(self) -> None:
        parsed = parse_config(
            '<View><Image name="i" value="$i"/><Rectangle name="box" toName="i"/><Labels name="what" toName="i">'
            '<Label value="A"/></Labels></View>'
        )
        assert [(one.tag, one.labels_name) for one in parsed.controls] == [("Rectangle", "what")]


TEXTS = st.text(st.characters(exclude_characters=PASSAGE) | st.sampled_from("\r\n🙂\u200bא́"), min_size=1, max_size=60)


@st.composite
def spans_in(draw: st.DrawFn, text: str) -> tuple[Span, ...]:
    """Anywhere, overlapping or not, but not across the ends of passages."""
    found = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, max(len(text) - 1, 0)))
        stop = text.find(PASSAGE, start)
        last = stop if stop >= 0 else len(text)
        if start < last:
            found.append(Span(start, draw(st.integers(start + 1, last)), draw(st.sampled_from(LABELS))))
    return tuple(found)


PIECES = ("<p>", "</p>", "<br>", "<b>a b", "</b>", "🙂c", "&amp;", "<li>", "<table><tr><td>", "\n", "<!--x-->")


class TestRoundTrip:
    def check(self, found: Control, data: dict[str, Any], draw: st.DataObject) -> list[dict[str, Any]]:
        text = CONVERTERS[found.tag].input_of(found, data)
        spans = draw.draw(spans_in(text))
        regions = regions_of(found, decision(text, *spans), data, key="7:v1")
        decoded = decode(found, regions)
        assert CONVERTERS[found.tag].target(decoded, Item(text)) == spans
        assert [one["value"]["text"] for one in regions] == [text[span.start : span.end] for span in spans]
        assert len({one["id"] for one in regions}) == len(spans)
        return regions

    @given(TEXTS.filter(str.strip), st.data())
    @settings(max_examples=60, deadline=None)
    def test_text(self, text: str, draw: st.DataObject) -> None:
        regions = self.check(control(), {"text": text}, draw)
        assert config().validate({"result": regions, "score": 0.5}) == []

    @given(st.lists(TEXTS, min_size=1, max_size=4).filter(lambda some: any(map(str.strip, some))), st.data())
    @settings(max_examples=60, deadline=None)
    def test_paragraphs(self, texts: list[str], draw: st.DataObject) -> None:
        turns = [{"author": "A", "text": text} for text in texts]
        regions = self.check(control("ParagraphLabels"), {"turns": turns}, draw)
        assert config("ParagraphLabels").validate({"result": regions, "score": 0.5}) == []

    @given(
        st.lists(st.sampled_from(PIECES)),
        st.data(),
    )  # fmt: skip
    @settings(max_examples=60, deadline=None)
    @pytest.mark.parametrize(("tag", "kind"), [("Labels", "labels"), ("HyperTextLabels", "hypertextlabels")])
    def test_pages(self, tag: str, kind: str, parts: list[str], draw: st.DataObject) -> None:
        data = {"html": f"<h1>Title</h1>{''.join(parts)}"}
        regions = self.check(control(tag, "HyperText"), data, draw)
        page = read_page(data["html"])
        for one in regions:
            value = one["value"]
            assert one["type"] == kind
            places = [
                page.starts[page.paths.index(value[side])] + value[f"{side}Offset"]
                for side in ("start", "end")
                if value[side]
            ]
            offsets = value["globalOffsets"]
            assert places in ([], [offsets["start"], offsets["end"]])
        assert config(tag, "HyperText").validate({"result": regions, "score": 0.5}) == []


class TestCounting:
    def test_paragraphs_count_in_utf_16(self) -> None:
        found, turns = control("ParagraphLabels"), [{"text": "a"}, {"text": "🙂🙂 Ada"}]
        text = CONVERTERS[found.tag].input_of(found, {"turns": turns})
        (made,) = CONVERTERS[found.tag].encode(found, decision(text, Span(5, 8, "Person")), key="7:v1")
        value = made["value"]
        assert (value["start"], value["startOffset"], value["end"], value["endOffset"]) == ("1", 5, "1", 8)
        assert value["text"] == "Ada"
        assert decode(found, [made]) == (DialogueSpan(PARAGRAPH + 5, PARAGRAPH + 8, "Person"),)

    def test_texts_count_in_code_points(self) -> None:
        (made,) = CONVERTERS["Labels"].encode(control(), decision("🙂\r\nAda", Span(3, 6, "Person")), key="7:v1")
        assert (made["value"]["start"], made["value"]["end"], made["value"]["text"]) == (3, 6, "Ada")

    def test_what_lies_behind_the_end_is_cut_off(self) -> None:
        decoded = decode(
            control(), [region(start=4, end=90, labels=["Place"]), region(start=80, end=90, labels=["Place"])]
        )
        assert CONVERTERS["Labels"].target(decoded, Item("Ada Rome")) == (Span(4, 8, "Place"),)

    def test_paragraphs_under_another_key(self) -> None:
        found = control("ParagraphLabels", more='textKey="said"')
        assert CONVERTERS[found.tag].input_of(found, {"turns": [{"said": "a\x1eb"}, {"said": "c"}]}) == "a b\x1ec"

    @pytest.mark.parametrize("turns", ["text", None, [], [1], [{"author": "A"}], [{"text": 1}], [{"text": " "}]])
    def test_paragraphs_that_are_none(self, turns: Any) -> None:
        found = control("ParagraphLabels")
        with pytest.raises(TaskUnusable, match="Import the task again"):
            CONVERTERS[found.tag].input_of(found, {"turns": turns})


class TestPages:
    @pytest.mark.parametrize(
        ("source", "text", "paths"),
        [
            ("plain", "plain", ["/text()[1]"]),
            ("<p>a<p>b", "ab", ["/p[1]/text()[1]", "/p[2]/text()[1]"]),
            ("<p>a<br/>b</p>", "a\nb", ["/p[1]/text()[1]", "/p[1]/text()[2]"]),
            ("a<!--x-->b", "ab", ["/text()[1]", "/text()[2]"]),
            ("<ul><li>a<li>b<ul><li>c</ul></ul>", "abc",
             ["/ul[1]/li[1]/text()[1]", "/ul[1]/li[2]/text()[1]", "/ul[1]/li[2]/ul[1]/li[1]/text()[1]"]),
            ("<table><tr><td>a<td>b</table>", "ab",
             ["/table[1]/tbody[1]/tr[1]/td[1]/text()[1]", "/table[1]/tbody[1]/tr[1]/td[2]/text()[1]"]),
            ("<head><title>t</title><style>s</style></head>\n<body>a &lt;&nbsp;b</body>", "a <\xa0b", ["/text()[1]"]),
            ("a<script>x</script>b<img>c", "abc", ["/text()[1]", "/text()[2]", "/text()[3]"]),
            ("a\r\nb", "a\nb", ["/text()[1]"]),
        ],
    )  # fmt: skip
    def test_text_and_paths(self, source: str, text: str, paths: list[str]) -> None:
        page = read_page(source)
        assert (page.text, list(page.paths)) == (text, paths)

    def test_hostile_pages_are_bounded(self) -> None:
        assert len(read_page("<div>" * 100_000 + "a").paths[0]) < 10_000
        assert len(read_page("a" * (LONGEST + 10)).text) == LONGEST
        assert read_page("<![CDATA[ <!doctype <p <b>x").text is not None

    def test_a_page_without_text(self) -> None:
        with pytest.raises(TaskUnusable, match="has no text"):
            CONVERTERS["Labels"].input_of(control("Labels", "HyperText"), {"html": "<p> </p>"})


class TestDecoding:
    def test_nothing_marked_is_nothing_there(self) -> None:
        assert decode(control(), []) == ()
        assert decode(control(), [region("choices") | {"from_name": "other"}]) == ()
        assert decode(control(attributes='visibleWhen="choice-selected"'), []) is None

    @pytest.mark.parametrize("place", [(None, None), (3, None), (4, 4), (-1, 2), ("x", 2), (True, 2), (0.5, 2)])
    def test_a_place_that_cannot_be_read_spoils_the_annotation(self, place: tuple[Any, Any]) -> None:
        said: list[str] = []
        good = region(start=0, end=2, labels=["Person"])
        assert decode(control(), [good, region(start=place[0], end=place[1], labels=["Person"])], said) is None
        assert "cannot be read" in said[0]

    def test_a_page_s_region_without_global_offsets_cannot_be_read(self) -> None:
        path = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 0, "endOffset": 2}
        assert decode(control("Labels", "HyperText"), [region(**path, labels=["Person"])]) is None

    def test_labels_that_the_config_no_longer_has_are_left_out(self) -> None:
        said: list[str] = []
        regions = [region(start=0, end=2, labels=["Gone", "Person"]), region(start=3, end=4, labels="Person")]
        assert decode(control(), regions, said) == (Span(0, 2, "Person"),)
        assert 'no longer has the label "Gone"' in said[0]
        assert "without a label" in said[1]

    def test_only_decisions_on_spans_are_encoded(self) -> None:
        with pytest.raises(TypeError, match="wanted an EntityDecision"):
            CONVERTERS["Labels"].encode(control(), object(), key="7:v1")  # type: ignore[arg-type]

    def test_region_ids_depend_on_task_and_version(self) -> None:
        one = decision("Ada", Span(0, 3, "Person"))
        ids = {CONVERTERS["Labels"].encode(control(), one, key=key)[0]["id"] for key in ("7:v1", "7:v2", "8:v1")}
        assert len(ids) == 3
