"""Named entities in a real Label Studio: spans counted as its page counts them, learnt, proposed and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import FrameLocator, Page, expect

from backend.converters import CONVERTERS, regions_of
from backend.labelstudio.config import parse_config
from backend.projects.judgement import Outcome
from model_zoo.postprocess import EntityDecision, RegionDecision
from model_zoo.targets import all_of
from model_zoo.types import EntityExample, Item, Remark, Span
from tests.e2e.backend_process import eventually
from tests.e2e.installation import Installation
from tests.e2e.labelling_page import PATIENCE, LabellingPage
from tests.label_studio import LabelStudioInstance
from tests.model_zoo.named_entities import sentences

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

SAYS = '<Choices name="is" toName="text" perRegion="true"><Choice value="glad"/><Choice value="angry"/></Choices>'
"""What is asked of each span."""
LABELS = '<Label value="Person" hotkey="p"/><Label value="Place" hotkey="q"/>'


@dataclass(frozen=True)
class Odd:
    """A task whose characters can be counted in several ways. `named` are texts in it that are spans, by label;
    `marked` is a word behind an emoji that somebody marks by hand."""

    config: str
    data: dict[str, Any]
    named: tuple[tuple[str, str], ...]
    marked: str | None = None


TEXT = Odd(
    f'<View><Text name="text" value="$text"/><Labels name="what" toName="text">{LABELS}</Labels></View>',
    {
        "text": "\u05e9\u05dc\u05d5\u05dd Ada\r\n\r\nand <b>Bob</b> &amp; Li\nmet in Rome.\n"
        "🙂 👩\u200d👩\u200d👧 Eve\u200b lives in 東京."
    },
    (("Ada", "Person"), ("Bob", "Person"), ("Rome", "Place"), ("Eve", "Person"), ("東京", "Place")),
    "lives",
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
    {"turns": [{"who": "A", "said": "🙂🙂 I know Ada."}, {"who": "B", "said": "And I'm Bob\nfrom 🙂 Rome."}]},
    (("Ada", "Person"), ("Bob", "Person"), ("Rome", "Place")),
    "know",
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


MIDDLE = """word => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node; (node = walker.nextNode());) {
        const at = node.data.indexOf(word), range = document.createRange()
        if (at < 0) continue
        range.setStart(node, at)
        range.setEnd(node, at + word.length)
        const box = range.getBoundingClientRect()
        if (box.width) return [box.x + box.width / 2, box.y + box.height / 2]
    }
}"""
"""Where the middle of a word is on the page."""


def mark(page: Page, word: str) -> None:
    """Choose the label Place and click twice on the word."""
    page.keyboard.press("q")
    page.mouse.dblclick(*page.evaluate(MIDDLE, word))


@pytest.mark.parametrize("odd", [TEXT, PAGE, TURNS], ids=["Text", "HyperText", "Paragraphs"])
def test_spans_stand_where_the_page_counts_them(
    label_studio: LabelStudioInstance, labelling: LabellingPage, odd: Odd, request: pytest.FixtureRequest
) -> None:
    """What is encoded is shown at its words, and what the page then submits is decoded as the same spans."""
    config = odd.config.replace("</View>", f"{SAYS}</View>")
    project = label_studio.new_project(config, title="odd characters", show_collab_predictions=True)
    (task,) = project.import_tasks([{"data": odd.data}])
    control, says = parse_config(config).controls
    text, spans = spans_of(odd)
    decision = EntityDecision(text, spans, (0.9,) * len(spans), np.zeros(2, np.float32), 0.1)
    result = regions_of(control, decision, odd.data, key="1:v1")
    remarks = tuple(
        Remark(Span(span.start, span.end, ""), (("glad", "angry")[at % 2],)) for at, span in enumerate(spans)
    )
    said = RegionDecision(remarks, decision.scores, np.zeros(2, np.float32), 0.1)
    result += regions_of(says, said, odd.data, key="1:v1", drawn=result)
    body = {"task": task, "project": project.id, "model_version": "v1", "score": 0.5, "result": result}
    label_studio.call("POST", "/api/predictions/", json=body)
    project.patch(model_version="v1")

    labelling.open_stream(project)
    shown = labelling.page if odd is not PAGE else labelling.page.frame_locator("iframe.lsf-richtext__iframe")
    marked = highlighted(shown, len(spans) + (odd is PAGE))
    labelling.screenshot(f"entities-{request.node.callspec.id}")
    assert "".join(marked) == "".join(name for name, _ in odd.named)
    if odd.marked:
        mark(labelling.page, odd.marked)
        highlighted(shown, len(spans) + 1)
        start = text.index(odd.marked)
        spans = (*spans, Span(start, start + len(odd.marked), "Place"))
    with labelling.page.expect_response(lambda answer: "/annotations" in answer.url) as saving:
        labelling.page.get_by_label("Submit current annotation").click()
    submitted = saving.value.json()["result"]
    decoded = CONVERTERS[control.tag].decode(control, submitted)
    assert decoded is not None
    assert set(CONVERTERS[control.tag].target(decoded, Item(text))) == set(spans)
    answered = CONVERTERS[says.tag].decode(says, submitted)
    assert answered is not None
    assert set(all_of(Remark, CONVERTERS[says.tag].target(answered, Item(text)))) == set(remarks)
    shown_as, kept_as = ({(one["id"], one["type"]): one["value"] for one in some} for some in (result, submitted))
    assert {key: kept_as[key] for key in shown_as} == shown_as


def test_spans_are_learnt_proposed_on_the_page_and_judged(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    config = TEXT.config.replace('value="Person"', f'value="{sentences.LABELS[0]}"').replace(
        'value="Place"', f'value="{sentences.LABELS[1]}"'
    )
    project = label_studio.new_project(config, title="people and places")
    labelled, waiting = sentences.examples(), [sentences.sentence(*words) for words in NEW]
    tasks = project.import_texts([str(example.item.input) for example in (*labelled, *waiting)])
    installation.connect(label_studio, project)
    (control,) = parse_config(config).controls
    for task, example in zip(tasks, labelled, strict=False):
        project.submit(task, regions_for(example, config))
    version = installation.await_version(project, len(labelled))

    left = dict(zip(tasks[len(labelled) :], waiting, strict=True))
    eventually(lambda: project.shows(version, left), "a prediction of every sentence", 60.0)
    rows = [row for task in left for row in project.predictions(task)]
    assert {row["model_version"] for row in rows} == {version}
    said = {row["task"]: CONVERTERS[control.tag].decode(control, row["result"]) for row in rows}
    right = sum(said[task] == example.spans for task, example in left.items())
    assert right >= len(left) - 1, said

    opened = labelling.open_stream(project)
    shown = said[opened.task] or ()
    text = str(opened.data["text"])
    assert highlighted(labelling.page, len(shown)) == [text[span.start : span.end] for span in shown]
    labelling.screenshot("entities-proposed")
    labelling.page.get_by_label("Submit current annotation").click()
    entries = eventually(
        lambda: [entry for entry in installation.judgements(project) if entry.task == opened.task],
        "the annotation to be judged",
        60.0,
    )
    assert [(entry.version, entry.outcome, entry.edits) for entry in entries] == [(version, Outcome.ACCEPTED, 0)]


NEW = [
    ("{person} lives in {place}.", "Grace", "Oslo"),
    ("I met {person} on a train to {place} yesterday!", "Linus", "Lima"),
    ("The weather was fine in {place}, they say.", "", "Vienna"),
    ("Nobody told {person} the price.", "Barbara", ""),
]


def regions_for(example: EntityExample, config: str) -> list[dict[str, Any]]:
    """What the page sends for the true spans."""
    (control,) = parse_config(config).controls
    text = str(example.item.input)
    decision = EntityDecision(text, example.spans, (1.0,) * len(example.spans), np.zeros(2, np.float32), 0.0)
    regions = CONVERTERS[control.tag].encode(control, decision, key="by hand")
    return [
        {**{key: value for key, value in region.items() if key != "score"}, "origin": "manual"} for region in regions
    ]
