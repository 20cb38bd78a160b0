"""Token ids of texts in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from model_zoo.programs.program import Arrays

TOKENS_A_BATCH = 2048
"""Bounds what a batch's activations need to some 25 MB, at no cost in speed on a CPU."""


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in batches of at most `TOKENS_A_BATCH` tokens, padding counted, the shortest texts first."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > TOKENS_A_BATCH:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(rows: Sequence[Sequence[int]]) -> Arrays:
    """Token ids and which of them count, both of shape (texts, tokens of the longest)."""
    ids = np.zeros((len(rows), max(len(row) for row in rows)), np.int64)
    attended = np.zeros(ids.shape, np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        attended[at, : len(row)] = 1
    return ids, attended
