"""Clicks, boxes and selections in a real Label Studio: what its page asks, and what people see and keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from backend.converters import CONVERTERS
from backend.interactive.documents import document_of
from backend.interactive.ids import group_of
from backend.interactive.ready import READY
from backend.labelstudio.config import LabellingConfig, every_control
from model_zoo.boxes import overlaps
from model_zoo.interactive.poses import COCO_POINTS
from model_zoo.masks import pixels
from model_zoo.types import Mask
from tests.e2e.drawing import PATIENCE, Area, Canvas
from tests.e2e.installation import Installation
from tests.e2e.labelling_page import LabellingPage
from tests.e2e.pointing import accept, click, drag, select, switch_on, write
from tests.e2e.test_drawing import submitted
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

WIDTH, HEIGHT = 400, 300
BALL = (60, 40, 160, 140)
MIDDLE = (110, 90)
OTHERS = ((250, 30, 350, 130), (220, 170, 320, 270))
LOOSE = (50, 28, 172, 152)
TEXT = "\N{GRINNING FACE} Ada met Bob in Paris. Later Ada left Paris.\nNobody else was in Paris."
PAGE = "<h3>Paris</h3><p>Ada met <b>Bob</b> in Paris.</p><table><tr><td>Paris<td>Rome</table>"
TURNS = [{"author": "Ada", "text": "\N{GRINNING FACE} I was in Paris."}, {"author": "Bob", "text": "Paris? Paris!"}]
CAPTION = "A red ball on grey ground."


def picture(path: Path, *balls: Area) -> Path:
    image = Image.new("RGB", (WIDTH, HEIGHT), (120, 120, 120))
    for ball in balls:
        ImageDraw.Draw(image).ellipse(ball, fill=(220, 20, 20))
    image.save(path)
    return path


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """As on a laptop, but for a network of poses, and patience with busy processors."""
    folder = tmp_path_factory.mktemp("prelabel-interactive")
    if find_spec("ultralytics") is not None:
        stickmen(folder / "yolov8n-pose.pt")
    settings = {"WEIGHTS_DIR": str(folder), "INTERACTIVE_BUDGET": "20"}
    installation = Installation(folder / "data", **{f"PRELABEL_{name}": value for name, value in settings.items()})
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


def stickmen(file: Path) -> None:
    """A network that sees, in whatever it looks at, a faint person of six cells around each of its largest cells, with
    all points in a circle; every other one is hidden."""
    import torch

    from model_zoo.object_detection.upstream import build

    network = build("yolov8n-pose", "pose")
    head = network.model[-1]
    with torch.no_grad():
        for level, (box, score, points) in enumerate(zip(head.cv2, head.cv3, head.cv4, strict=True)):
            for branch in (box, score, points):
                branch[-1].weight.zero_()
                branch[-1].bias.zero_()
            box[-1].bias.view(4, -1)[:, 3] = 30
            score[-1].bias.fill_(-1.4 if level == 2 else -12)  # too little to be shown before anybody asks
            angles = torch.arange(17) / 17 * 2 * torch.pi
            places = torch.stack([angles.cos(), angles.sin(), torch.arange(17) % 2 * -3 + 2.4], dim=1)
            points[-1].bias.copy_(places.flatten())
    torch.save({"model": network}, file)


@dataclass(frozen=True)
class Known:
    """A ready config in a connected project with tasks. `page` shows the first of them."""

    name: str
    project: TestProject
    tasks: tuple[int, ...]
    page: LabellingPage

    @property
    def canvas(self) -> Canvas:
        return Canvas(self.page.page, WIDTH, HEIGHT)

    def submit(self, number: int = 0) -> list[dict[str, Any]]:
        """Press "Submit"; what is stored of the task of that number."""
        self.page.page.get_by_label("Submit current annotation").click()
        return submitted(self.page, self.project, self.tasks[number])


@pytest.fixture(scope="module")
def projects(
    installation: Installation, label_studio: LabelStudioInstance, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[TestProject, tuple[int, ...]]]:
    """A connected project of each ready config, with its tasks."""
    folder = tmp_path_factory.mktemp("pictures")
    one, three = picture(folder / "ball.png", BALL), picture(folder / "balls.png", BALL, *OTHERS)
    data = {"text": TEXT, "html": PAGE, "turns": TURNS}
    made = {}
    for name, ready in READY.items():
        project = label_studio.new_project(ready.xml, title=f"interactive {name}")
        if "image" in ready.data:
            count = 2 if "caption" in name else 1
            made[name] = project, tuple(project.upload(three if name == "similar-boxes" else one) for _ in range(count))
        else:
            made[name] = project, tuple(project.import_tasks([{"data": {key: data[key] for key in ready.data}}]))
    *others, last = (project for project, _ in made.values())
    installation.connect(label_studio, last)  # which is told of annotations, and learns them when all else is done
    for project in others:  # as in a project's settings, which takes a tenth of the time
        body = {"project": project.id, "title": "Mine", "url": installation.url, "extra_params": ""}
        label_studio.call("POST", "/api/ml", json={**body, "is_interactive": True})
    return made


def disc(mask: np.ndarray[Any, Any]) -> float:
    """Overlap of a mask with the ball."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    ball = (columns - MIDDLE[0]) ** 2 + (rows - MIDDLE[1]) ** 2 <= 50**2
    return float((mask & ball).sum() / (mask | ball).sum())


