"""Layers of BERT run one after another, so that the lower ones can be run once and the upper ones many times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.programs.program import Array

if TYPE_CHECKING:
    from torch import Tensor


def through(network: Any, hidden: Tensor, mask: Tensor, first: int, last: int) -> list[Tensor]:
    """What layers `first` to before `last` give, one after the other, from hidden vectors (n, tokens, size) and which
    tokens count (n, tokens)."""
    import torch

    unseen = torch.zeros(mask.shape[0], 1, 1, mask.shape[1]).masked_fill(mask[:, None, None, :] == 0, -1e9)
    results = []
    for layer in network.encoder.layer[first:last]:
        answer = layer(hidden, unseen)
        hidden = answer[0] if isinstance(answer, tuple) else answer
        results.append(hidden)
    return results


def stacked(rows: Sequence[Array]) -> tuple[Tensor, Tensor]:
    """Vectors of texts, each (tokens, size), as (texts, tokens of the longest, size), and which count."""
    import torch

    longest = max(len(row) for row in rows)
    hidden = np.zeros((len(rows), longest, rows[0].shape[1]), np.float32)
    mask = np.zeros((len(rows), longest), np.int64)
    for at, row in enumerate(rows):
        hidden[at, : len(row)] = row
        mask[at, : len(row)] = 1
    return torch.from_numpy(hidden), torch.from_numpy(mask)


def reaching(network: Any, ids: Array, mask: Array, cut: int) -> list[Array]:
    """The vectors that layer `cut` is given, one array (tokens, size) a text, in half precision."""
    import torch

    with torch.inference_mode():
        hidden = network.embeddings(input_ids=torch.from_numpy(ids))
        attended = torch.from_numpy(mask)
        hidden = [hidden, *through(network, hidden, attended, 0, cut)][-1]
        return [row[:count].half().numpy() for row, count in zip(hidden, attended.sum(dim=1).tolist(), strict=True)]
