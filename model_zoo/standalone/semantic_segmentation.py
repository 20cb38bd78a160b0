"""Exported models of maps: one network from pixels to what each cell is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo.object_detection.pixels import fit
from model_zoo.postprocess import SegmentationPostprocess
from model_zoo.semantic_segmentation.model import output
from model_zoo.standalone.masks import packed
from model_zoo.standalone.networks import Run, image_of
from model_zoo.types import LabelSpace

if TYPE_CHECKING:
    from model_zoo.semantic_segmentation.model import UnetModel


def write(model: UnetModel, folder: Path) -> dict[str, Any]:
    return {"side": model.side, "stride": model.stride}


class Predictor:
    """Answers `{"areas": [{"label", "confidence", "mask"}], "width", "height"}`: of each label that is somewhere, the
    pixels of the upright image that have it, as COCO's run lengths, column by column. No pixel has two."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        self._config = config
        self._labels = LabelSpace(tuple(config["labels"]))
        self._postprocess = SegmentationPostprocess.from_json(config["postprocess"])
        self._run = run

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        return [self._one(value) for value in inputs]

    def _one(self, value: Any) -> dict[str, Any]:
        fitted = fit(image_of(value), self._config["side"], self._config["stride"])
        (probabilities,) = self._run(fitted.pixels[None])
        decision = self._postprocess.decide(output(fitted, probabilities[0], len(self._labels)), self._labels)
        areas = [
            {"label": mask.label, "confidence": score, "mask": packed(mask)}
            for mask, score in zip(decision.masks, decision.scores, strict=True)
        ]
        return {"areas": areas, "width": fitted.width, "height": fitted.height}
