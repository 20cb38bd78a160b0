"""How alike two sentences are, and how like people's a set of captions is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model_zoo.types import Caption, FloatArray

LONGEST = 4
"""Words in the longest runs that CIDEr counts."""

SPREAD = 6.0
"""Words by which lengths may differ: the standard deviation of CIDEr-D's penalty."""

Gram = tuple[str, ...]

_TOKEN = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s]")


def tokens(text: Caption) -> list[str]:
    """Words and signs, in order and as they are written."""
    return _TOKEN.findall(text)


def words(text: Caption) -> list[str]:
    """What is compared: words alone, in lower case."""
    return [token for token in tokens(text.casefold()) if token[0].isalnum() or token[0] == "_"]


def token_f1(first: Caption, second: Caption) -> float:
    """The F1 of the words that both have: Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, with articles
    kept, as captions have them on purpose. 1 where neither has a word."""
    one, other = words(first), words(second)
    if not one or not other:
        return float(one == other)
    shared = sum((Counter(one) & Counter(other)).values())
    return 2 * shared / (len(one) + len(other))


def best_f1(caption: Caption, references: Sequence[Caption]) -> float:
    """That of the reference which is most alike; references are several ways to say the same."""
    return max((token_f1(caption, reference) for reference in references), default=0.0)


def cider(captions: Sequence[Caption], references: Sequence[Sequence[Caption]]) -> FloatArray:
    """CIDEr-D of a caption for each image, given its references; shape (images,), from 0 to 10.

    The cosine of runs of one to four words, each weighed by how few images' references have it, so that "a" and "on"
    count for nothing; clipped, and less where lengths differ: Vedantam et al. 2015, https://arxiv.org/abs/1411.5726,
    without stemming.
    """
    sentences = [[words(reference) for reference in several] for several in references]
    grams = [[_grams(sentence) for sentence in several] for several in sentences]
    seen = Counter(gram for several in grams for gram in set().union(*several))
    rarity = {gram: float(np.log(len(references) / count)) for gram, count in seen.items()}
    usual = _Rarity(rarity, float(np.log(max(len(references), 1))))
    scores = np.zeros(len(captions), np.float32)
    for row, (caption, several) in enumerate(zip(captions, grams, strict=True)):
        own = words(caption)
        pairs = [
            usual.likeness(_grams(own), other) * _as_long(len(own), len(sentence))
            for sentence, other in zip(sentences[row], several, strict=True)
        ]
        scores[row] = 10 * float(np.mean(pairs)) if pairs else 0.0
    return scores


@dataclass(frozen=True)
class _Rarity:
    """What each run of words weighs, and one that no reference has."""

    known: Mapping[Gram, float]
    unseen: float

    def likeness(self, one: Counter[Gram], other: Counter[Gram]) -> float:
        """The mean over lengths of the clipped cosine, in [0, 1]."""
        return float(np.mean([self._cosine(one, other, length) for length in range(1, LONGEST + 1)]))

    def _cosine(self, one: Counter[Gram], other: Counter[Gram], length: int) -> float:
        first, second = (
            {gram: count * self.known.get(gram, self.unseen) for gram, count in side.items() if len(gram) == length}
            for side in (one, other)
        )
        norms = [float(np.sqrt(sum(value**2 for value in side.values()))) for side in (first, second)]
        shared = sum(min(value, second.get(gram, 0.0)) * second.get(gram, 0.0) for gram, value in first.items())
        return shared / (norms[0] * norms[1]) if all(norms) else 0.0


def _as_long(one: int, other: int) -> float:
    """1 for sentences of one length, and less the more those differ."""
    return float(np.exp(-((one - other) ** 2) / (2 * SPREAD**2)))


def _grams(sentence: Sequence[str]) -> Counter[Gram]:
    """Runs of one to `LONGEST` words, with how often each occurs."""
    lengths = range(1, LONGEST + 1)
    return Counter(tuple(sentence[at : at + length]) for length in lengths for at in range(len(sentence) - length + 1))
