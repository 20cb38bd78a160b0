"""Exported detectors, of upright and of turned boxes: one network from pixels to boxes and probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo.object_detection import forward
from model_zoo.object_detection.coco import meant
from model_zoo.object_detection.pixels import fit
from model_zoo.oriented_detection import forward as turned
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.standalone.networks import Run, image_of
from model_zoo.types import Box, LabelSpace, OrientedBox

if TYPE_CHECKING:
    from model_zoo.object_detection.model import YoloModel


def write(model: YoloModel, folder: Path) -> dict[str, Any]:
    columns = [list(row) for row in model.columns] if model.columns is not None else None
    return {"side": model.side, "stride": model.stride, "columns": columns, "turned": model.network.has_angles}


class Predictor:
    """Answers `{"boxes": [{"label", "confidence", "box"}], "width", "height"}`, the surest first: left, top, right and
    bottom in pixels of the upright image. A detector of turned boxes adds `"corners"`, x and y of four points,
    clockwise; `box` is then the upright one around them, within the image."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        self._config = config
        self._labels = LabelSpace(tuple(config["labels"]))
        self._postprocess = DetectionPostprocess.from_json(config["postprocess"])
        self._output = turned.output if config["turned"] else forward.output
        self._run = run

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        return [self._one(value) for value in inputs]

    def _one(self, value: Any) -> dict[str, Any]:
        fitted = fit(image_of(value), self._config["side"], self._config["stride"])
        places, probabilities = (array[0] for array in self._run(fitted.pixels[None]))
        found = self._output(fitted, places, meant(probabilities, self._config["columns"]))
        decision = self._postprocess.decide(found, self._labels)
        boxes = [_written(box, score) for box, score in zip(decision.boxes, decision.scores, strict=True)]
        return {"boxes": boxes, "width": decision.width, "height": decision.height}


def _written(box: Box, confidence: float) -> dict[str, Any]:
    said = {"label": box.label, "confidence": confidence, "box": list(box.corners)}
    return {**said, "corners": [list(point) for point in box.points]} if isinstance(box, OrientedBox) else said
