"""A snapshot as a data set: one explicit table of formats.

The augmented manifest and CoNLL are our own; the others are written by the exporters of Label Studio's SDK, so that
they are what Label Studio itself would write: images without any box are missing in COCO, for one. Nothing is
downloaded; where media are is in the manifest and the JSON alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from backend.errors import InvalidRequest
from backend.jobs.examples import TEACHES
from backend.labelstudio.config import LabellingConfig
from backend.lifecycle.conll import write_conll
from backend.lifecycle.manifest import augmented_manifest
from backend.store.records import Record

Write = Callable[[LabellingConfig, Sequence[Record], Path], None]


def write_manifest(config: LabellingConfig, records: Sequence[Record], output: Path) -> None:
    """One line a task, in the shape of SageMaker Ground Truth's augmented manifest."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / "manifest.jsonl").open("w", encoding="utf-8") as file:
        for line in augmented_manifest(config, records):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_json(config: LabellingConfig, records: Sequence[Record], output: Path) -> None:
    """Label Studio's own tasks, which it imports again."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "tasks.json").write_text(json.dumps(list(tasks(records)), ensure_ascii=False, indent=1), "utf-8")


def _by_label_studio(name: str) -> Write:
    def write(config: LabellingConfig, records: Sequence[Record], output: Path) -> None:
        # Imported here: it brings pandas and nltk, a second that no other command needs. Its types are unusable.
        converters: Any = import_module("label_studio_sdk.converter.converter")
        with tempfile.TemporaryDirectory(prefix="prelabel-export-") as folder:
            source = Path(folder, "tasks.json")
            source.write_text(json.dumps(list(tasks(records))), "utf-8")
            converter = converters.Converter(config.xml, project_dir=folder, download_resources=False)
            fitting = [ours for ours, theirs in _THEIRS.items() if theirs in converter.supported_formats]
            if name not in fitting:
                raise InvalidRequest(
                    f"Got {name} for a labelling config without labels for it, wanted one of: "
                    f"{', '.join(('manifest', 'json', *fitting))}."
                )
            output.mkdir(parents=True, exist_ok=True)
            converter.convert(str(source), str(output), _THEIRS[name], is_dir=False)

    return write


_THEIRS = {"coco": "COCO", "yolo": "YOLO", "csv": "CSV"}
"""Formats as Label Studio's SDK calls them."""

FORMATS: Mapping[str, Write] = {
    "manifest": write_manifest,
    "json": write_json,
    **{name: _by_label_studio(name) for name in _THEIRS},
    "conll": write_conll,
}
"""What `prelabel snapshot export --format` takes."""


def tasks(records: Iterable[Record]) -> Iterable[dict[str, Any]]:
    """Label Studio's JSON of the tasks, with the annotations that models learn from."""
    for record in records:
        taught = [item for item in record.submitted if item.provenance in TEACHES]
        yield {
            "id": record.task,
            "data": dict(record.data),
            "annotations": [{**asdict(item), "provenance": item.provenance.value} for item in taught],
        }
