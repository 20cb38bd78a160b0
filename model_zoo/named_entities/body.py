"""The reader of words cut between two layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.named_entities.reading import LAYERS, Vectors, Window
from model_zoo.named_entities.words import Word
from model_zoo.programs.program import Array
from model_zoo.text_classification.batches import batches, padded
from model_zoo.tuning.effort import Check
from model_zoo.tuning.encoder import Body
from model_zoo.tuning.layers import reaching, stacked, through
from model_zoo.types import Input

if TYPE_CHECKING:
    from torch import Tensor

Part = tuple[tuple[Word, ...], Window]
"""The words of one window, and the window."""


class WordsBody(Body):
    """Views are windows. What lies below layer `cut`, at most the first of `LAYERS`, is frozen, word vectors always."""

    def __init__(self, network: Any, cut: int) -> None:
        self._network = network
        self._cut = cut
        super().__init__(network, network.encoder.layer[cut:])

    def views(self, value: Input, count: int, random: np.random.Generator) -> list[Any]:
        return []

    def below(self, views: Sequence[Any], check: Check) -> list[Array]:
        kept: list[Array] = [np.empty(0)] * len(views)
        for batch in batches([len(window.ids) for window in views]):
            check()
            tokens, mask = padded([views[at].ids for at in batch])
            rows = reaching(self._network, tokens, mask, self._cut)
            for at, row in zip(batch, rows, strict=True):
                kept[at] = row
        return kept

    def above(self, kept: Sequence[Array]) -> Tensor:
        """Vectors of tokens (windows, tokens, dimensions), as `reading.tokens_of` gives them."""
        import torch

        hidden, mask = stacked(kept)
        after = [hidden, *through(self._network, hidden, mask, self._cut, max(LAYERS))]
        return torch.cat([after[number - self._cut] for number in LAYERS], dim=-1)


def parts_of(vectors: Vectors, text: str) -> list[Part]:
    """The text's windows, in order."""
    return [(words[window.words], window) for words in vectors.words_of(text) for window in vectors.windows(words)]
