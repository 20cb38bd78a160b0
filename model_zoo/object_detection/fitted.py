"""Models that are one program over images scaled to fit it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_zoo.base import Model
from model_zoo.object_detection.pixels import Fitted, fit, same_shapes
from model_zoo.programs.program import Array
from model_zoo.types import Item, Output

if TYPE_CHECKING:
    from model_zoo.programs.program import Program

BATCH = 8


@dataclass(frozen=True)
class FittedItem(Item):
    """An item whose image was scaled for a network of one input size."""

    fitted: Fitted | None = None


class FittedModel(Model):
    """`side` is the longer side of the network's input in pixels, `stride` what its sides are multiples of."""

    side: int
    stride: int
    program: Program

    @abstractmethod
    def output_of(self, fitted: Fitted, arrays: Sequence[Array]) -> Output:
        """One image's output from what the program gave for it."""

    def prepare(self, item: Item) -> Item:
        if isinstance(item, FittedItem) and item.fitted is not None:
            return item
        return FittedItem(None, item.features, fitted=self._fit(item))

    def programs(self) -> tuple[Program, ...]:
        return (self.program,)

    def predict(self, items: Sequence[Item]) -> list[Output]:
        fitted = [item.fitted if isinstance(item, FittedItem) and item.fitted else self._fit(item) for item in items]
        outputs: list[Output | None] = [None] * len(items)
        for group in same_shapes(fitted, BATCH):
            arrays = self.program(np.stack([fitted[index].pixels for index in group]))
            for row, index in enumerate(group):
                outputs[index] = self.output_of(fitted[index], [array[row] for array in arrays])
        return [output for output in outputs if output is not None]

    def _fit(self, item: Item) -> Fitted:
        return fit(item.input, self.side, self.stride)