def corners(region: dict[str, Any]) -> Area:
    value = region["value"]
    left, top = value["x"] / 100 * WIDTH, value["y"] / 100 * HEIGHT
    return left, top, left + value["width"] / 100 * WIDTH, top + value["height"] / 100 * HEIGHT


def shared(first: Sequence[float], second: Sequence[float]) -> float:
    return float(overlaps(np.array([first], np.float32), np.array([second], np.float32))[0, 0])


def a_mask(known: Known) -> None:
    """From a click and one with Alt, or from a box."""
    if known.name == "box-to-mask":
        drag(known.canvas, "Person", LOOSE)
    else:
        click(known.canvas, "Person", *MIDDLE)
        click(known.canvas, "Person", 20, 20, alt=True)
    accept(known.page.page, f"interactive-{known.name}-suggested")
    known.canvas.expect_regions(1)
    known.page.screenshot(f"interactive-{known.name}")
    (region,) = known.submit()
    (control,) = (one for one in every_control(READY[known.name].xml) if one.name == "mask")
    decoded = CONVERTERS[control.tag].decode(control, [region])
    assert isinstance(decoded, tuple)
    (mask,) = decoded
    assert isinstance(mask, Mask)
    assert mask.label == "Person"
    assert disc(pixels(mask)) > 0.85
    assert group_of(region["id"]) is not None
    assert region["origin"] == "manual"


def boxes(known: Known) -> None:
    drawn = LOOSE if known.name == "tight-boxes" else BALL
    drag(known.canvas, "Car", drawn)
    accept(known.page.page, f"interactive-{known.name}-suggested")
    wanted = [BALL] if known.name == "tight-boxes" else [BALL, *OTHERS]
    known.canvas.expect_regions(len(wanted))
    known.page.screenshot(f"interactive-{known.name}")
    result = known.submit()
    assert {region["from_name"] for region in result} == {"box"}
    assert {tuple(region["value"]["rectanglelabels"]) for region in result} == {("Car",)}
    assert len({region["id"] for region in result}) == len(wanted)
    assert all(max(shared(corners(region), ball) for region in result) > 0.8 for ball in wanted)


