"""A detector that Prelabel exported. It runs without Prelabel: this file, the files beside it, NumPy and OpenCV.

    python predict.py photo.jpg another.png   prints the boxes of each, as JSON

    from predict import Model
    Model().predict(["photo.jpg"])            [{"boxes": [{"label": "car", "confidence": 0.97, "box": [l, t, r, b]}],
                                                "width": 1280, "height": 720}]

Boxes are left, top, right and bottom in pixels of the upright image. Beside NumPy it needs `pillow` and `opencv-python`
(or `opencv-python-headless`), and for the form that was exported: `torch`, or `onnxruntime` (or `openvino`), or
`openvino`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Network = Callable[[Array], tuple[Array, Array]]

LEAST = 0.001
CANDIDATES = 1000
STAY = 300
TINY = 1e-6
GREY = 114
ORIENTATION, ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
"""EXIF's tag for how a camera was held, and its values that exchange width and height."""


class Model:
    """The exported model in `folder`, which is this file's unless another is given."""

    def __init__(self, folder: Path = Path(__file__).parent) -> None:
        self.config: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
        self.labels: list[str] = self.config["labels"]
        self._network = _FORMS[self.config["form"]](folder)

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The boxes that are shown, the surest first. Images are paths, Pillow's images, or pixels (height, width,
        3)."""
        return [self._one(value) for value in inputs]

    def _one(self, value: Any) -> dict[str, Any]:
        pixels, scale, left, top, width, height = _fitted(value, self.config["side"], self.config["stride"])
        corners, probabilities = (array[0] for array in self._network(pixels[None]))
        probabilities = self._meant(probabilities)
        best = probabilities.max(axis=1, initial=0.0)
        likely = np.flatnonzero(best > LEAST)
        chosen = likely[np.argsort(-best[likely], kind="stable")[:CANDIDATES]]
        moved = (corners[chosen] - np.array([left, top] * 2, np.float32)) / np.float32(scale)
        boxes = np.clip(moved, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)
        return {
            "boxes": self._decide(boxes, probabilities[chosen], max(width, height)),
            "width": width,
            "height": height,
        }

    def _meant(self, probabilities: Array) -> Array:
        """Of several classes of the network that a label means, the likeliest counts."""
        columns = self.config["columns"]
        if columns is None:
            return probabilities
        nothing = np.zeros(len(probabilities), np.float32)
        return np.stack([probabilities[:, row].max(axis=1) if row else nothing for row in columns], axis=1)

    def _decide(self, boxes: Array, probabilities: Array, extent: int) -> list[dict[str, Any]]:
        found = self.config["postprocess"]
        calibrated = self._calibrated(probabilities)
        label = calibrated.argmax(axis=1)
        confidence = calibrated[np.arange(len(label)), label]
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
        kept = np.flatnonzero((sides > 0) & (sides >= found["smallest"] * extent))
        kept = kept[np.argsort(-confidence[kept], kind="stable")]
        stay: list[int] = []
        for at in kept.tolist():
            rivals = [one for one in stay if found["agnostic"] or label[one] == label[at]]
            if len(stay) < STAY and all(_overlap(boxes[at], boxes[one]) <= found["overlap"] for one in rivals):
                stay.append(at)
        shown = [at for at in stay if confidence[at] >= found["thresholds"][label[at]]][: found["most"]]
        return [
            {"label": self.labels[label[at]], "confidence": float(confidence[at]), "box": boxes[at].tolist()}
            for at in shown
        ]

    def _calibrated(self, probabilities: Array) -> Array:
        found = self.config["postprocess"]
        if not found["slopes"]:
            return np.clip(probabilities, 0, 1)
        clipped = np.clip(probabilities.astype(np.float64), TINY, 1 - TINY)
        odds = (np.log(clipped) - np.log1p(-clipped)) * np.array(found["slopes"]) + np.array(found["shifts"])
        return np.asarray(0.5 * (1 + np.tanh(0.5 * odds)))


def _overlap(one: Array, other: Array) -> float:
    """Intersection over union."""
    shared = float(np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod())
    union = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - shared
    return shared / union if union > 0 else 0.0


def _fitted(value: Any, side: int, stride: int) -> tuple[Array, float, int, int, int, int]:
    """The pixels that the network takes: the longer side scaled to `side`, the rest grey; where the image is in them,
    and its own size."""
    import cv2

    image = _opened(value)
    width, height = image.size[::-1] if image.getexif().get(ORIENTATION) in ON_ITS_SIDE else image.size
    scale = side / max(width, height)
    inner = (max(round(width * scale), 1), max(round(height * scale), 1))
    image.draft(None, inner)  # saves most of a JPEG's decoding
    pixels = _upright(image)
    if inner != pixels.shape[1::-1]:
        method = cv2.INTER_AREA if inner[0] * 2 < pixels.shape[1] else cv2.INTER_LINEAR
        pixels = cv2.resize(np.ascontiguousarray(pixels), inner, interpolation=method)
    outer = (-(-inner[0] // stride) * stride, -(-inner[1] // stride) * stride)
    left, top = (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
    canvas = np.full((outer[1], outer[0], 3), GREY, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = pixels
    return canvas, scale, left, top, width, height


def _opened(value: Any) -> Any:
    from PIL import Image

    if isinstance(value, (str, Path)):
        return Image.open(value)
    return Image.fromarray(value) if isinstance(value, np.ndarray) else value


def _upright(image: Any) -> Array:
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(image)
    if turned.has_transparency_data:
        solid = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", solid.size, "white"), solid)
    return np.asarray(turned.convert("RGB"), np.uint8)


def _pytorch(folder: Path) -> Network:
    import torch

    load: Callable[[str], Any] = torch.jit.load
    network = load(str(folder / "network.pt"))

    def run(pixels: Array) -> tuple[Array, Array]:
        with torch.inference_mode():
            corners, probabilities = network(torch.from_numpy(pixels))
            return corners.numpy(), probabilities.numpy()

    return run


def _onnx(folder: Path) -> Network:
    try:
        import onnxruntime
    except ImportError:
        return _compiled(folder / "network.onnx")
    session = onnxruntime.InferenceSession(str(folder / "network.onnx"), providers=["CPUExecutionProvider"])
    return lambda pixels: tuple(session.run(None, {"input0": pixels}))


def _openvino(folder: Path) -> Network:
    return _compiled(folder / "network.xml")


def _compiled(file: Path) -> Network:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else importing it reports to a server
    import openvino

    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(pixels: Array) -> tuple[Array, Array]:
        found = compiled([pixels])
        return np.asarray(found[0]), np.asarray(found[1])

    return run


_FORMS: dict[str, Callable[[Path], Network]] = {"pytorch": _pytorch, "onnx": _onnx, "openvino": _openvino}


if __name__ == "__main__":
    for given, answer in zip(sys.argv[1:], Model().predict(sys.argv[1:]), strict=True):
        print(json.dumps({"input": given, **answer}, ensure_ascii=False))
