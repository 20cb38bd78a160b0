"""`Choices`, `Taxonomy` and `Rating` of one page of HTML: each has a model of its own, and the page shows all three."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from backend.labelstudio.config import parse_config
from tests.e2e.installation import Installation
from tests.e2e.labelling_page import PATIENCE, LabellingPage
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

CONFIG = """<View>
  <HyperText name="page" value="$html" inline="true"/>
  <Choices name="tone" toName="page"><Choice value="Kind"/><Choice value="Angry"/></Choices>
  <Taxonomy name="subject" toName="page">
    <Choice value="Travel"><Choice value="Train"/></Choice>
    <Choice value="Food"><Choice value="Bread" alias="bread"/></Choice>
  </Taxonomy>
  <Rating name="stars" toName="page" maxRating="4"/>
</View>"""

KIND, ANGRY = ("Kind", [["Travel", "Train"]], 4), ("Angry", [["Food"], ["Food", "bread"]], 1)
PAGES = {
    "The train was lovely and on time, thank you": KIND,
    "This bread is awful and stale, I am furious": ANGRY,
    "A wonderful train journey, thank you so much": KIND,
    "Your bread was horrible, I want my money back": ANGRY,
    "Thank you for the pleasant railway trip": KIND,
    "Disgusting loaf of bread, never again": ANGRY,
}
WAITING = ["Thanks, what a nice ride by train", "Terrible mouldy bread, I am very angry"]


CAPTIONS_CONFIG = """<View>
  <Image name="image" value="$image"/>
  <TextArea name="caption" toName="image" maxSubmissions="1" editable="true"/>
</View>"""
COLOURS = {"red": "A red square.", "blue": "A blue square."}


def picture(colour: str, shade: int) -> str:
    """A square with some texture, as a data URI; each `shade` is another."""
    image = Image.effect_noise((96, 96), 8 + shade).convert("RGB")
    stream = io.BytesIO()
    Image.blend(image, Image.new("RGB", image.size, colour), 0.8).save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def region(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": "page", "type": kind, "origin": "manual", "value": {kind: value}}


def submit(project: TestProject, task: int, tone: str, subject: list[list[str]], stars: int) -> None:
    """As the labelling page does."""
    result = [
        region("tone", "choices", [tone]),
        region("subject", "taxonomy", subject),
        region("stars", "rating", stars),
    ]
    project.submit(task, result)


def test_three_controls_of_one_object_are_learnt_and_shown(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CONFIG, title="pages")
    pages = [f"<h3>Letter</h3><p>{text}</p><script>document.title = 1</script>" for text in (*PAGES, *WAITING)]
    tasks = project.import_tasks([{"data": {"html": page}} for page in pages])
    installation.connect(label_studio, project)
    for task, said in zip(tasks, PAGES.values(), strict=False):
        submit(project, task, *said)
    version = installation.await_version(project, len(PAGES))
    stored = installation.await_stored(project, tasks[len(PAGES) :], version)
    assert list(stored.values()) == [["Kind"], ["Angry"]]

    row = project.predictions(tasks[-1])[-1]
    assert parse_config(CONFIG).validate({"result": row["result"], "score": row["score"]}) == []
    said = {region["from_name"]: region["value"] for region in row["result"]}
    assert sorted(said["subject"]["taxonomy"]) == ANGRY[1]
    assert said["stars"] == {"rating": ANGRY[2]}

    labelling.open_quick_view(project, tasks[-1])
    labelling.expect_chosen(["Angry"])
    page = labelling.page
    expect(page.locator(".ant-rate-star-full")).to_have_count(ANGRY[2], timeout=PATIENCE)
    expect(page.locator(".ant-select-selection-item-content")).to_have_text(["Food", "Bread"], timeout=PATIENCE)
    labelling.screenshot("choices-taxonomy-rating")


def test_captions_are_learnt_and_written_into_the_page(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CAPTIONS_CONFIG, title="squares")
    drawn = [(colour, shade) for shade in range(4) for colour in COLOURS]
    tasks = project.import_tasks([{"data": {"image": picture(*one)}} for one in drawn])
    installation.connect(label_studio, project)
    for task, (colour, _) in list(zip(tasks, drawn, strict=True))[:6]:
        written = {**region("caption", "textarea", None), "to_name": "image", "value": {"text": [COLOURS[colour]]}}
        project.submit(task, [written])
    version = installation.await_version(project, 6)
    installation.await_stored(project, tasks[6:], version)
    for task, (colour, _) in list(zip(tasks, drawn, strict=True))[6:]:
        row = project.predictions(task)[-1]
        assert [one["value"] for one in row["result"]] == [{"text": [COLOURS[colour]]}]
        assert parse_config(CAPTIONS_CONFIG).validate({"result": row["result"], "score": row["score"]}) == []
    labelling.open_quick_view(project, tasks[-1])
    expect(labelling.page.get_by_text(COLOURS["blue"]).first).to_be_visible(timeout=PATIENCE)
    labelling.screenshot("caption")