def points(known: Known) -> None:
    drag(known.canvas, "Person", BALL)
    accept(known.page.page, f"interactive-{known.name}-suggested")
    wanted = [label.name for label in every_control(READY["points"].xml)[1].labels]
    known.page.screenshot(f"interactive-{known.name}")
    result = known.submit()
    (box,) = (region for region in result if region["from_name"] == "person")
    assert shared(corners(box), BALL) > 0.9
    dots = {region["id"]: region for region in result if region["from_name"] == "point"}
    assert sorted(region["value"]["keypointlabels"][0] for region in dots.values()) == sorted(wanted)
    assert {region["parentID"] for region in dots.values()} == {box["id"]}
    said = {region["id"]: region["value"]["choices"][0] for region in result if region["from_name"] == "visibility"}
    assert said.keys() == dots.keys()
    seen = {COCO_POINTS[at]: "Visible" if at % 2 == 0 else "Occluded" for at in range(17)}
    assert all(said[one] == seen[region["value"]["keypointlabels"][0].lower()] for one, region in dots.items())


def spans(known: Known) -> None:
    select(known.page.page, "Place", "Paris")
    Canvas(known.page.page, 1, 1).expect_regions(3)
    known.page.screenshot(f"interactive-{known.name}")
    result = known.submit()
    (control,) = every_control(READY[known.name].xml)
    data = known.project.task(known.tasks[0])["data"]
    text = CONVERTERS[control.tag].input_of(control, data)
    document = document_of(control, {"data": data}, text)
    places = [document.place_of(region) for region in result]
    assert [text[place[0] : place[1]] for place in places if place is not None] == ["Paris"] * 3
    assert len(set(places)) == 3
    assert {tuple(one["value"][control.tag.lower()]) for one in result} == {("Place",)}
    assert len({one["id"] for one in result}) == 3


def captions(known: Known) -> None:
    """The first task's is finished; the second one's goes on as it did, or is put beside it."""
    page = known.page.page
    write(page, CAPTION)
    expect(page.get_by_text(CAPTION).first).to_be_visible(timeout=PATIENCE)
    (first,) = known.submit()
    assert first["value"]["text"] == [CAPTION]
    expect(page.locator(".lsf-current-task__task-id")).to_contain_text(str(known.tasks[1]), timeout=PATIENCE)
    switch_on(page)
    begun = "One red ball on grey ground." if known.name == "better-captions" else "A red ba"
    write(page, begun)
    expect(page.get_by_text(CAPTION).first).to_be_visible(timeout=PATIENCE)
    known.page.screenshot(f"interactive-{known.name}")
    (second,) = known.submit(1)
    assert second["value"]["text"] == ([begun, CAPTION] if known.name == "better-captions" else [CAPTION])


WAYS: dict[str, Callable[[Known], None]] = {
    **dict.fromkeys(("masks", "bitmasks", "polygons", "box-to-mask"), a_mask),
    **dict.fromkeys(("similar-boxes", "tight-boxes"), boxes),
    "points": points,
    **dict.fromkeys(("spans", "page-spans", "dialogue-spans"), spans),
    **dict.fromkeys(("captions", "better-captions"), captions),
}


@pytest.mark.parametrize("name", list(READY))
def test_a_ready_config_works_when_it_is_pasted(
    projects: dict[str, tuple[TestProject, tuple[int, ...]]], person: LabellingPage, name: str
) -> None:
    """Label Studio takes it, the page opens with it, and what one does there is answered, seen, saved and read back."""
    if name == "points" and find_spec("ultralytics") is None:
        pytest.skip("the extra `detection` is not installed")
    project, tasks = projects[name]
    first = person.open_stream(project).task  # by uncertainty, where the project was connected
    known = Known(name, project, tuple(sorted(tasks, key=lambda task: task != first)), person)
    if "image" in READY[name].data and WAYS[name] is not captions:  # there is nothing to draw with
        known.canvas.ready()
    switch_on(person.page)
    try:
        WAYS[name](known)
    finally:
        person.screenshot(f"interactive-{name}-end")
    for task in tasks:
        (annotation,) = project.task(task)["annotations"]
        assert LabellingConfig(READY[name].xml, ()).validate({"result": annotation["result"], "score": 0.5}) == []
