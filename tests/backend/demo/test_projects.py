"""The sample projects in a real Label Studio."""

from __future__ import annotations

from pathlib import Path

from backend.demo.projects import sample_projects
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from tests.label_studio import LabelStudioInstance


def test_samples_are_made_once_and_a_deleted_one_anew(label_studio: LabelStudioInstance, tmp_path: Path) -> None:
    with LabelStudio(Connection(label_studio.url, label_studio.api_key)) as client:
        made = sample_projects(client, tmp_path)
        assert {project.title: client.project(project.id)["task_number"] for project in made} == {
            "Support tickets": 400,
            "Handwritten digits": 300,
            "Street scenes": 120,
        }
        image = label_studio.call("GET", f"/api/tasks/?project={made[1].id}&page_size=1")["tasks"][0]["data"]["image"]
        assert label_studio.session.get(image).content.startswith(b"\x89PNG")
        assert sample_projects(client, tmp_path) == made
        label_studio.call("DELETE", f"/api/projects/{made[0].id}/")
        again = sample_projects(client, tmp_path)
        assert again[0].id != made[0].id
        assert again[1:] == made[1:]
