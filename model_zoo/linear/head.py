"""A linear head: features to probabilities. NumPy alone, so that predicting from stored features needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.errors import CheckpointError
from model_zoo.types import FloatArray


@dataclass(frozen=True)
class LinearHead:
    """`weight` (rows, dimensions), `bias` (rows,), `floor` (labels,); one row a label.

    Where exactly one label applies, the rows are a softmax's; a row more than labels stands for "none of them"
    and takes its share of the probability. `floor` is what labels without any example get, by the rule of
    succession; the softmax shares the rest among the others. Where several labels may apply (`multiple`), each
    row is a sigmoid's and `floor` is zero.
    """

    weight: FloatArray
    bias: FloatArray
    floor: FloatArray
    multiple: bool

    def __post_init__(self) -> None:
        rows, labels = self.weight.shape[0], self.floor.shape[0]
        if self.weight.ndim != 2 or self.bias.shape != (rows,) or rows not in (labels, labels + 1):
            raise CheckpointError(
                f"Got a head with weight {self.weight.shape}, bias {self.bias.shape}, floor {self.floor.shape}; "
                "wanted (rows, dimensions), (rows,) and (labels,) with a row a label. Train again."
            )

    @property
    def dimensions(self) -> int:
        return int(self.weight.shape[1])

    @property
    def nbytes(self) -> int:
        return int(self.weight.nbytes + self.bias.nbytes + self.floor.nbytes)

    def probabilities(self, features: FloatArray) -> FloatArray:
        """From features of shape (items, dimensions) to probabilities of shape (items, labels)."""
        scores = (features @ self.weight.T).astype(np.float64) + self.bias
        if self.multiple:
            return sigmoid(scores).astype(np.float32)
        scores[:, : len(self.floor)][:, self.floor > 0] = -np.inf
        shares = softmax(scores)[:, : len(self.floor)]
        mixed: FloatArray = (self.floor + (1 - self.floor.sum()) * shares).astype(np.float32)
        return mixed

    def arrays(self) -> dict[str, FloatArray]:
        return {"weight": self.weight, "bias": self.bias, "floor": self.floor}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], multiple: bool) -> LinearHead:
        """Raises `CheckpointError` where an array is missing, of a wrong shape, or holds no numbers."""
        missing = {"weight", "bias", "floor"} - set(arrays)
        if missing:
            raise CheckpointError(f"The checkpoint lacks {', '.join(sorted(missing))}; train again.")
        weight, bias, floor = (arrays[name].astype(np.float32, copy=False) for name in ("weight", "bias", "floor"))
        head = cls(weight, bias, floor, multiple)
        if not all(np.isfinite(array).all() for array in head.arrays().values()):
            raise CheckpointError("The checkpoint holds numbers that are not finite; train again.")
        return head


def softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Along the last axis; scores of minus infinity get zero."""
    shifted: npt.NDArray[np.float64] = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: npt.NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    half: npt.NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * scores))
    return half
