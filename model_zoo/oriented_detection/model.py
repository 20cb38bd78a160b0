"""The trained model of every family that finds turned boxes with one of Ultralytics' networks."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.object_detection.model import YoloModel
from model_zoo.object_detection.pixels import Fitted
from model_zoo.oriented_detection import forward
from model_zoo.programs.program import Array, Program
from model_zoo.types import Output


class YoloObbModel(YoloModel):
    """As a detector's; its network has angles."""

    def program_of(self, key: str) -> Program:
        return forward.program(f"{key}:angles", self.network, self.side)

    def output_of(self, fitted: Fitted, arrays: Sequence[Array]) -> Output:
        corners, probabilities = arrays
        return forward.output(fitted, corners, self.meant(probabilities))
