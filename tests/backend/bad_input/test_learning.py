"""What must not stop the learning: each is trained around, and the queue goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from backend.embedded_redis import EmbeddedRedis
from backend.jobs.connection import open_redis
from backend.store.artifacts import Artifacts
from tests.backend.bad_input.learning import Learning, learning, uid_of
from tests.backend.bad_input.serving import IMAGE_CONFIG, chosen, picture
from tests.backend.labelstudio.media.conftest import Web, content
from tests.label_studio import TEXT_CONFIG, LabelStudioInstance, TestProject

pytestmark = pytest.mark.label_studio

BILLING = ("My invoice is wrong", "I was charged twice for my bill")
TECHNICAL = ("The app crashes when it starts", "I get an error when I log in")
OPEN = ("Please refund this invoice", "An error appears on the screen")


@pytest.fixture(scope="module")
def around(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis, label_studio: LabelStudioInstance
) -> Iterator[Learning]:
    with open_redis(redis_server.url) as connection:
        connection.flushall()
    with learning(tmp_path_factory.mktemp("learning"), redis_server.url, label_studio) as made:
        yield made


def labelled(around: Learning, config: str = TEXT_CONFIG) -> tuple[TestProject, list[int]]:
    """A project with two billing and two technical tasks labelled; its tasks, the last two of them open."""
    project = around.project(config)
    tasks = project.import_texts([*BILLING, *TECHNICAL, *OPEN])
    for task, topic in zip(tasks, ["billing"] * 2 + ["technical"] * 2, strict=False):
        project.annotate(task, topic)
    return project, tasks


def learns(around: Learning, project: TestProject, tasks: list[int]) -> None:
    """Whether the project goes on: it trains, serves what it trained, and Label Studio shows that for open tasks."""
    around.train(project)
    manifest = around.current(project)
    assert manifest is not None
    rows = [row for task in tasks[4:6] for row in project.predictions(task)]
    assert [row["model_version"] for row in rows] == [manifest.name] * 2
    assert [chosen(row) for row in rows] == [["billing"], ["technical"]]
    assert all(0 <= row["score"] <= 1 for row in rows)
    entries = around.backend.predict(
        [project.task(task) for task in tasks], uid_of(project), project.get()["label_config"]
    )
    assert {entry["model_version"] for entry in entries} == {manifest.name}


def add(project: TestProject, task: int, *regions: Any) -> None:
    """Submit an annotation with regions of any shape, which Label Studio's API takes."""
    body = {"result": list(regions), "lead_time": 1.0}
    project.studio.call("POST", f"/api/tasks/{task}/annotations/?project={project.id}", json=body)


def test_start_training_without_any_label(around: Learning) -> None:
    project = around.project(TEXT_CONFIG)
    tasks = project.import_texts([*BILLING, *TECHNICAL, *OPEN])
    around.train(project)
    assert around.current(project) is None
    (seen,) = (entry for entry in around.backend.client.get("/").json()["projects"] if entry["uid"] == uid_of(project))
    assert (seen["version"], seen["errors"], seen["job"]) == ("v0", [], None)
    for task, topic in zip(tasks, ["billing"] * 2 + ["technical"] * 2, strict=False):
        project.annotate(task, topic)
    learns(around, project, tasks)


def test_start_training_without_any_task(around: Learning) -> None:
    project = around.project(TEXT_CONFIG)
    around.train(project)
    assert around.current(project) is None


def test_only_one_class_so_far(around: Learning) -> None:
    project = around.project(TEXT_CONFIG)
    tasks = project.import_texts([*BILLING, *TECHNICAL, *OPEN])
    project.annotate(tasks[0], "billing")
    around.train(project)
    manifest = around.current(project)
    assert manifest is not None
    assert manifest.name == "v1"
    for task in tasks[1:]:
        for row in project.predictions(task):
            assert set(chosen(row)) <= {"billing", "technical", "other"}
    for task, topic in zip(tasks[1:], ["billing"] + ["technical"] * 2, strict=False):
        project.annotate(task, topic)
    learns(around, project, tasks)


def test_only_skipped_tasks(around: Learning) -> None:
    project = around.project(TEXT_CONFIG)
    for task in project.import_texts(OPEN):
        project.skip(task)
    around.train(project)
    assert around.current(project) is None


def test_an_annotation_whose_label_left_the_config(around: Learning) -> None:
    project, tasks = labelled(around)
    extra = project.import_texts(["What is the weather like?", "Do you like music?"])
    for task in extra:
        project.annotate(task, "other")
    around.train(project)
    project.patch(label_config=TEXT_CONFIG.replace('<Choice value="other"/>', ""))
    assert around.event(project, "PROJECT_UPDATED")["status"] == "accepted"
    around.settle(project)
    manifest = around.current(project)
    assert manifest is not None
    assert manifest.controls["topic"].labels == ("billing", "technical")
    learns(around, project, tasks)


def test_annotations_of_unknown_labels_types_and_controls(around: Learning) -> None:
    project, tasks = labelled(around)
    extra = project.import_texts([f"Something else {number}" for number in range(7)])
    region = {"id": "r", "from_name": "topic", "to_name": "text", "type": "choices"}
    add(project, extra[0], {**region, "value": {"choices": ["nobody knows this label"]}})
    add(project, extra[1], {**region, "type": "mystery", "value": {"mystery": [1, {"deep": None}]}})
    add(project, extra[2], {**region, "from_name": "gone", "value": {"choices": ["billing"]}})
    add(project, extra[3], {**region, "value": {"choices": "billing"}})
    add(project, extra[4], {**region, "value": {"choices": [1, None, {"a": "b"}]}})
    add(project, extra[5], {**region, "value": {"choices": ["billing", "technical"]}})
    add(project, extra[6], {"id": "r", "type": "relation", "from_id": "a", "to_id": "b", "direction": "right"})
    learns(around, project, tasks)


