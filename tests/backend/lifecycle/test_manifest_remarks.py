"""What is said of single spans and regions in a snapshot's manifest."""

from __future__ import annotations

from typing import Any

from backend.labelstudio.config import parse_config
from backend.lifecycle.manifest import augmented_manifest
from backend.store.records import Annotation, Record

SAYS = '<Choices name="is" toName="it" perRegion="true"><Choice value="new"/><Choice value="old"/></Choices>'


def said(xml: str, data: dict[str, Any], value: dict[str, Any], kind: str, **more: Any) -> dict[str, Any]:
    """The line of one task with one region, of which one thing is said."""
    shared = {**more, "id": "a", "to_name": "it"}
    drawn = {**shared, "from_name": "marks", "type": kind, "value": {**value, kind: ["thing"]}}
    chosen = {**shared, "from_name": "is", "type": "choices", "value": {**value, "choices": ["new"]}}
    record = Record(1, data, (Annotation(7, (drawn, chosen), 3),))
    (line,) = augmented_manifest(parse_config(f"<View>{xml}{SAYS}</View>"), [record])
    return line


def test_spans_of_dialogues_have_their_characters_in_the_joined_text() -> None:
    xml = (
        '<Paragraphs name="it" value="$turns"/><ParagraphLabels name="marks" toName="it"><Label value="thing"/>'
        "</ParagraphLabels>"
    )
    value = {"start": "1", "startOffset": 2, "end": "1", "endOffset": 5}
    line = said(xml, {"turns": [{"text": "🙂 a"}, {"text": "🙂Ada"}]}, value, "paragraphlabels")
    assert line["is"] == [{"startOffset": 5, "endOffset": 8, "labels": ["new"]}]
    assert line["is-metadata"]["type"] == "prelabel/spans"


def test_spans_of_texts_that_are_fetched_stay_where_people_marked_them() -> None:
    xml = '<Text name="it" value="$a" valueType="url"/><Labels name="marks" toName="it"><Label value="thing"/></Labels>'
    line = said(xml, {"a": "https://x.example/a"}, {"start": 300, "end": 309}, "labels")
    assert line["is"] == [{"startOffset": 300, "endOffset": 309, "labels": ["new"]}]


def test_regions_of_images_have_their_boxes_in_pixels() -> None:
    xml = (
        '<Image name="it" value="$a"/><RectangleLabels name="marks" toName="it"><Label value="thing"/>'
        "</RectangleLabels>"
    )
    place = {"x": 10, "y": 20, "width": 50, "height": 40, "rotation": 0}
    data = {"a": "https://x.example/a.jpg"}
    line = said(xml, data, place, "rectanglelabels", original_width=200, original_height=100)
    assert line["is"] == [{"left": 20, "top": 20, "width": 100, "height": 40, "labels": ["new"]}]
    assert line["is-metadata"]["type"] == "prelabel/regions"
