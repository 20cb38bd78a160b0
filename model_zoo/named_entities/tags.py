"""Labels as tags of single words: outside, and for each label its beginning and its inside (BIO, Ramshaw and Marcus
1995). Tags that cannot follow each other never do: what is decoded needs no repair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model_zoo.named_entities.words import Word, covered, disjoint
from model_zoo.types import LabelSpace, Span

OUTSIDE = 0
Flags = npt.NDArray[np.bool_]
Tags = npt.NDArray[np.int64]


def tag_count(labels: int) -> int:
    return 2 * labels + 1


def begin(label: int) -> int:
    return 2 * label + 1


def inside(label: int) -> int:
    return 2 * label + 2


def allowed(labels: int) -> tuple[Flags, Flags]:
    """Which tags may come first, shape (tags,), and which may follow which, shape (tags, tags)."""
    count = tag_count(labels)
    first, follows = np.ones(count, np.bool_), np.ones((count, count), np.bool_)
    for label in range(labels):
        first[inside(label)] = False
        follows[:, inside(label)] = False
        follows[[begin(label), inside(label)], inside(label)] = True
    return first, follows


def tags_of(words: Sequence[Word], spans: Sequence[Span], labels: LabelSpace) -> Tags:
    """The words' tags, shape (words,); a word that a span touches belongs to it."""
    tags = np.full(len(words), OUTSIDE, np.int64)
    index = {name: at for at, name in enumerate(labels.names)}
    for first, last, label in covered(words, disjoint(spans)):
        tags[first:last] = inside(index[label])
        tags[first] = begin(index[label])
    return tags
