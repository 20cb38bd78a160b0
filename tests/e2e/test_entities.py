"""Named entities in a real Label Studio: spans counted as its page counts them, learnt, proposed and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import FrameLocator, Page, expect

from backend.converters import CONVERTERS, regions_of
from backend.labelstudio.config import parse_config
from model_zoo.postprocess import EntityDecision
from model_zoo.types import Item, Span
from tests.e2e.labelling_page import PATIENCE, LabellingPage
from tests.label_studio import LabelStudioInstance

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

LABELS = '<Label value="Person" hotkey="p"/><Label value="Place" hotkey="q"/>'


@dataclass(frozen=True)
class Odd:
    """A task whose characters can be counted in several ways. `named` are texts in it that are spans, by label."""

    config: str
    data: dict[str, Any]
    named: tuple[tuple[str, str], ...]


TEXT = Odd(
    f'<View><Text name="text" value="$text"/><Labels name="what" toName="text">{LABELS}</Labels></View>',
    {
        "text": "\u05e9\u05dc\u05d5\u05dd Ada\r\n\r\nand <b>Bob</b> &amp; Li\nmet in Rome.\n🙂 👩‍👩‍👧 Eve\u200b lives in 東京."
    },
    (("Ada", "Person"), ("Bob", "Person"), ("Rome", "Place"), ("Eve", "Person"), ("東京", "Place")),
)
PAGE = Odd(
    f'<View><HyperText name="text" value="$html"/><Labels name="what" toName="text">{LABELS}</Labels></View>',
    {
        "html": "\n<!-- a page --><h1>Ada &amp; <i>Bob</i></h1>\n<p>live<br>in Rome,<p>not in\n<b>New</b> York."
        "<table><tr><td>Eve<td>Li</table>&nbsp;🙂 <ul><li>Zoe<li>Kim</ul>"
    },
    (
        ("Ada", "Person"),
        ("Bob", "Person"),
        ("Rome", "Place"),
        ("New York", "Place"),
        ("Li", "Person"),
        ("Kim", "Person"),
    ),
)
TURNS = Odd(
    '<View><Paragraphs name="text" value="$turns" nameKey="who" textKey="said" layout="dialogue"/>'
    f'<ParagraphLabels name="what" toName="text">{LABELS}</ParagraphLabels></View>',
    {"turns": [{"who": "A", "said": "🙂🙂 I am Ada."}, {"who": "B", "said": "And I'm Bob\nfrom 🙂 Rome."}]},
    (("Ada", "Person"), ("Bob", "Person"), ("Rome", "Place")),
)


def spans_of(odd: Odd) -> tuple[str, tuple[Span, ...]]:
    (control,) = parse_config(odd.config).controls
    text = CONVERTERS[control.tag].input_of(control, odd.data)
    return text, tuple(Span(text.index(name), text.index(name) + len(name), label) for name, label in odd.named)


def highlighted(page: Page | FrameLocator, count: int) -> list[str]:
    """What is marked on the page, in its order; labels are drawn by style sheets and are no part of it."""
    marks = page.locator(".htx-highlight")
    expect(marks).to_have_count(count, timeout=PATIENCE)
    return [str(text) for text in marks.all_text_contents()]


@pytest.mark.parametrize("odd", [TEXT, PAGE, TURNS], ids=["Text", "HyperText", "Paragraphs"])
def test_spans_stand_where_the_page_counts_them(
    label_studio: LabelStudioInstance, labelling: LabellingPage, odd: Odd, request: pytest.FixtureRequest
) -> None:
    """What is encoded is shown at its words, and what the page then submits is decoded as the same spans."""
    project = label_studio.new_project(odd.config, title="odd characters", show_collab_predictions=True)
    (task,) = project.import_tasks([{"data": odd.data}])
    (control,) = parse_config(odd.config).controls
    text, spans = spans_of(odd)
    decision = EntityDecision(text, spans, (0.9,) * len(spans), np.zeros(2, np.float32), 0.1)
    result = regions_of(control, decision, odd.data, key="1:v1")
    body = {"task": task, "project": project.id, "model_version": "v1", "score": 0.5, "result": result}
    label_studio.call("POST", "/api/predictions/", json=body)
    project.patch(model_version="v1")

    labelling.open_stream(project)
    shown = labelling.page if odd is not PAGE else labelling.page.frame_locator("iframe.lsf-richtext__iframe")
    marked = highlighted(shown, len(spans) + (odd is PAGE))
    labelling.screenshot(f"entities-{request.node.callspec.id}")
    assert "".join(marked) == "".join(name for name, _ in odd.named)
    with labelling.page.expect_response(lambda answer: "/annotations" in answer.url) as saving:
        labelling.page.get_by_label("Submit current annotation").click()
    submitted = saving.value.json()["result"]
    decoded = CONVERTERS[control.tag].decode(control, submitted)
    assert decoded is not None
    assert CONVERTERS[control.tag].target(decoded, Item(text)) == spans
    assert {key: value["value"] for key, value in {r["id"]: r for r in submitted}.items()} == {
        region["id"]: region["value"] for region in result
    }
