"""The labelling stream in a real browser: pre-annotated, corrected, submitted, learnt, and pre-annotated anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from backend.demo.projects import sample_projects
from backend.demo.samples import digits, tickets
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from backend.projects.judgement import Outcome
from tests.e2e.conftest import Connect
from tests.e2e.installation import Installation, choices, shown
from tests.e2e.labelling_page import LabellingPage, Opened
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = [pytest.mark.browser, pytest.mark.label_studio]

SEVERAL_CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topics" toName="text" choice="multiple">
    <Choice value="Billing"/><Choice value="Delivery"/><Choice value="Praise"/>
  </Choices>
</View>"""

TOPICS = {ticket.text: ticket.topic for ticket in tickets()}
DIGITS = {image.name: str(image.digit) for image in digits()}


@pytest.fixture(scope="module")
def samples(label_studio: LabelStudioInstance, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TestProject]:
    """The sample projects of `make run`, by title."""
    with LabelStudio(Connection(label_studio.url, label_studio.api_key)) as client:
        made = sample_projects(client, tmp_path_factory.mktemp("samples"))
    found = {}
    for sample in made:
        created = label_studio.call("GET", f"/api/projects/{sample.id}/")
        found[sample.title] = TestProject(label_studio, sample.id, created)
    return found


def topic(data: dict[str, Any]) -> str:
    return TOPICS[data["text"]]


def digit(data: dict[str, Any]) -> str:
    found = re.search(r"digit-\d+\.png", data["image"])
    assert found, data
    return DIGITS[found[0]]


@dataclass
class Person:
    """Labels a project, and after each submission waits until it is learnt."""

    labelling: LabellingPage
    installation: Installation
    project: TestProject
    labels: int = 0
    version: str = "v0"

    def open_stream(self) -> Opened:
        return self.labelling.open_stream(self.project)

    def submit(self, *labels: str) -> Opened:
        """Submit `labels`; a new version must come of it. Returns the task that is opened after that."""
        self.labelling.choose(*labels)
        opened = self.labelling.submit()
        self.await_version()
        return opened

    def await_version(self, labels: int = 1) -> None:
        """So many more annotations were submitted: wait until they are learnt, and shown in the project."""
        self.labels += labels
        before, self.version = self.version, self.installation.await_version(self.project, self.labels)
        assert number(self.version) > number(before)
        assert self.project.get()["model_version"] == self.version

    def expect_shown(self, opened: Opened) -> None:
        """The page shows a stored prediction of the newest version, no other, as ticked boxes."""
        stored = shown(self.project, opened.task)
        assert (opened.version, opened.predicted) == (self.version, stored[0][1]), (opened, stored)
        assert stored == [(self.version, opened.predicted)]
        assert opened.predicted
        self.labelling.expect_chosen(opened.predicted)


def number(version: str) -> int:
    return int(version.removeprefix("v"))


def reopen(person: Person) -> Opened:
    """The stream as somebody finds it who opens it now: with the newest version."""
    opened = person.open_stream()
    person.expect_shown(opened)
    return opened


def test_tickets_from_the_first_label_on(
    installation: Installation, connect: Connect, labelling: LabellingPage, samples: dict[str, TestProject]
) -> None:
    person = Person(labelling, installation, samples["Support tickets"])
    connect(person.project)

    opened = person.open_stream()
    labelling.screenshot("tickets-before-any-label")
    for _ in range(3):
        person.submit(topic(opened.data))
        opened = reopen(person)
        labelling.screenshot(f"tickets-{person.version}")
