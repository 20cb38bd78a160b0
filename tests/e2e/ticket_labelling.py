"""A project of tickets that people label while a test does something else to the backend."""

from __future__ import annotations

from dataclasses import dataclass

from backend.demo.samples import TICKETS_CONFIG, Ticket, tickets
from backend.projects.identity import version_number
from tests.e2e.backend_process import BackendProcess
from tests.label_studio import LabelStudioInstance, TestProject
from tests.processes import eventually

SAMPLES: list[Ticket] = list(tickets(420))
LABELLED = 5
"""Tickets that are labelled before the test hits anything."""


@dataclass
class Labelling:
    """A project of tickets that is being labelled; tickets are taken in order."""

    backend: BackendProcess
    project: TestProject
    uid: str
    tasks: list[int]
    done: int = 0

    def label(self, count: int = 1) -> int:
        """Submit the true topics of the next tickets; the last one's task."""
        task = 0
        for _ in range(count):
            task = self.tasks[self.done]
            self.project.annotate(task, SAMPLES[self.done].topic)
            self.done += 1
        return task

    @property
    def version(self) -> int:
        return version_number(self.backend.version(self.uid))

    def learnt(self, name: str | None = None) -> set[int]:
        """The tasks that a version, or the current one, has learnt from."""
        manifest = self.backend.collaborators.versions.get(self.uid, name or self.backend.version(self.uid))
        if manifest.snapshot is None:  # a copy of another project's version
            return set()
        return {record.task for record in self.backend.collaborators.snapshots.read(self.uid, manifest.snapshot)}

    def wait_until_learnt(self, task: int, seconds: float = 90.0) -> None:
        def instead() -> str:
            training = self.backend.training(self.uid)
            return f"a version that knows task {task}; the training is {training}; {self.backend.log()[-3000:]}"

        eventually(lambda: self.version and task in self.learnt(), instead, seconds)


def connected(backend: BackendProcess, label_studio: LabelStudioInstance, count: int = 60) -> Labelling:
    """A connected project of so many tickets, with a version."""
    project = label_studio.new_project(TICKETS_CONFIG)
    tasks = project.import_texts([sample.text for sample in SAMPLES[:count]])
    made = Labelling(backend, project, backend.connect(project), tasks)
    made.wait_until_learnt(made.label(LABELLED), 180.0)
    return made
