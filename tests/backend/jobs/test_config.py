"""Reading a project's config from a real Label Studio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.errors import UnknownProject
from backend.jobs.config import read_config
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from backend.projects.identity import Uid
from backend.projects.record import ProjectRecord
from tests.label_studio import TEXT_CONFIG, LabelStudioInstance, TestProject


@pytest.fixture
def client(label_studio: LabelStudioInstance) -> Iterator[LabelStudio]:
    with LabelStudio(Connection(label_studio.url, label_studio.api_key)) as client:
        yield client


def record_of(project: TestProject) -> ProjectRecord:
    return ProjectRecord(Uid.from_project(project.id, project.created["created_at"]), "test", TEXT_CONFIG)


def test_what_label_studio_has_now_counts(client: LabelStudio, project: TestProject) -> None:
    project.patch(label_config=TEXT_CONFIG.replace("billing", "money"))
    assert read_config(client, record_of(project)).controls[0].label_names == ("money", "technical", "other")


def test_another_project_under_the_same_id_is_not_mixed_up(client: LabelStudio, project: TestProject) -> None:
    former = ProjectRecord(f"{project.id}.1000000000", "test", TEXT_CONFIG)
    with pytest.raises(UnknownProject, match=f"is not the one that {former.uid} was"):
        read_config(client, former)


def test_a_deleted_project_is_said_to_be_gone(client: LabelStudio, project: TestProject) -> None:
    project.studio.call("DELETE", f"/api/projects/{project.id}/")
    with pytest.raises(UnknownProject, match="is gone from Label Studio"):
        read_config(client, record_of(project))
