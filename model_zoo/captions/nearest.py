"""Captions of the images that look most alike: what a few examples are good for, and hard to beat with many.

Devlin et al. 2015, "Exploring Nearest Neighbor Approaches for Image Captioning", https://arxiv.org/abs/1505.04467: of
the neighbours' captions, the one that agrees best with all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from model_zoo.caption_metrics import token_f1
from model_zoo.types import Caption, FloatArray

NEIGHBOURS = 10
CAPTIONS_EACH = 5
"""Captions of one neighbour that are considered."""

_alike = lru_cache(maxsize=65_536)(token_f1)


@dataclass(frozen=True)
class Nearest:
    """Features (images, dimensions) with the captions of each image, at least one."""

    features: FloatArray
    captions: tuple[tuple[Caption, ...], ...]

    @property
    def nbytes(self) -> int:
        return int(self.features.nbytes) + sum(len(text) for several in self.captions for text in several)

    def find(self, features: FloatArray, most: int) -> list[tuple[Caption, float]]:
        """At most `most` captions, the one that agrees best with the neighbours' first; agreement is in [0, 1], weighed
        by how alike the images are."""
        likeness = self.features @ features
        chosen = np.argsort(-likeness, kind="stable")[:NEIGHBOURS]
        weights = np.exp((likeness[chosen] - likeness[chosen].max(initial=0.0)).astype(np.float64))
        texts = [(text, place) for place, at in enumerate(chosen) for text in self.captions[at][:CAPTIONS_EACH]]
        found: dict[Caption, float] = {}
        for text, place in texts:
            if text not in found:
                found[text] = _agreement(text, place, texts, weights)
        return sorted(found.items(), key=lambda pair: -pair[1])[:most]


def rounded(features: FloatArray) -> FloatArray:
    """Features as they are stored, in half precision: what is loaded must be what was there before."""
    return features.astype(np.float16).astype(np.float32)


def _agreement(
    text: Caption, place: int, texts: Sequence[tuple[Caption, int]], weights: Sequence[float] | FloatArray
) -> float:
    """The mean F1 with the captions of the other images; 0 where there is no other."""
    pairs = [(_alike(text, other), float(weights[at])) for other, at in texts if at != place]
    total = sum(weight for _, weight in pairs)
    return sum(f1 * weight for f1, weight in pairs) / total if total else 0.0
