"""A project's labelling config as Label Studio has it now."""

from __future__ import annotations

from backend.errors import LabelStudioError, UnknownProject
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.projects.identity import Uid
from backend.projects.record import ProjectRecord


def read_config(label_studio: LabelStudio, record: ProjectRecord) -> LabellingConfig:
    """Ask Label Studio: the config in `record` is an older one where nothing announced a change of it.

    Raises `InvalidConfig`, `LabelStudioError`, and `UnknownProject` for one that was deleted, or whose id another
    project has by now (in a Label Studio that was set up anew).
    """
    try:
        project = label_studio.project(record.id, "created_at", "label_config")
    except LabelStudioError as error:
        if error.status != 404:
            raise
        raise UnknownProject(f"Project {record.uid} is gone from Label Studio; POST /delete forgets it here.") from None
    if Uid.from_project(record.id, str(project["created_at"])) != record.uid:
        raise UnknownProject(
            f"Label Studio's project {record.id} is not the one that {record.uid} was: it was created at "
            f"{project['created_at']}. POST /delete forgets the old one here."
        )
    return parse_config(str(project["label_config"]))
