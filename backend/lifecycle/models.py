"""A version's models for use without Prelabel: weights in one of three forms, and a file that loads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import InvalidRequest, StoreError, UnknownVersion
from backend.lifecycle import standalone, standalone_parts
from backend.lifecycle.parts import PARTS, copy_parts
from backend.projects.identity import UNTRAINED
from backend.serving.families import Families
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions
from model_zoo.errors import NotCompilable

if TYPE_CHECKING:
    from model_zoo.base import Family, Model
    from model_zoo.programs.program import Program

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
        except NotCompilable as error:
            shutil.rmtree(folder, ignore_errors=True)
            others = " or ".join(other for other in FORMS if other != form)
            problems[control] = f"{control}: Got the form {form}, and {error} Export it as {others}."
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
    family = families.behind(part)
    model = family.load(artifacts.fetch(part.artifact))
    way = next((way for way in _ways() if type(model) is way.model), None)
    if way is None:
        raise InvalidRequest(
            f"{control}: Got a model of {part.family}, for which there is no export yet. Serve it with Prelabel, or "
            "copy its checkpoint from the store's folder "
            f"artifacts/{part.artifact} for a program of your own."
        )
    config = way.write(family, model, form, folder)
    config |= {
        "task": family.task.value,
        "form": form,
        "labels": list(part.labels),
        "multiple": part.multiple,
        "postprocess": dict(part.postprocess),
        "made_from": {
            "project": manifest.project,
            "version": manifest.name,
            "control": control,
            "family": part.family,
            "artifact": part.artifact,
            "snapshot": manifest.snapshot,
            "licences": sorted({family.licence, *(weights.licence for weights in family.weights)}),
        },
    }
    (folder / "model.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _classifier(family: Family, model: Any, form: str, folder: Path) -> dict[str, Any]:
    """Write the encoder, shared or its own, and the head; what the loader has to know."""
    from safetensors.numpy import save_file

    encoder = model.encoder
    if form == "pytorch" and encoder.architecture not in REBUILT:
        raise InvalidRequest(f"{family.name} has no pytorch form. Export it as onnx or openvino.")
    folder.mkdir(parents=True)
    reading, network = _inputs(encoder, folder)
    if form == "pytorch":
        _weights(encoder.program, folder / "encoder.safetensors")
    else:
        FORMS[form](encoder.program, folder, "encoder")
    save_file(model.head.arrays(), folder / HEAD)
    shutil.copyfile(standalone.__file__, folder / LOADER)
    return {**reading, "network": network}


def _with_parts(family: Family, model: Any, form: str, folder: Path) -> dict[str, Any]:
    """Write the network, and of the zoo what reads inputs and decides; what the loader has to know."""
    folder.mkdir(parents=True)
    (program,) = model.programs()
    FORMS[form](program, folder, "network")
    module = f"model_zoo.standalone.{family.task.value}"
    copy_parts([module, "model_zoo.standalone.networks"], folder / PARTS)
    shutil.copyfile(standalone_parts.__file__, folder / LOADER)
    config: dict[str, Any] = import_module(module).write(model, folder)
    return config


@dataclass(frozen=True)
class Way:
    """How models of this very type, not those that add to it, are exported; `write` returns what the loader has to
    know."""

    model: type[Model]
    write: Callable[[Family, Any, str, Path], dict[str, Any]]


def _ways() -> Iterator[Way]:
    """All there are."""
    # Imported here: a command that only lists versions need not wait for them.
    from model_zoo.captions.model import CaptionModel
    from model_zoo.instance_segmentation.model import YoloSegModel
    from model_zoo.keypoints.model import PoseModel
    from model_zoo.linear.model import LinearModel
    from model_zoo.named_entities.model import TaggerModel
    from model_zoo.object_detection.model import YoloModel
    from model_zoo.oriented_detection.model import YoloObbModel
    from model_zoo.region_classification.model import RegionModel
    from model_zoo.semantic_segmentation.model import UnetModel

    yield Way(LinearModel, _classifier)
    yield Way(YoloSegModel, _with_parts)
    yield Way(UnetModel, _with_parts)
    yield Way(YoloModel, _with_parts)
    yield Way(YoloObbModel, _with_parts)
    yield Way(PoseModel, _with_parts)
    yield Way(TaggerModel, _with_parts)
    yield Way(CaptionModel, _with_parts)
    yield Way(RegionModel, _with_parts)


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


def _weights(program: Program, file: Path) -> None:
    """The weights alone: the loader builds the network from a package."""
    from safetensors.torch import save_file

    module: Any = program.eager().module
    state = module.network.state_dict()
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, file)


def _pytorch(program: Program, folder: Path, name: str) -> None:
    from model_zoo.programs import torchscript

    torchscript.export(program, folder / f"{name}.pt")


def _onnx(program: Program, folder: Path, name: str) -> None:
    from model_zoo.programs import onnx

    onnx.export(program, folder / f"{name}.onnx")


def _openvino(program: Program, folder: Path, name: str) -> None:
    from model_zoo.programs import openvino

    openvino.export(program, folder)
    for file in (openvino.MODEL, openvino.WEIGHTS):
        (folder / file).rename((folder / name).with_suffix(Path(file).suffix))


FORMS: Mapping[str, Callable[[Program, Path, str], None]] = {
    "pytorch": _pytorch,
    "onnx": _onnx,
    "openvino": _openvino,
}
"""What `prelabel export --form` takes: writes a network into a folder, under a name."""


def _plain(control: str) -> str:
    """The control's name as a folder's."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in control).strip("_")
