"""Spans and captions, as the page asks for them: what is labelled and written is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.interactive.asks import mode_of
from backend.interactive.ready import READY
from backend.labelstudio.config import every_control
from tests.backend.interactive.conftest import Helped, region, span

Make = Callable[..., Helped]
PAGE = "<h3>Paris</h3><p>Ada met Bob in <b>Paris</b>.</p><table><tr><td>Paris<td>Rome</table>"
TURNS = [{"author": "Ada", "text": "😀 Was Bob in Paris?"}, {"author": "Bob", "text": "Paris!"}]


@pytest.mark.parametrize(
    ("name", "data", "value", "proposed"),
    [
        (
            "page-spans",
            {"html": PAGE},
            # As the page sends it: the first word of the second paragraph.
            {
                "start": "/p[1]/b[1]/text()[1]",
                "end": "/p[1]/b[1]/text()[1]",
                "startOffset": 0,
                "endOffset": 5,
                "globalOffsets": {"start": 20, "end": 25},
            },
            [
                {"start": "/h3[1]/text()[1]", "startOffset": 0, "globalOffsets": {"start": 0, "end": 5}},
                {
                    "start": "/table[1]/tbody[1]/tr[1]/td[1]/text()[1]",
                    "endOffset": 5,
                    "globalOffsets": {"start": 26, "end": 31},
                },
            ],
        ),
        (
            "dialogue-spans",
            {"turns": TURNS},
            {"start": "0", "startOffset": 14, "end": "0", "endOffset": 19, "text": "Paris"},
            [{"start": "1", "startOffset": 0, "end": "1", "endOffset": 5, "text": "Paris"}],
        ),
    ],
)
def test_spans_of_pages_and_dialogues_are_counted_as_the_page_counts_them(
    helped: Helped, name: str, data: dict[str, Any], value: dict[str, Any], proposed: list[dict[str, Any]]
) -> None:
    (control,) = every_control(READY[name].xml)
    kind = control.tag.lower()
    marked = {
        "id": "drawn00001",
        "from_name": "entity",
        "to_name": control.to_name,
        "type": kind,
        "value": {**value, kind: ["Place"]},
    }
    answer = helped.ask(READY[name].xml, [marked], {"data": data})
    assert [one["value"].items() >= wanted.items() for one, wanted in zip(answer, proposed, strict=True)] == (
        [True] * len(proposed)
    )
    assert all((one["from_name"], one["type"], one["value"][kind]) == ("entity", kind, ["Place"]) for one in answer)
    drafts = [{"result": [marked, {**answer[0], "id": "drawn00008"}]}]
    other = {**marked, "id": "drawn00002"}
    left = helped.ask(READY[name].xml, [other], {"data": data, "drafts": drafts[:1], "id": 8})
    assert len(left) == len(proposed) - 1


def test_pages_that_are_fetched_are_left_to_people(helped: Helped) -> None:
    """Their spans cannot be anchored without the page."""
    xml = READY["page-spans"].xml.replace('value="$html"', 'value="$html" valueType="url"')
    (control,) = every_control(xml)
    assert mode_of(control, xml) is None


def test_a_marked_span_marks_the_others_and_leaves_alone_what_is_labelled(helped: Helped) -> None:
    answer = helped.ask(READY["spans"].xml, [span(15, 20)])
    assert [(one["value"]["start"], one["value"]["end"], one["value"]["labels"]) for one in answer] == [
        (37, 42, ["Place"])
    ]
    taken = {"drafts": [{"result": [span(37, 42, 8, "Person")]}]}
    assert helped.ask(READY["spans"].xml, [span(15, 20, 2)], taken) == []


def test_a_span_that_was_taken_away_is_not_proposed_again(helped: Helped) -> None:
    """The page sends what is left of a label when one is taken away."""
    marked = span(15, 20)
    (proposed,) = helped.ask(READY["spans"].xml, [marked])
    assert helped.ask(READY["spans"].xml, [marked]) == []
    assert helped.ask(READY["spans"].xml, [proposed]) == []


def test_another_process_knows_from_the_draft_that_a_span_was_taken_away(make: Make) -> None:
    draft = {"drafts": [{"result": [span(15, 20), span(37, 42, 2)]}]}
    assert make().ask(READY["spans"].xml, [span(15, 20)], draft) == []


def test_another_person_s_draft_is_not_one_s_own(make: Make) -> None:
    """Label Studio sends both, and does not say who asks: what holds the drawn region is the asker's."""
    mine = {"user": "a@example.com", "result": [span(15, 20)]}
    others = {"user": "b@example.com", "result": [span(37, 42, 8), span(0, 3, 9)]}
    for drafts in ([mine, others], [others, {**mine, "result": []}]):
        (proposed,) = make().ask(READY["spans"].xml, [span(15, 20)], {"drafts": drafts})
        assert proposed["value"]["start"] == 37
        assert proposed["id"] not in {"drawn00008", "drawn00009"}


def test_a_caption_goes_on_as_earlier_ones_did(make: Make) -> None:
    helped = make(earlier=["A dog on a beach.", "A dog in a car.", "A dog on a beach."])

    def submitted(text: str) -> dict[str, Any]:
        return {
            "id": "t1", "from_name": "caption", "to_name": "image", "type": "textarea", "value": {"text": [text]}
        }  # fmt: skip

    (region,) = helped.ask(READY["captions"].xml, [submitted("A dog on")])
    assert region["value"] == {"text": ["A dog on a beach."]}
    assert region["id"] == "t1"
    assert helped.ask(READY["captions"].xml, [submitted("A dog on a beach.")]) == []
    assert helped.ask(READY["captions"].xml, [submitted("Two cats asleep")]) == []
    (region,) = helped.ask(READY["captions"].xml, [submitted("Two ca")])
    assert region["value"] == {"text": ["Two cats asleep"]}


def test_what_was_said_to_a_caption_once_is_not_said_again(make: Make) -> None:
    """Somebody who takes back what was completed or proposed is left alone, by other processes as well."""
    earlier = ["A dog on a beach."] * 2
    helped, other = make(earlier=earlier), make(earlier=earlier)
    xml = READY["better-captions"].xml

    def submitted(*texts: str) -> dict[str, Any]:
        return region("textarea", "caption", {"text": list(texts)})

    (completed,) = helped.ask(xml, [submitted("A dog")])
    assert completed["value"]["text"] == earlier[:1]
    assert helped.ask(xml, [submitted("A dog")]) == []
    assert other.ask(xml, [submitted("A dog")], {"drafts": [{"result": [completed]}]}) == []
    (improved,) = other.ask(xml, [submitted("One dog on a beach.")])
    assert improved["value"]["text"] == ["One dog on a beach.", *earlier[:1]]
    assert other.ask(xml, [submitted("One dog on a beach.")]) == []
    assert helped.ask(xml, [submitted("One dog on a beach.")], {"drafts": [{"result": [improved]}]}) == []
