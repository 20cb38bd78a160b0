"""Crowd labels: `labels.yaml` says what each worker said of each item, `gt.yaml` what is true. JSON is YAML, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.simulation.labelled import GOLD, Found, LabelledSet
from backend.simulation.readers.files import first_of, text_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import choice

_ENDINGS = (".yaml", ".yml", ".json")


def read(path: Path, options: Options) -> LabelledSet:
    found = Found(options.kind, path)
    workers = _mapping(found, path, "labels")
    gold = _mapping(found, path, "gt", wanted=False)
    said: dict[str, list[str]] = defaultdict(list)
    for worker, answers in workers.items():
        if not isinstance(answers.value, Mapping):
            message = f"worker {worker} has no labels by item; they are left out."
            found.problem(answers.file, message, answers.line)
            continue
        for item, label in answers.value.items():
            if _is_label(label):
                said[str(item)].append(found.name(str(label)))
            else:
                message = f"what worker {worker} says of {item} is no label; it is left out."
                found.problem(answers.file, message, answers.line)
    true = {}
    for item, label in gold.items():
        if _is_label(label.value):
            true[item] = found.name(str(label.value))
        else:
            found.problem(label.file, f"what is true of {item} is no label; it is left out.", label.line)
    for item, labels in sorted(said.items()):
        known = {GOLD: true[item]} if item in true else {}
        found.add(item, *(choice(label) for label in labels), **known)
    return found.close()


@dataclass(frozen=True)
class _Entry:
    """A value of a file's mapping, with the line of its key."""

    value: Any
    file: Path
    line: int | None


def _is_label(value: Any) -> bool:
    return isinstance(value, str | int | float) and str(value).strip() != ""


def _mapping(found: Found, path: Path, stem: str, *, wanted: bool = True) -> dict[str, _Entry]:
    import yaml

    file = first_of(path / f"{stem}{ending}" for ending in _ENDINGS)
    if file is None:
        if wanted:
            found.problem(path / f"{stem}.yaml", "it is not there.")
        return {}
    text = text_of(found, file) or ""
    try:
        content: Any = yaml.safe_load(text)
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        found.problem(file, "it is no YAML.", mark.line + 1 if mark else None)
        return {}
    if not isinstance(content, Mapping):
        found.problem(file, "wanted labels by worker and item.", 1)
        return {}
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
    return {str(key): _Entry(value, file, lines.get(str(key))) for key, value in content.items()}
