"""Exported networks in the form that they were exported in, each run by one package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

Run = Callable[..., tuple[Array, ...]]
"""From arrays, the first dimension of which is the batch, to the network's outputs."""
NAME = "network"


def network(folder: Path, form: str) -> Run:
    """The network in `folder`. `form` is a key of `FORMS`; its package must be installed."""
    return FORMS[form](folder)


def image_of(value: Any) -> Any:
    """Images are paths, or pixels of shape (height, width, 3)."""
    return Path(value) if isinstance(value, str) else value


def _pytorch(folder: Path) -> Run:
    import torch

    load: Callable[[str], Any] = torch.jit.load
    traced = load(str((folder / NAME).with_suffix(".pt")))

    def run(*arrays: Array) -> tuple[Array, ...]:
        with torch.inference_mode():
            found = traced(*map(torch.from_numpy, arrays))
            return tuple(one.numpy() for one in (found if isinstance(found, tuple) else (found,)))

    return run


def _onnx(folder: Path) -> Run:
    file = (folder / NAME).with_suffix(".onnx")
    try:
        import onnxruntime
    except ImportError:
        return _compiled(file)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return lambda *arrays: tuple(session.run(None, dict(zip(names, arrays, strict=True))))


def _openvino(folder: Path) -> Run:
    return _compiled((folder / NAME).with_suffix(".xml"))


def _compiled(file: Path) -> Run:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else importing it reports to a server
    import openvino

    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(*arrays: Array) -> tuple[Array, ...]:
        found = compiled(list(arrays))
        return tuple(np.array(found[at]) for at in range(len(compiled.outputs)))

    return run


FORMS: Mapping[str, Callable[[Path], Run]] = {"pytorch": _pytorch, "onnx": _onnx, "openvino": _openvino}
