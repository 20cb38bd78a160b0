"""Makes the sample projects in a Label Studio, and finds them again at the next start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from backend.demo.samples import DIGITS_CONFIG, TICKETS_CONFIG, digits, tickets
from backend.demo.streets import STREETS_CONFIG, streets
from backend.errors import LabelStudioError
from backend.labelstudio.client import LabelStudio

FILE = "demo-projects.json"
UPLOADED_AT_ONCE = 50
"""Files in one request; Django refuses more than 100."""


@dataclass(frozen=True)
class SampleProject:
    """A sample project: its title and its id in Label Studio."""

    title: str
    id: int


def sample_projects(client: LabelStudio, data_dir: Path) -> list[SampleProject]:
    """The sample projects of this Label Studio. What is missing is made; a deleted one is made anew."""
    file = data_dir / FILE
    known: dict[str, dict[str, int]] = json.loads(file.read_text()) if file.exists() else {}
    here = known.setdefault(client.url, {})
    found = []
    with httpx.Client(base_url=client.url + "/", headers=client.authorization_header(), timeout=120.0) as http:
        for title, make in _SAMPLES.items():
            if title not in here or not _exists(http, here[title]):
                here[title] = make(http, title)
                file.write_text(json.dumps(known, indent=2))
            found.append(SampleProject(title, here[title]))
    return found


def _make_tickets(http: httpx.Client, title: str) -> int:
    project = _create(http, title, TICKETS_CONFIG)
    _post(http, f"api/projects/{project}/import", json=[{"text": ticket.text} for ticket in tickets()])
    return project


def _make_digits(http: httpx.Client, title: str) -> int:
    project = _create(http, title, DIGITS_CONFIG)
    _upload(http, project, ((image.name, image.png, "image/png") for image in digits()))
    return project


def _make_streets(http: httpx.Client, title: str) -> int:
    project = _create(http, title, STREETS_CONFIG)
    _upload(http, project, ((street.name, street.jpeg, "image/jpeg") for street in streets()))
    return project


_SAMPLES = {"Support tickets": _make_tickets, "Handwritten digits": _make_digits, "Street scenes": _make_streets}


def _upload(http: httpx.Client, project: int, images: Iterator[tuple[str, bytes, str]]) -> None:
    """Make a task of each image, given as name, bytes and media type."""
    while batch := list(islice(images, UPLOADED_AT_ONCE)):
        # Under a name each: of several files with one name Label Studio takes the last.
        files = [(name, (name, content, kind)) for name, content, kind in batch]
        _post(http, f"api/projects/{project}/import", files=files)


def _create(http: httpx.Client, title: str, config: str) -> int:
    return int(_post(http, "api/projects/", json={"title": title, "label_config": config})["id"])


def _exists(http: httpx.Client, project: int) -> bool:
    return http.get(f"api/projects/{project}/").status_code == 200


def _post(http: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = http.post(path, **body)
    if not answer.is_success:
        raise LabelStudioError(
            f"Label Studio refused a sample project: POST {path} answered {answer.status_code}, {answer.text[:300]}. "
            "Does its token belong to somebody who may make projects?",
            answer.status_code,
        )
    made: dict[str, Any] = answer.json()
    return made
