"""How far to trust what few images taught the last layer: the weights between it and where it began.

Averaging a network's weights before and after it was trained keeps what it knew and most of what it learnt (Wortsman et
al. 2022, "Robust fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903). Here it is done label by label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_zoo.object_detection.network import LAST, Network
from model_zoo.types import FloatArray

GRID = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the trained layer that are tried."""
OWN = 20
"""Objects of a label from which on it has a share of its own; below, labels that the network knew share one."""
USUAL = 0.5
"""The share where nothing could be held out."""


def blended(start: Network, trained: Network, trust: FloatArray) -> Network:
    """`trained` with the last layer between `start`'s and its own: `trust` (labels,) is its own share."""
    import torch

    network = trained.own((LAST,))
    share = torch.from_numpy(trust)
    with torch.no_grad():
        for mixed, first, second in zip(network.head.cv3, start.head.cv3, trained.head.cv3, strict=True):
            mixed[2].weight.copy_(torch.lerp(first[2].weight, second[2].weight, share[:, None, None, None]))
            mixed[2].bias.copy_(torch.lerp(first[2].bias, second[2].bias, share))
    return network


def usual(known: Sequence[bool], present: Sequence[bool]) -> FloatArray:
    """The shares where nothing could be held out: all for labels that begin as nothing the network knows, none for
    labels without an object."""
    shares: FloatArray = np.where(present, np.where(known, USUAL, 1.0), 0.0).astype(np.float32)
    return shares


def choose(scores: FloatArray, objects: Sequence[int], known: Sequence[bool]) -> FloatArray:
    """The best share for each label from `scores` (shares of `GRID`, labels), which are NaN for labels without an
    object; `objects` counts those in the training images, `known` says which labels begin as something known."""
    present = np.array(objects) > 0
    shares = usual(known, present.tolist())
    pooled = np.array(known) & present & ~np.isnan(scores[0])
    if not pooled.any():
        return shares
    shares[pooled] = _best(scores[:, pooled].mean(axis=1))
    for label in np.flatnonzero(pooled & (np.array(objects) >= OWN)):
        shares[label] = _best(scores[:, label])
    return shares


def _best(scores: FloatArray) -> float:
    """The highest, and of near equals the one nearest the middle."""
    doubts = np.abs(np.array(GRID) - USUAL) * 0.01
    return GRID[int((scores - doubts).argmax())]