def test_a_config_that_loses_everything_trainable(around: Learning) -> None:
    project = around.project(TEXT_CONFIG)
    tasks = project.import_texts([*BILLING, *TECHNICAL, *OPEN])
    project.patch(label_config='<View><Text name="text" value="$text"/><TextArea name="notes" toName="text"/></View>')
    around.event(project, "PROJECT_UPDATED")
    around.train(project)
    assert around.current(project) is None
    (seen,) = (entry for entry in around.backend.client.get("/").json()["projects"] if entry["uid"] == uid_of(project))
    assert any("nothing that can be learnt" in note for note in seen["notes"])
    project.patch(label_config=TEXT_CONFIG)
    around.event(project, "PROJECT_UPDATED")
    for task, topic in zip(tasks, ["billing"] * 2 + ["technical"] * 2, strict=False):
        project.annotate(task, topic)
    learns(around, project, tasks)


def test_tasks_without_a_text_are_left_out(around: Learning) -> None:
    project, tasks = labelled(around)
    bad = project.import_tasks([{"data": {"text": 17}}, {"data": {"text": 2.5}}, {"data": {"text": ["a", "b"]}}])
    project.annotate(bad[0], "billing")
    learns(around, project, tasks)
    assert [row["result"] for task in bad[1:] for row in project.predictions(task)] in ([], [[], []])


def test_a_project_is_learnt_with_a_model_that_is_not_there(around: Learning) -> None:
    project = around.project(TEXT_CONFIG)
    tasks = project.import_texts([*BILLING, *TECHNICAL, *OPEN])
    for attribute in ('prelabel_model="nobody/knows.v1"', 'model_path="absent.safetensors"'):
        project.patch(label_config=TEXT_CONFIG.replace('toName="text"', f'toName="text" {attribute}'))
        around.event(project, "PROJECT_UPDATED")
        around.settle(project)
        for task, topic in zip(tasks, ["billing"] * 2 + ["technical"] * 2, strict=False):
            if not project.task(task)["annotations"]:
                project.annotate(task, topic)
        around.train(project)
        assert around.current(project) is None
    project.patch(label_config=TEXT_CONFIG)
    around.event(project, "PROJECT_UPDATED")
    learns(around, project, tasks)


def test_labels_with_quotes_emoji_and_10_000_characters(around: Learning) -> None:
    odd = ("it's \"quoted\" & 'quoted' <again>", "👩‍🚀 Ärger 中文", "billing and invoices " * 476 + "1234")
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in odd)
    config = f'<View><Text name="text" value="$text"/><Choices name="topic" toName="text">{choices}</Choices></View>'
    project = around.project(config)
    texts = ["The train was late", "No bus at the station", "I love this song", "What a concert", *BILLING, *OPEN]
    tasks = project.import_texts([*texts, "When does the train arrive?"])
    for number, task in enumerate(tasks[:6]):
        project.annotate(task, odd[number // 2])
    around.train(project)
    manifest = around.current(project)
    assert manifest is not None
    assert manifest.controls["topic"].labels == odd
    shown = [chosen(row) for task in tasks[6:] for row in project.predictions(task)]
    assert shown[0] == [odd[2]]
    assert shown[2] == [odd[0]]
    entries = around.backend.predict([project.task(task) for task in tasks], uid_of(project), config)
    assert {label for entry in entries for label in chosen(entry)} <= set(odd)


def test_media_that_cannot_be_read_are_left_out(around: Learning, web: Web) -> None:
    project = around.project(IMAGE_CONFIG)
    web.pages |= {f"/{colour}.png": content(picture(colour)) for colour in ("red", "blue")}
    web.pages["/text.jpg"] = content(b"just some text")
    values = ["red.png", "blue.png", "gone.png", "text.jpg", "red.png?2", "blue.png?2", "gone.png?2"]
    web.pages |= {f"/{colour}.png?2": web.pages[f"/{colour}.png"] for colour in ("red", "blue")}
    tasks = project.import_tasks([{"data": {"image": f"{web.url}/{value}"}} for value in values])
    for task, colour in zip(tasks, ("red", "blue", "red", "blue"), strict=False):
        project.annotate(task, colour, control="colour")
    around.train(project)
    manifest = around.current(project)
    assert manifest is not None
    assert any("2 labelled tasks cannot be read" in note for note in manifest.notes)
    rows = {task: [chosen(row) for row in project.predictions(task)] for task in tasks[4:]}
    assert (rows[tasks[4]], rows[tasks[5]]) == ([["red"]], [["blue"]])
    assert rows[tasks[6]] in ([], [[]])


def test_training_again_mends_a_damaged_version(around: Learning) -> None:
    project, tasks = labelled(around)
    around.train(project)
    damaged = around.current(project)
    assert damaged is not None
    folder = Artifacts(around.store).fetch(damaged.controls["topic"].artifact)
    (folder / "weights.safetensors").write_bytes(b"not what was published")
    learns(around, project, tasks)


def test_an_event_of_a_deleted_project(around: Learning) -> None:
    project, _ = labelled(around)
    event = {"action": "START_TRAINING", "project": project.get()}
    assert around.backend.post("/delete", {"project": uid_of(project)}).status_code == 200
    around.backend.post("/webhook", event)
    around.settle(project)
    other, tasks = labelled(around)
    learns(around, other, tasks)
