"""A model that Prelabel exported. It runs without Prelabel: this file, and the files beside it.

    python predict.py INPUT ...               prints an answer for each, as JSON

    from predict import Model
    Model().predict(["photo.jpg"])            what the answers are is said in parts/standalone/, in the one kind's file

Inputs are texts where the model reads texts, else images: paths, or pixels of shape (height, width, 3); a model of
single regions is asked about an image and regions, or a text and spans, as its file in parts/standalone/ says. It needs
`numpy` and `safetensors`; for texts `tokenizers`; for images `pillow`, for objects in them `opencv-python` (or
`opencv-python-headless`), for points `scipy`, too; and for the form that was exported: `torch`, or `onnxruntime` (or
`openvino`), or `openvino`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any


class Model:
    """The exported model in `folder`, which is this file's unless another is given."""

    def __init__(self, folder: Path = Path(__file__).parent) -> None:
        self.config: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
        self.labels: list[str] = self.config["labels"]
        package = _package(folder.resolve())
        network = import_module(f"{package}.standalone.networks").network(folder, self.config["form"])
        kind = import_module(f"{package}.standalone.{self.config['task']}")
        self._predictor = kind.Predictor(folder, self.config, network)

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """An answer an input, in order."""
        answers: list[dict[str, Any]] = self._predictor.predict(inputs)
        return answers


def _package(folder: Path) -> str:
    """The name under which the code beside the model is imported: several exports may be in use at once."""
    name = f"prelabel_parts_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        parts = folder / "parts"
        spec = spec_from_file_location(name, parts / "__init__.py", submodule_search_locations=[str(parts)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{parts} is no package. Export the model again.")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return name


if __name__ == "__main__":
    for given, answer in zip(sys.argv[1:], Model().predict(sys.argv[1:]), strict=True):
        print(json.dumps({"input": given, **answer}, ensure_ascii=False))
