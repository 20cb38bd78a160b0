"""Sentences as numbers and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model_zoo.caption_metrics import tokens
from model_zoo.types import Caption

END, UNKNOWN = 0, 1
SPECIAL = 2
"""Numbers that stand for no word: the end, with which sentences begin as well, and a word that is not known."""
MOST_WORDS = 5_000
LONGEST = 40
"""Tokens of one caption that are learnt and written."""

_BEFORE = re.compile(r" (?=[.,;:!?%)\]}\u2019])")
_AFTER = re.compile(r"(?<=[(\[{]) ")


@dataclass(frozen=True)
class Vocabulary:
    """Words and signs as people wrote them, in upper and lower case."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, captions: Iterable[Caption]) -> Vocabulary:
        """Those of `captions`, the most frequent first."""
        counted = Counter(token for caption in captions for token in tokens(caption))
        ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        return cls(tuple(word for word, _ in ranked[:MOST_WORDS]))

    def __len__(self) -> int:
        return len(self.words) + SPECIAL

    def encode(self, caption: Caption) -> list[int]:
        """Numbers of its tokens, without an end."""
        places = {word: place for place, word in enumerate(self.words, SPECIAL)}
        return [places.get(token, UNKNOWN) for token in tokens(caption)[:LONGEST]]

    def decode(self, numbers: Sequence[int]) -> Caption:
        """The sentence; signs stand where people put them."""
        text = " ".join(self.words[number - SPECIAL] for number in numbers if number >= SPECIAL)
        return _AFTER.sub("", _BEFORE.sub("", text))
