"""The sentence writer: an LSTM that an image's features start, read out by beam search. NumPy alone.

Vinyals et al. 2015, "Show and Tell", https://arxiv.org/abs/1411.4555, with the image as the first state rather than as
the first word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.captions.vocabulary import END, UNKNOWN
from model_zoo.errors import CheckpointError
from model_zoo.linear.head import sigmoid
from model_zoo.types import FloatArray

BEAMS = 3
"""Sentences that are followed at once: what the paper's authors found best later (https://arxiv.org/abs/1609.06647)."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sentence:
    """Numbers of words, and the geometric mean of their probabilities, the end's included."""

    numbers: tuple[int, ...]
    likelihood: float


@dataclass(frozen=True)
class Decoder:
    """Weights under torch's names and in its shapes: `start` turns features into the first hidden state."""

    arrays: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        missing = set(SHAPES) - set(self.arrays)
        if missing:
            raise CheckpointError(f"The checkpoint lacks {', '.join(sorted(missing))}; train again.")
        sizes: dict[str, int] = {}
        for name, shape in SHAPES.items():
            got = self.arrays[name].shape
            wanted = tuple(4 * sizes["hidden"] if part == "gates" else sizes.get(part, -1) for part in shape)
            wanted = tuple(size if want == -1 else want for size, want in zip(got, wanted, strict=False))
            if len(got) != len(shape) or got != wanted or not np.isfinite(self.arrays[name]).all():
                raise CheckpointError(f"Got {name} of shape {got}, wanted finite numbers of ({', '.join(shape)}).")
            sizes.update({part: size for part, size in zip(shape, got, strict=True) if part != "gates"})

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def dimensions(self) -> int:
        return int(self.arrays["start.weight"].shape[1])

    @property
    def words(self) -> int:
        return int(self.arrays["embedding.weight"].shape[0])

    def write(self, features: FloatArray, longest: int, beams: int = BEAMS) -> list[Sentence]:
        """The likeliest sentences for one image's features (dimensions,), at most `beams` of at most `longest` words.

        Sentences compete by the mean of their words' log-probabilities, so that long ones stand a chance.
        """
        array = self.arrays
        hidden = np.tanh(features @ array["start.weight"].T + array["start.bias"])[None]
        state = (hidden, np.zeros_like(hidden))
        paths: list[tuple[int, ...]] = [()]
        scores = np.zeros(1)
        done: list[Sentence] = []
        for step in range(longest + 1):
            last = [path[-1] if path else END for path in paths]
            logs, state = self._step(np.array(last), state)
            logs[:, UNKNOWN] = -np.inf
            if step == 0:
                logs[:, END] = -np.inf
            totals = scores[:, None] + logs
            if step == longest:  # what is not over yet ends here
                done += [_sentence(path, float(total)) for path, total in zip(paths, totals[:, END], strict=True)]
                break
            best = np.argsort(-totals, axis=None, kind="stable")[:beams]
            rows, numbers = np.unravel_index(best, totals.shape)
            ends = numbers == END
            done += [_sentence(paths[row], float(totals[row, END])) for row in rows[ends]]
            kept = ~ends & np.isfinite(totals[rows, numbers])
            if len(done) >= beams or not kept.any():
                break
            scores = totals[rows[kept], numbers[kept]]
            paths = [(*paths[row], int(number)) for row, number in zip(rows[kept], numbers[kept], strict=True)]
            state = (state[0][rows[kept]], state[1][rows[kept]])
        return sorted(done, key=lambda sentence: -sentence.likelihood)[:beams]

    def _step(self, numbers: npt.NDArray[np.int64], state: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        """Log-probabilities (beams, words) of what comes next, and the next state."""
        array = self.arrays
        gates = (
            array["embedding.weight"][numbers] @ array["cell.weight_ih_l0"].T
            + array["cell.bias_ih_l0"]
            + state[0] @ array["cell.weight_hh_l0"].T
            + array["cell.bias_hh_l0"]
        ).astype(np.float64)
        take, forget, new, out = np.split(gates, 4, axis=1)
        cell = sigmoid(forget) * state[1] + sigmoid(take) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
        scores = hidden @ array["out.weight"].T + array["out.bias"]
        scores = scores - scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)), (hidden, cell)


def _sentence(path: tuple[int, ...], total: float) -> Sentence:
    return Sentence(path, float(np.exp(total / (len(path) + 1))))


SHAPES: Mapping[str, tuple[str, ...]] = {
    "start.weight": ("hidden", "dimensions"),
    "start.bias": ("hidden",),
    "embedding.weight": ("words", "embedded"),
    "cell.weight_ih_l0": ("gates", "embedded"),
    "cell.weight_hh_l0": ("gates", "hidden"),
    "cell.bias_ih_l0": ("gates",),
    "cell.bias_hh_l0": ("gates",),
    "out.weight": ("words", "hidden"),
    "out.bias": ("words",),
}
"""What torch calls the weights, and their shapes; `gates` are four times `hidden`."""
