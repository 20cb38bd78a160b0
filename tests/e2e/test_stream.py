"""The labelling stream in a real browser: pre-annotated, corrected, submitted, learnt, and pre-annotated anew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from backend.demo.projects import sample_projects
from backend.demo.samples import TICKETS_CONFIG, digits, tickets
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from backend.projects.judgement import Outcome
from backend.store.ledger import Judged
from tests.e2e.installation import Installation, choices
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
        """Open the stream, as somebody who comes to work now."""
        opened = self.labelling.open_stream(self.project)
        if self.labels:
            self.expect_shown(opened, self.version)
        return opened

    def submit(self, *labels: str) -> Opened:
        """Submit `labels`, which must be learnt and shown. Returns the task that is opened at once: with the version
        that there was until then, or with the new one if that comes very soon."""
        self.labelling.choose(*labels)
        opened = self.labelling.submit()
        before = self.version
        if before != "v0":
            self.labelling.expect_chosen(opened.predicted)
        self.await_version()
        if before != "v0":
            self.expect_shown(opened, before, self.version)
        return opened

    def await_version(self, submitted: int = 1) -> None:
        """So many more annotations were submitted: wait until they are learnt, and what is learnt is shown."""
        self.labels += submitted
        before, self.version = self.version, self.installation.await_version(self.project, self.labels)
        assert number(self.version) > number(before)

    def expect_shown(self, opened: Opened, *versions: str) -> None:
        """One of `versions` has predicted the task, and the page shows just that, as ticked boxes."""
        assert opened.version in versions
        assert opened.predicted
        self.labelling.expect_chosen(opened.predicted)


def number(version: str) -> int:
    return int(version.removeprefix("v"))


def accept_and_correct(person: Person, opened: Opened, labels: Sequence[str]) -> None:
    """Submit the prediction of the task that is `opened` as it is, and then another label than the next task's; both
    are learnt, and the ledger says what became of each."""
    accepted = opened
    corrected = person.submit(*accepted.predicted)
    person.submit(next(label for label in labels if label not in corrected.predicted))
    judged = [(entry.task, entry.version, entry.outcome, entry.edits) for entry in judgements(person)]
    assert judged[-2:] == [
        (accepted.task, accepted.version, Outcome.ACCEPTED, 0),
        (corrected.task, corrected.version, Outcome.CORRECTED, 1),
    ]


def judgements(person: Person) -> list[Judged]:
    return person.installation.judgements(person.project)


def test_tickets_from_the_first_label_on(
    installation: Installation,
    label_studio: LabelStudioInstance,
    labelling: LabellingPage,
    samples: dict[str, TestProject],
) -> None:
    person = Person(labelling, installation, samples["Support tickets"])
    installation.connect(label_studio, person.project)

    first = person.open_stream()
    labelling.screenshot("tickets-before-any-label")
    second = person.submit(topic(first.data))
    assert person.version == "v1"
    third = person.submit(topic(second.data))
    assert third.version in ("v1", "v2")
    labelling.screenshot(f"tickets-{third.version}")

    accept_and_correct(person, third, sorted(set(TOPICS.values())))
    labelling.screenshot(f"tickets-{person.version}")


def test_digits(
    installation: Installation,
    label_studio: LabelStudioInstance,
    labelling: LabellingPage,
    samples: dict[str, TestProject],
) -> None:
    person = Person(labelling, installation, samples["Handwritten digits"])
    installation.connect(label_studio, person.project)
    tasks = person.project.task_ids()[:8]
    for task in tasks:
        person.project.annotate(task, digit(person.project.task(task)["data"]), control="digit")
    person.await_version(len(tasks))

    opened = person.open_stream()
    labelling.screenshot(f"digits-{person.version}")

    accept_and_correct(person, opened, sorted(set(DIGITS.values())))


def test_several_choices(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(SEVERAL_CONFIG, "Several topics")
    sentences = {"Billing": "the invoice shows the wrong price.", "Delivery": "the parcel has not arrived."}
    answers = [["Billing", "Delivery"], ["Delivery"], ["Billing"]] * 12
    texts = [" And ".join(sentences[topic] for topic in answer) + f" {n}" for n, answer in enumerate(answers)]
    tasks = project.import_texts(texts)
    person = Person(labelling, installation, project)
    installation.connect(label_studio, project)
    for task, answer in list(zip(tasks, answers, strict=True))[:18]:
        project.annotate(task, *answer, control="topics")
    person.await_version(18)

    opened = person.open_stream()
    labelling.screenshot("several-choices")
    person.submit(*opened.predicted, "Praise")

    last = judgements(person)[-1]
    assert (last.task, last.version, last.outcome, last.edits) == (opened.task, opened.version, Outcome.CORRECTED, 1)
    submitted = project.task(opened.task)["annotations"][0]["result"]
    assert choices(submitted) == sorted([*opened.predicted, "Praise"])


def test_stored_predictions_are_shown_while_the_backend_is_stopped(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(TICKETS_CONFIG, "Stopped backend")
    tasks = project.import_texts(list(TOPICS)[:30])
    person = Person(labelling, installation, project)
    installation.connect(label_studio, project)
    for task in tasks[:5]:
        project.annotate(task, topic(project.task(task)["data"]))
    person.await_version(5)
    stored = installation.await_stored(project, tasks[5:], person.version)

    installation.stop()
    try:
        first = person.open_stream()
        labelling.screenshot("stopped-backend")
        labelling.choose(topic(first.data))
        second = labelling.submit()
        person.expect_shown(second, person.version)
        assert (first.predicted, second.predicted) == (stored[first.task], stored[second.task])
    finally:
        installation.start()

    person.await_version()  # the annotation that no webhook announced
    person.submit(topic(second.data))  # the task after it is opened with what was learnt since
