"""The frozen text encoder on two passages of an item: what it makes of each, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Watch
from model_zoo.programs.program import Array, Program
from model_zoo.text_classification.body import TextBody
from model_zoo.text_classification.minilm import TAIL, MiniLM
from model_zoo.texts import read_text, two_passages
from model_zoo.tuning.effort import Check
from model_zoo.tuning.encoder import Body, Tensors, TunableEncoder
from model_zoo.tuning.hyperparameters import FEW_SHOT, Cost, Tuning
from model_zoo.types import FloatArray, Input
from model_zoo.weights import Located, Weights

if TYPE_CHECKING:
    from torch import Tensor


class MiniLMPair(TunableEncoder):
    """Vectors of unit length: a dot product of two is the mean of the similarities of their first passages and of their
    second ones. `PASSAGE` stands between the two; a text without one is both."""

    architecture: ClassVar[str] = "minilm_l6_v2_pair.v1"
    passages: ClassVar[int] = 2
    dimensions: ClassVar[int] = passages * MiniLM.dimensions
    tokens: ClassVar[int] = MiniLM.tokens
    at_once: ClassVar[int] = MiniLM.at_once
    weights: ClassVar[Weights] = MiniLM.weights
    usual: ClassVar[Tuning] = MiniLM.usual
    costs: ClassVar[Mapping[str, Cost]] = MiniLM.costs

    def __init__(self, located: Located, own: Tensors | None = None, one: MiniLM | None = None) -> None:
        """`one` reads single passages, where there is such an encoder already: its network is shared then."""
        super().__init__(located, own)
        self._one = one or MiniLM(located, own)

    @property
    def program(self) -> Program:
        return self._one.program

    def prepare(self, value: Input | None) -> str:
        """The text itself, checked."""
        return read_text(value)

    def encode(self, inputs: Sequence[Input | None], watch: Watch = UNWATCHED) -> FloatArray:
        """Features of shape (inputs, 768). A passage that comes more than once is read once."""
        pairs = [two_passages(value) for value in inputs]
        texts = {text: row for row, text in enumerate(dict.fromkeys(text for pair in pairs for text in pair))}
        rows = self._one.encode(list(texts), watch)
        places = np.array([[texts[text] for text in pair] for pair in pairs], np.int64).reshape(-1, 2)
        features: FloatArray = rows[places].reshape(len(pairs), self.dimensions) / np.float32(sqrt(2))
        return features

    def body(self, recipe: str) -> Body:
        return PairBody(self._one.bert(), TAIL if recipe == FEW_SHOT else 0, self._one.read)


class PairBody(TextBody):
    """What is kept of a text are the two arrays of its passages."""

    def below(self, views: Sequence[Any], check: Check) -> list[Array]:
        rows = iter(super().below([text for view in views for text in two_passages(view)], check))
        pairs: list[Array] = []
        for first, second in zip(rows, rows, strict=True):
            pair = np.empty(2, np.object_)
            pair[0], pair[1] = first, second
            pairs.append(pair)
        return pairs

    def above(self, kept: Sequence[Array]) -> Tensor:
        """As `MiniLMPair.encode`."""
        features = super().above([passage for pair in kept for passage in pair])
        return features.reshape(len(kept), -1) / sqrt(2)
