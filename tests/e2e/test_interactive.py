"""Clicks, boxes and selections in a real Label Studio: what its page asks, and what people see and keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_studio_sdk.converter.brush import decode_rle
from PIL import Image, ImageDraw

from backend.interactive.ids import group_of
from backend.interactive.ready import READY
from tests.e2e.drawing import Canvas
from tests.e2e.installation import Installation
from tests.e2e.labelling_page import LabellingPage
from tests.e2e.pointing import accept, click, select, switch_on, taking_notes
from tests.e2e.test_drawing import submitted
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

WIDTH, HEIGHT = 400, 300
BALL = (100, 80, 220, 200)
MIDDLE = (160, 140)
TEXT = "\N{GRINNING FACE} Ada met Bob in Paris. Later Ada left Paris.\nNobody else was in Paris."
EVERYTHING = """<View>
  <Image name="image" value="$image"/>
  <KeyPointLabels name="click" toName="image"><Label value="Dot"/></KeyPointLabels>
  <RectangleLabels name="box" toName="image" smart="false"><Label value="Boxed"/></RectangleLabels>
  <EllipseLabels name="round" toName="image"><Label value="Round"/></EllipseLabels>
  <BrushLabels name="mask" toName="image"><Label value="Painted"/></BrushLabels>
  <Choices name="kind" toName="image"><Choice value="day"/><Choice value="night"/></Choices>
</View>"""


def picture(path: Path) -> Path:
    image = Image.new("RGB", (WIDTH, HEIGHT), (120, 120, 120))
    ImageDraw.Draw(image).ellipse(BALL, fill=(220, 20, 20))
    image.save(path)
    return path


def connected(installation: Installation, studio: LabelStudioInstance, name: str) -> TestProject:
    project = studio.new_project(READY[name].xml, title=f"interactive {name}")
    installation.connect(studio, project)
    return project


def test_the_page_asks_for_points_of_the_smart_tool_and_for_no_other_shape(
    label_studio: LabelStudioInstance, labelling: LabellingPage, tmp_path: Path
) -> None:
    """Controls are smart by default; what is drawn with the ordinary tools is not asked about."""
    project = label_studio.new_project(EVERYTHING, title="asks")
    project.upload(picture(tmp_path / "ball.png"))
    with taking_notes() as notes:
        notes.add_to(project)
        labelling.open_stream(project)
        canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
        switch_on(labelling.page)

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
        labelling.page.locator(".lsf-choice").first.click()
        labelling.page.wait_for_timeout(1800)  # a brush is waited for 1.2 s by the page itself
        assert len(notes.sent) == 2
    labelling.screenshot("interactive-asks")


def test_a_click_is_answered_with_a_mask_that_is_seen_and_saved(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage, tmp_path: Path
) -> None:
    project = connected(installation, label_studio, "masks")
    task = project.upload(picture(tmp_path / "ball.png"))
    labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    switch_on(labelling.page)
    click(canvas, "Person", *MIDDLE)
    click(canvas, "Person", 20, 20, alt=True)
    accept(labelling.page, "interactive-mask-suggested")
    canvas.expect_regions(1)
    labelling.screenshot("interactive-mask")
    labelling.page.get_by_label("Submit current annotation").click()
    (region,) = submitted(labelling, project, task)
    assert (region["from_name"], region["value"]["brushlabels"]) == ("mask", ["Person"])
    assert group_of(region["id"]) is not None
    assert region["origin"] == "manual"
    flat = np.asarray(decode_rle(region["value"]["rle"]), np.uint8)
    mask = flat.reshape(HEIGHT, WIDTH, 4)[..., 3] > 127
    truth = np.asarray(Image.open(tmp_path / "ball.png"))[..., 0] > 200
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_a_marked_span_marks_the_others(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = connected(installation, label_studio, "spans")
    (task,) = project.import_texts([TEXT])
    labelling.open_stream(project)
    switch_on(labelling.page)
    select(labelling.page, "Place", "Paris")
    Canvas(labelling.page, 1, 1).expect_regions(3)
    labelling.screenshot("interactive-spans")
    labelling.page.get_by_label("Submit current annotation").click()
    result: list[dict[str, Any]] = submitted(labelling, project, task)
    places = sorted((one["value"]["start"], one["value"]["end"]) for one in result)
    assert [TEXT[start:end] for start, end in places] == ["Paris"] * 3
    assert len(set(places)) == 3
    assert {tuple(one["value"]["labels"]) for one in result} == {("Place",)}
    assert len({one["id"] for one in result}) == 3
