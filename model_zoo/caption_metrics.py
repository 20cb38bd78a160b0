"""How alike two sentences are, and how like people's a set of captions is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from model_zoo.types import Caption

LONGEST = 4
"""Words in the longest runs that CIDEr counts."""

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


def cider(captions: Sequence[Caption], references: Sequence[Sequence[Caption]]) -> float:
    """The mean CIDEr of a caption for each image, given its references; 0 where there are none.

    The cosine of runs of one to four words, each weighed by how few images' references have it, times 10: Vedantam et
    al. 2015, https://arxiv.org/abs/1411.5726. Not CIDEr-D: no stemming, and lengths are not punished.
    """
    if not captions:
        return 0.0
    grams = [[_grams(words(reference)) for reference in several] for several in references]
    seen = Counter(gram for several in grams for gram in set().union(*several))
    rarity = {gram: float(np.log(len(references) / count)) for gram, count in seen.items()}
    unseen = float(np.log(len(references)))

    def cosine(one: Counter[tuple[str, ...]], other: Counter[tuple[str, ...]], length: int) -> float:
        first, second = (
            {gram: count * rarity.get(gram, unseen) for gram, count in side.items() if len(gram) == length}
            for side in (one, other)
        )
        norms = [np.sqrt(sum(value**2 for value in side.values())) for side in (first, second)]
        shared = sum(value * second.get(gram, 0.0) for gram, value in first.items())
        return shared / float(norms[0] * norms[1]) if all(norms) else 0.0

    scores = []
    for caption, several in zip(captions, grams, strict=True):
        own = _grams(words(caption))
        pairs = [cosine(own, other, length) for other in several for length in range(1, LONGEST + 1)]
        scores.append(10 * float(np.mean(pairs)) if pairs else 0.0)
    return float(np.mean(scores))


def _grams(sentence: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Runs of one to `LONGEST` words, with how often each occurs."""
    lengths = range(1, LONGEST + 1)
    return Counter(tuple(sentence[at : at + length]) for length in lengths for at in range(len(sentence) - length + 1))
