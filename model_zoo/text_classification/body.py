"""A text network cut between two layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.programs.program import Array
from model_zoo.text_classification.batches import batches, padded
from model_zoo.texts import read_text
from model_zoo.tuning.effort import Check
from model_zoo.tuning.encoder import Body
from model_zoo.tuning.layers import reaching, stacked, through
from model_zoo.types import Input

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 128
"""Tokens of a text that training reads: twice as many take more than twice the time."""


class TextBody(Body):
    """`read` gives the token ids of texts. What lies below layer `cut` is frozen, word vectors always."""

    def __init__(self, network: Any, cut: int, read: Callable[[Sequence[str]], list[list[int]]]) -> None:
        self._network = network
        self._cut = cut
        self._read = read
        super().__init__(network, network.encoder.layer[cut:])

    def views(self, value: Input, count: int, random: np.random.Generator) -> list[str]:
        """The text alone: what would vary it might change what it means."""
        return [read_text(value)]

    def below(self, views: Sequence[Any], check: Check) -> list[Array]:
        ids = [row[:LONGEST] for row in self._read(views)]
        kept: list[Array] = [np.empty(0)] * len(ids)
        for batch in batches([len(row) for row in ids]):
            check()
            tokens, mask = padded([ids[at] for at in batch])
            for at, row in zip(batch, reaching(self._network, tokens, mask, self._cut), strict=True):
                kept[at] = row
        return kept

    def above(self, kept: Sequence[Array]) -> Tensor:
        """As `minilm.mean_of_tokens`."""
        from torch.nn.functional import normalize

        hidden, mask = stacked(kept)
        last = through(self._network, hidden, mask, self._cut, len(self._network.encoder.layer))[-1]
        seen = mask.unsqueeze(-1)
        return normalize((last * seen).sum(dim=1) / seen.sum(dim=1), dim=1)
