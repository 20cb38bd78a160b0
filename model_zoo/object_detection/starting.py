"""Where training begins: with the classes of the pretrained network that a label is called after, or looks like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_zoo.boxes import overlaps
from model_zoo.object_detection.cache import Cache
from model_zoo.object_detection.network import Network
from model_zoo.types import FloatArray, LabelSpace

ALIKE = 3
"""Classes that a label may begin as a mixture of."""
FAINT = 0.02
"""Probability, summed over these classes, below which a label looks like nothing known."""
NEAR = 20
"""Cells around an object that are asked what they see."""


def mixture(
    network: Network, cache: Cache, labels: LabelSpace, named: Sequence[Sequence[int]], chosen: Sequence[int]
) -> FloatArray:
    """Weights (labels, classes) of the network's classes that each label begins as; rows sum to 1, or to 0 where
    nothing is alike. `named` are the classes that labels mean by name; what the others look like is seen in the
    chosen views."""
    seen = _looks(network, cache, len(labels), chosen) if any(not row for row in named) else None
    weights: FloatArray = np.zeros((len(labels), len(network.names)), np.float32)
    for index, row in enumerate(named):
        if row:
            weights[index, list(row)] = 1 / len(row)
        elif seen is not None:
            best = np.argsort(-seen[index], kind="stable")[:ALIKE]
            total = float(seen[index, best].sum())
            if total >= FAINT:
                weights[index, best] = seen[index, best] / total
    return weights


def _looks(network: Network, cache: Cache, count: int, chosen: Sequence[int]) -> FloatArray:
    """Mean probability (labels, classes) that the cells which frame an object of each label best give to each class."""
    import torch

    sums: FloatArray = np.zeros((count, len(network.names)), np.float32)
    objects = np.zeros(count)
    with torch.inference_mode():
        for at in chosen:
            cache.check()
            picture = cache.seen[at].picture
            if not len(picture.boxes):
                continue
            given = network.class_branch(cache.levels([at]))[0].sigmoid().numpy().T
            shared = overlaps(picture.boxes, cache.corners([at])[0].numpy())
            for label, row in zip(picture.labels, shared, strict=True):
                near = np.argsort(-row, kind="stable")[:NEAR]
                near = near[row[near] > 0.5]
                objects[label] += 1
                if len(near):
                    sums[label] += given[near].max(axis=0)
    means: FloatArray = (sums / np.maximum(objects, 1)[:, None]).astype(np.float32)
    return means
