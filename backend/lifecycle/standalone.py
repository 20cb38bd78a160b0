"""A classifier that Prelabel exported. It runs without Prelabel: this file, the files beside it, and NumPy.

    python predict.py "a text" "another"      prints the labels of each, as JSON
    python predict.py photo.jpg               the same for images

    from predict import Model
    Model().predict(["a text"])               [{"labels": ["billing"], "confidence": {"billing": 0.97, ...}}]

Beside NumPy it needs, for texts `tokenizers`, for images `pillow`; and for the form that was exported: `torch` and
`safetensors` with `transformers` (texts) or `timm` (images), or `onnxruntime` (or `openvino`), or `openvino`.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Network = Callable[..., Array]

TINY = 1e-6
BATCH = 16


class Model:
    """The exported model in `folder`, which is this file's unless another is given."""

    def __init__(self, folder: Path = Path(__file__).parent) -> None:
        self.config: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
        self.labels: list[str] = self.config["labels"]
        self._head = _read_safetensors(folder / "head.safetensors")
        self._network = _FORMS[self.config["form"]](folder, self.config)
        self._read = _READERS[self.config["task"]](folder, self.config)

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The labels that are shown, the surest first, and the calibrated confidence of every label.

        Texts are strings; images are paths, Pillow's images, or pixels of shape (height, width, 3).
        """
        answers: list[dict[str, Any]] = []
        for start in range(0, len(inputs), BATCH):
            features = self._network(*self._read(inputs[start : start + BATCH]))
            answers += [self._decide(row) for row in self._calibrated(self._probabilities(features))]
        return answers

    def _probabilities(self, features: Array) -> Array:
        scores = (features @ self._head["weight"].T).astype(np.float64) + self._head["bias"]
        floor = self._head["floor"]
        if self.config["multiple"]:
            return _sigmoid(scores).astype(np.float32)
        scores[:, : len(floor)][:, floor > 0] = -np.inf
        shares = _softmax(scores)[:, : len(floor)]
        return np.asarray(floor + (1 - floor.sum()) * shares, np.float32)

    def _calibrated(self, probabilities: Array) -> Array:
        found = self.config["postprocess"]
        wide = probabilities.astype(np.float64)
        if found["slopes"]:
            clipped = np.clip(wide, TINY, 1 - TINY)
            odds = np.log(clipped) - np.log1p(-clipped)
            return _sigmoid(odds * np.array(found["slopes"]) + np.array(found["shifts"]))
        if found["temperature"] == 1.0:
            return wide
        return _softmax(np.log(np.clip(wide, TINY, 1.0)) / found["temperature"])

    def _decide(self, confidence: Array) -> dict[str, Any]:
        shown = confidence >= np.array(self.config["postprocess"]["thresholds"])
        if not self.config["multiple"]:
            shown &= np.arange(len(confidence)) == confidence.argmax()
        ranked = sorted(np.flatnonzero(shown), key=lambda at: -float(confidence[at]))
        every = {name: float(value) for name, value in zip(self.labels, confidence, strict=True)}
        return {"labels": [self.labels[at] for at in ranked], "confidence": every}


def _texts(folder: Path, config: dict[str, Any]) -> Callable[[Sequence[Any]], tuple[Array, ...]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(config["tokens"])

    def read(texts: Sequence[Any]) -> tuple[Array, ...]:
        clean = [str(text)[: config["characters"]].encode("utf-8", "replace").decode("utf-8") for text in texts]
        encodings = tokenizer.encode_batch(clean)
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        return ids, np.array([encoding.attention_mask for encoding in encodings], np.int64)

    return read


def _images(folder: Path, config: dict[str, Any]) -> Callable[[Sequence[Any]], tuple[Array, ...]]:
    from PIL import Image, ImageOps

    side = config["side"]

    def one(value: Any) -> Array:
        image: Any = value
        if isinstance(value, (str, Path)):
            image = Image.open(value)
            image.draft("RGB", (2 * side, 2 * side))
            image = ImageOps.exif_transpose(image)
        elif isinstance(value, np.ndarray):
            image = Image.fromarray(value)
        if image.has_transparency_data:
            solid = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", solid.size, "white"), solid)
        resized = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
        return np.asarray(resized, np.uint8)

    return lambda images: (np.stack([one(image) for image in images]),)


_READERS = {"text_classification": _texts, "image_classification": _images}


def _pytorch(folder: Path, config: dict[str, Any]) -> Network:
    import torch
    from safetensors.torch import load_file
    from torch.nn.functional import avg_pool2d, normalize

    def mean_of_tokens(ids: Any, mask: Any) -> Any:
        hidden = network(ids, attention_mask=mask).last_hidden_state
        kept = mask.unsqueeze(-1)
        return normalize((hidden * kept).sum(dim=1) / kept.sum(dim=1), dim=1)

    def pooled(pixels: Any) -> Any:
        hidden = network.bn1(network.conv_stem(pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1)))
        parts = []
        for number, stage in enumerate(network.blocks):
            hidden = stage(hidden)
            if str(number) in config["windows"]:
                parts.append(avg_pool2d(hidden, *config["windows"][str(number)]).flatten(1))
        parts.append(network.bn2(network.conv_head(hidden)).mean(dim=(2, 3)))
        return torch.cat([normalize(part, dim=1) for part in parts], dim=1)

    if config["task"] == "text_classification":
        from transformers import BertConfig, BertModel

        network: Any = BertModel(BertConfig(**config["network"]))
        forward: Callable[..., Any] = mean_of_tokens
    else:
        from timm.models.efficientnet import tf_efficientnet_lite0

        network = tf_efficientnet_lite0(pretrained=False)
        forward = pooled
    network.load_state_dict(load_file(folder / "encoder.safetensors"))
    network.eval()

    def run(*arrays: Array) -> Array:
        with torch.inference_mode():
            return np.asarray(forward(*map(torch.from_numpy, arrays)).numpy())

    return run


def _onnx(folder: Path, config: dict[str, Any]) -> Network:
    try:
        import onnxruntime
    except ImportError:
        return _compiled(folder / "encoder.onnx")
    session = onnxruntime.InferenceSession(str(folder / "encoder.onnx"), providers=["CPUExecutionProvider"])
    return lambda *arrays: np.asarray(session.run(None, {f"input{at}": value for at, value in enumerate(arrays)})[0])


def _openvino(folder: Path, config: dict[str, Any]) -> Network:
    return _compiled(folder / "encoder.xml")


def _compiled(file: Path) -> Network:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else importing it reports to a server
    import openvino

    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda *arrays: np.asarray(compiled(list(arrays))[0])


_FORMS: dict[str, Callable[[Path, dict[str, Any]], Network]] = {
    "pytorch": _pytorch,
    "onnx": _onnx,
    "openvino": _openvino,
}


def _read_safetensors(file: Path) -> dict[str, Array]:
    """Single-precision arrays by name: a header in JSON, and bytes. https://huggingface.co/docs/safetensors"""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
        for name, entry in header.items()
    }


def _softmax(scores: Array) -> Array:
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _sigmoid(scores: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * scores)))


if __name__ == "__main__":
    for given, answer in zip(sys.argv[1:], Model().predict(sys.argv[1:]), strict=True):
        print(json.dumps({"input": given, **answer}, ensure_ascii=False))
