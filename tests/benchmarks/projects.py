"""Projects to measure with: generated tickets and scikit-learn's digits, of which the right answers are known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from backend.demo.samples import DIGITS_CONFIG, TICKETS_CONFIG, digits, tickets
from backend.projects.identity import Uid
from tests.label_studio import LabelStudioInstance, TestProject

SEVERAL_CONFIG = TICKETS_CONFIG.replace('choice="single"', 'choice="multiple"')
UPLOADED_AT_ONCE = 50


@dataclass(frozen=True)
class Known:
    """A project whose tasks' right answers are known, driven as people drive it."""

    project: TestProject
    control: str
    answers: dict[str, str]
    """By what the task shows: the text, or the uploaded file's name."""

    @property
    def id(self) -> int:
        return self.project.id

    @property
    def uid(self) -> str:
        return Uid.from_project(self.id, str(self.project.created["created_at"]))

    @property
    def config(self) -> str:
        return str(self.project.created["label_config"])

    def answer(self, task: dict[str, Any]) -> str:
        data = task["data"]
        # Label Studio puts some digits and a dash before an uploaded file's name.
        key = data["text"] if "text" in data else PurePosixPath(data["image"]).name.split("-", 1)[1]
        return self.answers[key]

    def open(self, task: int) -> dict[str, Any]:
        return self.project.task(task)

    def submit(self, task: dict[str, Any]) -> float:
        """Submit the right answer; the seconds that it took, as the labelling page sees them."""
        body = {"result": self.project.regions(self.answer(task), control=self.control), "lead_time": 2.0}
        begun = time.perf_counter()
        self.project.studio.call("POST", f"/api/tasks/{task['id']}/annotations/?project={self.id}", json=body)
        return time.perf_counter() - begun

    def unlabelled(self, count: int) -> list[dict[str, Any]]:
        """The first `count` tasks without an annotation, by id."""
        params = {"project": self.id, "page_size": 100_000, "fields": "all"}
        rows = self.project.studio.call("GET", "/api/tasks/", params=params)["tasks"]
        return sorted((row for row in rows if not row["total_annotations"]), key=lambda row: int(row["id"]))[:count]

    def predict_body(self, *tasks: dict[str, Any]) -> dict[str, Any]:
        """What Label Studio posts to `/predict`."""
        shown = [{"id": task["id"], "data": task["data"], "annotations": [], "predictions": []} for task in tasks]
        return {
            "tasks": shown,
            "project": self.uid,
            "label_config": self.config,
            "params": {"login": None, "password": None, "context": None},
        }

    def setup_body(self) -> dict[str, Any]:
        """What Label Studio posts to `/setup`."""
        studio = self.project.studio
        return {
            "project": self.uid,
            "schema": self.config,
            "hostname": studio.url,
            "access_token": "0" * 40,
            "extra_params": None,
        }

    def event_body(self, task: dict[str, Any]) -> dict[str, Any]:
        """What Label Studio posts to `/webhook` when somebody submits an answer to `task`."""
        result = self.project.regions(self.answer(task), control=self.control)
        annotation = {"id": 10_000_000 + task["id"], "task": task["id"], "result": result, "was_cancelled": False}
        return {
            "action": "ANNOTATION_CREATED",
            "annotation": annotation,
            "task": task,
            "project": self.project.get(),
        }


def text_project(
    studio: LabelStudioInstance, count: int, labelled: int = 0, *, several: bool = False, title: str = "Tickets"
) -> Known:
    """`count` tickets, of which the first `labelled` are imported with their annotations."""
    project = studio.new_project(SEVERAL_CONFIG if several else TICKETS_CONFIG, title)
    made = list(tickets(count))
    known = Known(project, "topic", {ticket.text: ticket.topic for ticket in made})
    tasks: list[dict[str, Any]] = [{"data": {"text": ticket.text}} for ticket in made]
    for task, ticket in zip(tasks[:labelled], made, strict=False):
        task["annotations"] = [{"result": project.regions(ticket.topic, control="topic")}]
    studio.call("POST", f"/api/projects/{project.id}/import", json=tasks)
    return known


def image_project(studio: LabelStudioInstance, count: int, labelled: int = 0, *, title: str = "Digits") -> Known:
    """`count` uploaded images, of which the first `labelled` are annotated one by one."""
    project = studio.new_project(DIGITS_CONFIG, title)
    known = Known(project, "digit", {})
    upload(known, count)
    for task in known.unlabelled(labelled):
        known.submit(task)
    return known


def upload(images: Known, count: int) -> None:
    """Add `count` images that the project does not have yet."""
    have = len(images.answers)
    made = list(digits(have + count))[have:]
    images.answers.update({image.name: str(image.digit) for image in made})
    for start in range(0, len(made), UPLOADED_AT_ONCE):
        part = made[start : start + UPLOADED_AT_ONCE]
        files = [(image.name, (image.name, image.png, "image/png")) for image in part]
        images.project.studio.call("POST", f"/api/projects/{images.id}/import", files=files)


def add_texts(texts: Known, count: int) -> None:
    """Add `count` tickets that the project does not have yet."""
    have = len(texts.answers)
    made = list(tickets(have + count))[have:]
    texts.answers.update({ticket.text: ticket.topic for ticket in made})
    tasks = [{"data": {"text": ticket.text}} for ticket in made]
    texts.project.studio.call("POST", f"/api/projects/{texts.id}/import", json=tasks)


def submit_all(known: Known, tasks: Sequence[dict[str, Any]], pause: float) -> list[float]:
    """Submit answers to `tasks` at a person's pace; the seconds that each submission took."""
    took = []
    for task in tasks:
        took.append(known.submit(task))
        time.sleep(pause)
    return took
