"""A version's models for use without Prelabel: weights in one of three forms, and a file that loads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import InvalidRequest, StoreError, UnknownVersion
from backend.lifecycle import standalone
from backend.projects.identity import UNTRAINED
from backend.serving.families import Families
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions

CURRENT = "current"
LOADER = "predict.py"
HEAD = "head.safetensors"
REBUILT = frozenset({"efficientnet_lite0.v1", "minilm_l6_v2.v1"})
"""Encoders that `standalone` can build from weights alone; the other forms bring their network with them."""


@dataclass(frozen=True)
class Exported:
    """Which version was written, and into which folder each control's model, or why it was not."""

    version: str
    folders: Mapping[str, Path]
    problems: Mapping[str, str]


def export_models(settings: Settings, project: int, version: str, form: str, output: Path) -> Exported:
    """Write every control's model of a version into a folder of its own below `output`.

    Raises `UnknownProject`, `UnknownVersion`, `InvalidRequest`, `StoreError`, and the zoo's errors where weights or
    packages are missing.
    """
    if form not in FORMS:
        raise InvalidRequest(f"Got the form {form!r}, wanted one of: {', '.join(FORMS)}.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise StoreError(f"{output} is there already and not an empty folder. Name another.")
    store = ObjectStore(settings.store_address)
    uid, versions = ProjectRecords(store).newest(project).uid, Versions(store)
    name = versions.current_name(uid) if version == CURRENT else version
    if name == UNTRAINED:
        raise UnknownVersion(f"Project {project} has no version to export yet. Label a few tasks first.")
    manifest = versions.get(uid, name)
    artifacts = Artifacts(store, settings.data_dir / "cache" / "artifacts")
    folders, problems = {}, {}
    for number, (control, part) in enumerate(manifest.controls.items()):
        folder = output / (_plain(control) or f"control{number}")
        try:
            _export(Families.of_settings(settings), artifacts, manifest, control, part, form, folder)
        except InvalidRequest as error:
            problems[control] = str(error)
        else:
            folders[control] = folder
    return Exported(name, folders, problems)


def _export(
    families: Families,
    artifacts: Artifacts,
    manifest: Manifest,
    control: str,
    part: ControlVersion,
    form: str,
    folder: Path,
) -> None:
    from model_zoo.linear.model import LinearModel

    family = families.behind(part)
    model, encoder = family.load(artifacts.fetch(part.artifact)), family.encoder()
    if not isinstance(model, LinearModel) or encoder is None:
        raise InvalidRequest(f"{control}: {part.family} cannot be exported; only classifiers can.")
    if form == "pytorch" and encoder.architecture not in REBUILT:
        raise InvalidRequest(f"{control}: {part.family} has no pytorch form. Export it as onnx or openvino.")
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    reading, network = _inputs(encoder, folder)
    FORMS[form](encoder.program, folder)
    save_file(model.head.arrays(), folder / HEAD)
    shutil.copyfile(standalone.__file__, folder / LOADER)
    config = {
        "task": family.task.value,
        "form": form,
        "labels": list(part.labels),
        "multiple": part.multiple,
        "postprocess": dict(part.postprocess),
        **reading,
        "network": network,
        "made_from": {
            "project": manifest.project,
            "version": manifest.name,
            "control": control,
            "family": part.family,
            "artifact": part.artifact,
            "snapshot": manifest.snapshot,
            "licences": [weights.licence for weights in family.weights],
        },
    }
    (folder / "model.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _inputs(encoder: Any, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """How the loader reads inputs, and how large the network is; a tokenizer is copied."""
    from model_zoo.image_classification.efficientnet_lite0 import WINDOWS
    from model_zoo.image_classification.encoder import SIDE
    from model_zoo.text_classification.minilm import MAX_TOKENS, MiniLM
    from model_zoo.texts import MAX_CHARACTERS

    if not isinstance(encoder, MiniLM):
        return {"side": SIDE, "windows": {str(stage): list(window) for stage, window in WINDOWS.items()}}, {}
    shutil.copyfile(encoder.located.paths["tokenizer.json"], folder / "tokenizer.json")
    module: Any = encoder.program.eager().module
    size = module.network.config
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    return {"tokens": MAX_TOKENS, "characters": MAX_CHARACTERS}, {name: getattr(size, name) for name in names}


def _pytorch(program: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    state = program.eager().module.network.state_dict()
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, folder / "encoder.safetensors")


def _onnx(program: Any, folder: Path) -> None:
    from model_zoo.programs.onnx import export

    export(program, folder / "encoder.onnx")


def _openvino(program: Any, folder: Path) -> None:
    from model_zoo.programs import openvino

    openvino.export(program, folder)
    for name in (openvino.MODEL, openvino.WEIGHTS):
        (folder / name).rename(folder / name.replace("model", "encoder"))


FORMS: Mapping[str, Callable[[Any, Path], None]] = {"pytorch": _pytorch, "onnx": _onnx, "openvino": _openvino}
"""What `prelabel export --form` takes."""


def _plain(control: str) -> str:
    """The control's name as a folder's."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in control).strip("_")
