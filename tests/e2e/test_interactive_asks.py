"""What the page of a real Label Studio asks a backend while somebody points, marks and writes: facts that decide what
can be answered."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Route

from backend.converters import CONVERTERS
from backend.interactive.documents import document_of
from backend.interactive.ready import READY
from backend.labelstudio.config import every_control
from tests.e2e.drawing import Canvas
from tests.e2e.labelling_page import LabellingPage
from tests.e2e.pointing import click, select, switch_on, taking_notes, write
from tests.e2e.test_interactive import BALL, HEIGHT, MIDDLE, PAGE, TURNS, WIDTH, picture
from tests.label_studio import LabelStudioInstance
from tests.processes import eventually

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

EVERYTHING = """<View>
  <Image name="image" value="$image"/>
  <KeyPointLabels name="click" toName="image"><Label value="Dot"/></KeyPointLabels>
  <RectangleLabels name="box" toName="image" smart="false"><Label value="Boxed"/></RectangleLabels>
  <EllipseLabels name="round" toName="image"><Label value="Round"/></EllipseLabels>
  <BrushLabels name="mask" toName="image"><Label value="Painted"/></BrushLabels>
  <Choices name="kind" toName="image"><Choice value="day"/><Choice value="night"/></Choices>
</View>"""
DOCUMENTS = """<View>
  <HyperTextLabels name="in_page" toName="page"><Label value="Town"/></HyperTextLabels>
  <HyperText name="page" value="$html"/>
  <ParagraphLabels name="in_turns" toName="turns"><Label value="City"/></ParagraphLabels>
  <Paragraphs name="turns" value="$turns" layout="dialogue" nameKey="author" textKey="text"/>
  <TextArea name="about" toName="page"/>
</View>"""


def test_the_page_asks_for_points_of_the_smart_tool_and_for_no_other_shape(
    label_studio: LabelStudioInstance, person: LabellingPage, tmp_path: Path
) -> None:
    """Controls are smart by default; what is drawn with the ordinary tools is not asked about."""
    project = label_studio.new_project(EVERYTHING, title="asks")
    project.upload(picture(tmp_path / "ball.png", BALL))
    with taking_notes() as notes:
        notes.add_to(project)
        person.open_stream(project)
        canvas = Canvas(person.page, WIDTH, HEIGHT).ready()
        switch_on(person.page)

        click(canvas, "Dot", *MIDDLE)
        notes.wait(1)
        (region,) = notes.contexts()[-1]
        assert (region["type"], region["from_name"], region["to_name"]) == ("keypointlabels", "click", "image")
        assert region["is_positive"] is True
        assert (region["original_width"], region["original_height"]) == (WIDTH, HEIGHT)
        value = region["value"]
        assert value["keypointlabels"] == ["Dot"]
        assert (value["x"] / 100 * WIDTH, value["y"] / 100 * HEIGHT) == pytest.approx(MIDDLE, abs=2)
        assert notes.sent[-1]["tasks"][0]["drafts"] == []

        click(canvas, "Dot", 20, 20, alt=True)
        notes.wait(2)
        assert [one["is_positive"] for one in notes.contexts()[-1]] == [True, False]

        canvas.draw("Boxed", BALL)
        canvas.draw("Round", (250, 40, 350, 120))
        canvas.draw("Painted", (250, 180, 350, 240))
        person.page.locator(".lsf-choice").first.click()
        person.page.wait_for_timeout(1800)  # a brush is waited for 1.2 s by the page itself
        assert len(notes.sent) == 2
    person.screenshot("interactive-asks")


def test_the_page_asks_for_spans_of_pages_and_dialogues_and_for_texts(
    label_studio: LabelStudioInstance, person: LabellingPage
) -> None:
    project = label_studio.new_project(DOCUMENTS, title="asks of documents")
    project.import_tasks([{"data": {"html": PAGE, "turns": TURNS}}])
    controls = {control.name: control for control in every_control(DOCUMENTS)}
    with taking_notes() as notes:
        notes.add_to(project)
        person.open_stream(project)
        switch_on(person.page)
        for number, (name, label, words) in enumerate(
            [("in_page", "Town", "Rome"), ("in_turns", "City", "Paris!")], start=1
        ):
            select(person.page, label, words)
            notes.wait(number)
            (region,) = notes.contexts()[-1]
            control = controls[name]
            assert (region["from_name"], region["type"]) == (name, control.tag.lower())
            assert region["value"][control.tag.lower()] == [label]
            data = notes.sent[-1]["tasks"][0]["data"]
            text = CONVERTERS[control.tag].input_of(control, data)
            place = document_of(control, {"data": data}, text).place_of(region)
            assert place is not None
            assert text[place[0] : place[1]] == words
        write(person.page, "About towns")
        notes.wait(3)
        (region,) = notes.contexts()[-1]
        assert (region["from_name"], region["type"]) == ("about", "textarea")
        assert region["value"] == {"text": ["About towns"]}


def test_an_answer_for_a_task_that_was_left_is_not_shown_on_the_next(
    label_studio: LabelStudioInstance, person: LabellingPage
) -> None:
    """The answer is held back on its way to the page until the next task is open."""
    with taking_notes() as notes:
        project = label_studio.new_project(READY["spans"].xml, title="left")
        project.import_texts(["Ada met Bob in Paris.", "Ada left Paris."])
        notes.add_to(project)
        value = {"start": 0, "end": 3, "text": "Ada", "labels": ["Place"]}
        (control,) = every_control(READY["spans"].xml)
        row = {"from_name": control.name, "to_name": control.to_name, "type": "labels", "value": value}
        notes.answer = [{**row, "id": "proposed", "score": 0.5}]
        person.open_stream(project)
        page = person.page
        switch_on(page)
        held: list[Route] = []
        page.route("**/interactive-annotating*", partial(list.append, held))
        select(page, "Place", "Paris")
        regions = Canvas(page, 1, 1)
        regions.expect_regions(1)
        eventually(lambda: page.wait_for_timeout(50) or held, lambda: "the page's question", 20.0)
        person.submit()
        with page.expect_response("**/interactive-annotating*"):
            held[0].continue_()
        page.unroute("**/interactive-annotating*")
        page.wait_for_timeout(500)
        assert regions.regions() == 0
        select(page, "Place", "Paris")
        regions.expect_regions(2)  # an answer that is for the open task is shown
