"""Crowd labels: `labels.yaml` says what each worker said of each item, `gt.yaml` what is true. JSON is YAML, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.simulation.labelled import Found, LabelledSet
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
        if not isinstance(answers, Mapping):
            found.problem(path / "labels.yaml", f"worker {worker} has no labels by item; they are left out.")
            continue
        for item, label in answers.items():
            said[str(item)].append(found.name(str(label)))
    for item, labels in sorted(said.items()):
        known = {"gold": found.name(str(gold[item]))} if item in gold else {}
        found.add(item, *(choice(label) for label in labels), **known)
    return found.close()


def _mapping(found: Found, path: Path, stem: str, *, wanted: bool = True) -> dict[str, Any]:
    import yaml

    file = first_of(path / f"{stem}{ending}" for ending in _ENDINGS)
    if file is None:
        if wanted:
            found.problem(path / f"{stem}.yaml", "it is not there.")
        return {}
    try:
        content: Any = yaml.safe_load(text_of(found, file) or "")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        found.problem(file, "it is no YAML.", mark.line + 1 if mark else None)
        return {}
    if not isinstance(content, Mapping):
        found.problem(file, "wanted labels by worker and item.")
        return {}
    return {str(key): value for key, value in content.items()}
