"""Programs as ONNX files, for whatever runs those."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

from model_zoo.errors import MissingExtra, NotCompilable
from model_zoo.programs.program import Array, Program

OPSET = 17
"""Of 2022: what every ONNX runtime in use knows."""


def export(program: Program, file: Path) -> None:
    """Write the program into `file`. Dimensions that differ between its probes, and the batch, are left open.

    Inputs are called `input0`, `input1` and so on, outputs `output0` and so on. Raises `NotCompilable`, `MissingExtra`.
    """
    if find_spec("onnx") is None:
        raise MissingExtra("ONNX files need the package onnx. Install it with: pip install 'prelabel[onnx]'")
    import torch

    probes = program.probes()
    example = tuple(torch.from_numpy(array) for array in probes[0])
    inputs = [f"input{at}" for at in range(len(example))]
    outputs = [f"output{at}" for at in range(len(program.tolerances))]
    axes = {name: _open([probe[at] for probe in probes], name) for at, name in enumerate(inputs)}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # That this exporter is deprecated (the other one wants a second package), and that it takes a network's
            # decisions as they fall: callers compare it with PyTorch.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                program.eager().module,
                example,
                file,
                input_names=inputs,
                output_names=outputs,
                dynamic_axes={**axes, **{name: {0: "batch"} for name in outputs}},
                opset_version=OPSET,
                dynamo=False,
            )
    except Exception as error:  # torch raises whatever an operator that it cannot write leads to
        first = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise NotCompilable(f"{program.key} has no ONNX form: {first[0]}") from error


def _open(arrays: list[Array], name: str) -> dict[int, str]:
    shapes = [array.shape for array in arrays]
    differing = [at for at in range(1, len(shapes[0])) if len({shape[at] for shape in shapes}) > 1]
    return {0: "batch", **{at: f"{name}_{at}" for at in differing}}
