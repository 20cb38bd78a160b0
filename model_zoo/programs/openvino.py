"""Programs compiled by OpenVINO: five times faster on a processor than PyTorch for small networks (README, Serving)."""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from model_zoo.errors import MissingExtra, NotCompilable
from model_zoo.programs.program import Array, Arrays, Program

MODEL = "model.xml"
WEIGHTS = "model.bin"
TELEMETRY = "openvino_telemetry"
FORMAT = 1
"""Of what `export` writes; raised when the same key must not find older files."""


def available() -> bool:
    """Whether the extra `compiled` is installed. Imports nothing."""
    return find_spec("openvino") is not None


def release() -> str:
    """OpenVINO's release. What one release wrote is not given to another. Raises `MissingExtra`."""
    try:
        return version("openvino")
    except PackageNotFoundError:
        raise MissingExtra(
            "Compiled forms need the package openvino. Install it with: pip install 'prelabel[compiled]'"
        ) from None


def form_key(program: Program) -> str:
    """Names what `export` writes for this program, with the release that writes it."""
    return hashlib.sha256(f"openvino {release()} {FORMAT} {program.key}".encode()).hexdigest()


@cache
def hardware() -> str:
    """Names this machine's processor for OpenVINO; machines of one name compute the same."""
    core = _core()
    facts = [str(core.get_property("CPU", name)) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    return hashlib.sha256(json.dumps([release(), *facts]).encode()).hexdigest()[:16]


@cache
def has_bfloat16() -> bool:
    """Whether this machine's processor computes in bfloat16."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def export(program: Program, folder: Path) -> None:
    """Write the program into `folder`: independent of the processor, with batch and image size left open.

    Takes a second of one core. Raises `NotCompilable`, `MissingExtra`.
    """
    release()
    import torch

    openvino = _openvino()
    decoding = import_module("openvino.frontend.pytorch.ts_decoder")
    module = program.eager().module
    example = tuple(torch.from_numpy(array) for array in program.probes()[0])
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # That tracing is deprecated, and that it takes a network's decisions as they fall: the probes of other
            # sizes show whether that is right.
            warnings.simplefilter("ignore")
            trace: Any = torch.jit.trace
            traced = trace(module, example, check_trace=False)
            # Not `openvino.convert_model`: it reports its use to a server without asking anybody.
            frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
            decoder = decoding.TorchScriptPythonDecoder(traced, example_input=example)
            converted = frontend.convert(frontend.load(decoder))
        converted.reshape({port: _open_shape(array) for port, array in zip(converted.inputs, example, strict=True)})
        folder.mkdir(parents=True, exist_ok=True)
        openvino.serialize(converted, str(folder / MODEL), str(folder / WEIGHTS))
    except Exception as error:  # torch and OpenVINO raise whatever an operator that they lack leads to
        raise NotCompilable(f"{program.key} has no compiled form: {_first_line(error)} PyTorch runs it.") from error


def load(folder: Path, threads: int = 0, coarse: bool = False) -> CompiledForm:
    """What `export` wrote, compiled for this processor: half a second. `threads` 0 leaves the number to OpenVINO;
    `coarse` computes in bfloat16.

    Raises `NotCompilable`, `MissingExtra`.
    """
    release()
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # On processors with bfloat16 the default would be that for all, and features would differ by 0.03.
        "INFERENCE_PRECISION_HINT": "bf16" if coarse else "f32",
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        return CompiledForm(_core().compile_model(_core().read_model(folder / MODEL, folder / WEIGHTS), "CPU", options))
    except RuntimeError as error:
        raise NotCompilable(f"The compiled form in {folder} cannot be loaded: {_first_line(error)}") from error


class CompiledForm:
    """One compiled network with one request, so that its memory is that of one batch."""

    name = "openvino"

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._outputs = len(compiled.outputs)

    def __call__(self, *arrays: Array) -> Arrays:
        results = self._request.infer(list(arrays), share_inputs=True)
        return tuple(results[index] for index in range(self._outputs))


@cache
def _core() -> Any:
    return _openvino().Core()


@cache
def _openvino() -> Any:
    """The package, imported so that it reports nothing: by itself its import alone sends an event to an analytics
    service and writes an identifier into the home folder. Without the package that does so it is content, too."""
    known = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # makes importing it an ImportError
    try:
        return import_module("openvino")
    finally:
        if known is None:
            del sys.modules[TELEMETRY]
        else:
            sys.modules[TELEMETRY] = known


def _open_shape(tensor: Any) -> Any:
    """Any batch; any second and third dimension, too, unless there are none after them: (n, h, w, 3), (n, tokens)."""
    sizes = list(tensor.shape)
    return _openvino().PartialShape([-1, *[-1] * min(len(sizes) - 1, 2), *sizes[3:]])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
