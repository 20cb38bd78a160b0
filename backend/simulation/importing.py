"""A labelled set into a project of Label Studio: its tasks and, when asked for, the annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from backend.errors import InvalidRequest
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import shorten
from backend.labelstudio.uploads import FILES_AT_ONCE, Uploads
from backend.simulation.labelled import TAGS, LabelledSet, Task
from backend.simulation.regions import FROM, NAMES, TO, VISIBILITY

Step = Callable[[int, int], None]
"""Told how many files are uploaded, of how many."""


@dataclass(frozen=True)
class Place:
    """Where a project's config takes the set: the key in a task's data, and its own name for each name of ours."""

    key: str
    names: Mapping[str, str]


def import_set(
    client: LabelStudio,
    project: int,
    found: LabelledSet,
    *,
    annotations: bool = False,
    prefix: str | None = None,
    step: Step = lambda done, total: None,
) -> int:
    """Make the set's tasks in a project; how many. Images are uploaded, or where a `prefix` is given, are there already
    under it. A project without config gets the set's.

    Raises `InvalidRequest` where the project's config does not take the set, `LabelStudioError`.
    """
    place = _place(client, project, found)
    with Uploads(client, project) as uploads:
        values = [str(task["data"][found.kind.data_key]) for task in found.tasks]
        if found.kind.is_text:
            addresses = values
        elif prefix is not None:
            addresses = [prefix + (quote(value) if prefix.startswith(("http", "/")) else value) for value in values]
        else:
            addresses = list(_uploaded(uploads, found, values, step))
        tasks = [
            _task(task, address, place, found, annotations)
            for task, address in zip(found.tasks, addresses, strict=True)
        ]
        return uploads.tasks(tasks)


def _uploaded(uploads: Uploads, found: LabelledSet, values: Sequence[str], step: Step) -> Iterator[str]:
    for number, address in enumerate(uploads.files([found.root / value for value in values]), 1):
        if number % FILES_AT_ONCE == 0 or number == len(values):
            step(number, len(values))
        yield address


def _task(task: Task, address: str, place: Place, found: LabelledSet, annotations: bool) -> Task:
    data = {key: value for key, value in task["data"].items() if key != found.kind.data_key}
    made: Task = {"data": {**data, place.key: address}}
    if annotations:
        made["annotations"] = [
            {"result": _renamed(annotation["result"], place), "ground_truth": False}
            for annotation in task["annotations"]
        ]
    return made


def _renamed(result: Sequence[Mapping[str, Any]], place: Place) -> list[dict[str, Any]]:
    """Regions under the project's names; those of controls that it does not have are left out."""
    kept = []
    for region in result:
        if region["from_name"] in place.names:
            renamed = {**region, "from_name": place.names[region["from_name"]], "to_name": place.names[TO]}
            if NAMES not in place.names:
                renamed.pop("parentID", None)
            kept.append(renamed)
    return kept


def _place(client: LabelStudio, project: int, found: LabelledSet) -> Place:
    config = str(client.project(project).get("label_config") or "<View></View>")
    root: Element = fromstring(config)
    if not any(element.get("toName") for element in root.iter()):
        client.update_project(project, label_config=found.config)
        root = fromstring(found.config)
    tag = TAGS[found.kind]
    for control in root.iter():
        target = _object(root, control) if control.tag == tag and not control.get("perRegion") else None
        if target is not None and not _missing(control, found):
            names = {FROM: control.attrib["name"], TO: target.attrib["name"], **_companions(root, target)}
            return Place(target.attrib["value"][1:], names)
        if target is not None:
            missing = ", ".join(shorten(name) for name in _missing(control, found)[:5])
            raise InvalidRequest(
                f'{tag} "{control.get("name")}" of project {project} lacks labels of the set: {missing}. Add them, or '
                f"give the project this labelling config:\n{found.config}"
            )
    raise InvalidRequest(
        f"Project {project} has no {tag} that takes this set. Give it this labelling config:\n{found.config}"
    )


def _object(root: Element, control: Element) -> Element | None:
    """The object that `control` labels, where its value is one key of a task's data."""
    for element in root.iter():
        if element.get("name") == control.get("toName") and (element.get("value") or "").startswith("$"):
            return element
    return None


def _missing(control: Element, found: LabelledSet) -> list[str]:
    known = {element.get("alias") or element.get("value") for element in control.iter() if element is not control}
    return [label for label in found.labels if label not in known]


def _companions(root: Element, target: Element) -> dict[str, str]:
    """The project's controls for instances and visibility, where they are named as ours."""
    here = {element.get("name") for element in root.iter() if element.get("toName") == target.get("name")}
    return {name: name for name in (NAMES, VISIBILITY) if name in here}
