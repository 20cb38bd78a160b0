"""Exported segmenters: one network from pixels to boxes and what masks are mixed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo.instance_segmentation.forward import output
from model_zoo.masks import box_around
from model_zoo.object_detection.coco import meant
from model_zoo.object_detection.pixels import fit
from model_zoo.postprocess import InstancePostprocess
from model_zoo.standalone.masks import packed
from model_zoo.standalone.networks import Run, image_of
from model_zoo.types import LabelSpace

if TYPE_CHECKING:
    from model_zoo.instance_segmentation.model import YoloSegModel


def write(model: YoloSegModel, folder: Path) -> dict[str, Any]:
    columns = [list(row) for row in model.columns] if model.columns is not None else None
    return {"side": model.side, "stride": model.stride, "columns": columns}


class Predictor:
    """Answers `{"objects": [{"label", "confidence", "box", "mask"}], "width", "height"}`, the surest first: boxes are
    left, top, right and bottom in pixels of the upright image, masks COCO's run lengths, column by column."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        self._config = config
        self._labels = LabelSpace(tuple(config["labels"]))
        self._postprocess = InstancePostprocess.from_json(config["postprocess"])
        self._run = run

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        return [self._one(value) for value in inputs]

    def _one(self, value: Any) -> dict[str, Any]:
        fitted = fit(image_of(value), self._config["side"], self._config["stride"])
        corners, probabilities, coefficients, pictures = (array[0] for array in self._run(fitted.pixels[None]))
        likely = meant(probabilities, self._config["columns"])
        decision = self._postprocess.decide(output(fitted, corners, likely, coefficients, pictures), self._labels)
        objects = [
            {
                "label": mask.label,
                "confidence": score,
                "box": list(box_around(mask).corners),
                "mask": packed(mask),
            }
            for mask, score in zip(decision.masks, decision.scores, strict=True)
        ]
        return {"objects": objects, "width": decision.width, "height": decision.height}
