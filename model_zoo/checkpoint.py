"""A checkpoint: `config.json` beside `weights.safetensors`. Nothing in it can run code.

The config holds the format's number, the family's name, the label list and whatever else the model needs to be
built again; the safetensors hold its arrays. Saving and loading round-trips exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.errors import CheckpointError
from model_zoo.types import LabelSpace

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What a model consists of on disk. `settings` is JSON; `arrays` are numpy arrays by name."""

    family: str
    labels: LabelSpace
    settings: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` into `folder`, which is made if need be and must be empty."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise CheckpointError(f"{folder} is not empty; checkpoints are never overwritten, give a new folder.")
    save_file({name: np.ascontiguousarray(array) for name, array in checkpoint.arrays.items()}, folder / WEIGHTS)
    config = {
        "format": FORMAT,
        "family": checkpoint.family,
        "labels": _labels_to_json(checkpoint.labels),
        "settings": dict(checkpoint.settings),
    }
    (folder / CONFIG).write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read(folder: Path, family: str, labels: LabelSpace | None = None) -> Checkpoint:
    """Read what `write` wrote. Raises `CheckpointError` when it is damaged, of another family, or, where `labels`
    is given, made for other labels or for the same ones in another order."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        arrays = load_file(folder / WEIGHTS)
        found = Checkpoint(config["family"], _labels_from_json(config["labels"]), config["settings"], arrays)
        version = config["format"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise CheckpointError(
            f"The checkpoint in {folder} is damaged or incomplete ({error!r}); train again."
        ) from error
    if version != FORMAT:
        raise CheckpointError(f"Got a checkpoint of format {version!r}, wanted {FORMAT}; train again.")
    if found.family != family:
        raise CheckpointError(f"Got a checkpoint of {found.family!r}, wanted {family!r}; load it with its own family.")
    if labels is not None:
        _refuse_other_labels(found.labels, labels)
    return found


def _refuse_other_labels(got: LabelSpace, wanted: LabelSpace) -> None:
    if (got.names, got.multiple, got.objects) != (wanted.names, wanted.multiple, wanted.objects):
        raise CheckpointError(
            f"Got a checkpoint for {_spoken(got)}, wanted {_spoken(wanted)}, in this order; train again."
        )


def _spoken(labels: LabelSpace) -> str:
    of = f" of {list(labels.objects)}" if labels.objects else ""
    return f"{'several' if labels.multiple else 'one'} of the labels {list(labels.names)}{of}"


def _labels_to_json(labels: LabelSpace) -> dict[str, Any]:
    return {
        "names": list(labels.names),
        "multiple": labels.multiple,
        "descriptions": [list(words) for words in labels.descriptions],
        "ordered": labels.ordered,
        "objects": list(labels.objects),
    }


def _labels_from_json(value: Any) -> LabelSpace:
    return LabelSpace(
        tuple(value["names"]),
        bool(value["multiple"]),
        tuple(tuple(words) for words in value["descriptions"]),
        bool(value.get("ordered", False)),
        tuple(value.get("objects", ())),
    )
