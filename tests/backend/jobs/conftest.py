"""Fixtures for jobs: the collaborators of one process, and a laboratory with a project to run jobs for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.settings import Settings
from tests.backend.jobs.laboratory import SAMPLES, Laboratory
from tests.label_studio import LabelStudioInstance


@pytest.fixture
def jobs_settings(label_studio: LabelStudioInstance, redis_url: str, tmp_path: Path) -> Settings:
    """Settings of a worker for the session's Label Studio and Redis, with a store of its own."""
    return Settings(
        label_studio_url=label_studio.url,
        label_studio_api_key=SecretStr(label_studio.api_key),
        data_dir=tmp_path / "data",
        redis_url=SecretStr(redis_url),
        torch_threads=1,
    )


@pytest.fixture
def collaborators(jobs_settings: Settings) -> Iterator[Collaborators]:
    parts = build_collaborators(jobs_settings)
    yield parts
    parts.close()


@pytest.fixture
def laboratory(collaborators: Collaborators, label_studio: LabelStudioInstance) -> Laboratory:
    """A recorded project with twelve texts, none labelled."""
    project = label_studio.new_project()
    tasks = project.import_texts([text for text, _ in SAMPLES])
    made = Laboratory(collaborators, project, tasks)
    made.record()
    return made
