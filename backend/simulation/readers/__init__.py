"""Labelled sets in the formats that people keep them in: one module a format, one explicit table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.errors import InvalidRequest
from backend.simulation.labelled import Kind, LabelledSet
from backend.simulation.readers import (
    coco,
    conll,
    crowd,
    csv_table,
    imagefolder,
    keypoints_csv,
    masks,
    mot,
    voc,
    yolo,
)
from backend.simulation.readers.options import MaskValues, Options

_BOXES = (Kind.OBJECT_DETECTION, Kind.INSTANCE_SEGMENTATION)


@dataclass(frozen=True)
class Format:
    """A format: what it can be read as, the default first, and how."""

    kinds: tuple[Kind, ...]
    read: Callable[[Path, Options], LabelledSet]


FORMATS: Mapping[str, Format] = {
    "imagefolder": Format((Kind.IMAGE_CLASSIFICATION,), imagefolder.read),
    "csv": Format((Kind.TEXT_CLASSIFICATION,), csv_table.read),
    "voc": Format((Kind.OBJECT_DETECTION,), voc.read),
    "coco": Format((*_BOXES, Kind.KEYPOINTS), coco.read),
    "yolo": Format(_BOXES, yolo.read),
    "masks": Format((Kind.INSTANCE_SEGMENTATION, Kind.OBJECT_DETECTION, Kind.SEMANTIC_SEGMENTATION), masks.read),
    "keypoints-csv": Format((Kind.KEYPOINTS,), keypoints_csv.read),
    "conll": Format((Kind.NAMED_ENTITIES,), conll.read),
    "crowd": Format((Kind.CROWD,), crowd.read),
    "mot": Format((Kind.OBJECT_DETECTION,), mot.read),
}
"""Every format that can be read, by the name that `--format` takes."""


def read_set(
    path: Path, format_name: str, task: str | None = None, mask_values: MaskValues = MaskValues.INSTANCE
) -> LabelledSet:
    """What the files at `path` say. `task` chooses among the kinds that the format can be read as; masks whose numbers
    are classes are maps unless it says otherwise.

    What is broken is left out and said in the set's `problems`. Raises `InvalidRequest` where nothing is left.
    """
    chosen = FORMATS.get(format_name)
    if chosen is None:
        raise InvalidRequest(f"--format: got {format_name!r}, wanted one of: {', '.join(FORMATS)}.")
    kinds = {kind.value: kind for kind in chosen.kinds}
    if task is not None and task not in kinds:
        raise InvalidRequest(f"--task: got {task!r}, and {format_name} can be read as: {', '.join(kinds)}.")
    if not path.exists():
        raise InvalidRequest(f"{path} is not there. Give the folder or file of a labelled set.")
    usual = chosen.kinds[0]
    if mask_values is MaskValues.CLASS and Kind.SEMANTIC_SEGMENTATION in chosen.kinds:
        usual = Kind.SEMANTIC_SEGMENTATION
    found = chosen.read(path.resolve(), Options(kinds[task] if task else usual, mask_values))
    if not found.tasks:
        first = f" The first problem: {found.problems[0]}" if found.problems else ""
        raise InvalidRequest(f"{path} holds nothing that can be read as {format_name}.{first}")
    return found


__all__ = ["FORMATS", "Format", "MaskValues", "read_set"]
