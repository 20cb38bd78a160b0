"""What a word looks like, which an encoder that reads small letters alone cannot see: hashed features for a linear
layer.

The features are the usual ones of taggers (Lafferty et al. 2001; Ratinov and Roth 2009): shape, beginning, ending, the
word itself and its neighbours. Words of the project's own labelled spans become known to the model through them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt

from model_zoo.named_entities.words import Word

BUCKETS = 1 << 14
"""Where hashed features fall; some collide, which costs less than a larger table."""
FEATURES = 14
"""Features of one word."""
LONGEST = 40
"""Characters of a word that are looked at."""

Ids = npt.NDArray[np.int64]


def shape_features(words: Sequence[Word]) -> Ids:
    """Feature numbers below `BUCKETS`, of shape (words, `FEATURES`)."""
    own = [_own(word.text[:LONGEST]) for word in words]
    blank = ("<edge>",) * 3
    rows = []
    for at, (lower, shape, short) in enumerate(own):
        before, after = (own[near] if 0 <= near < len(own) else blank for near in (at - 1, at + 1))
        before2, after2 = (own[near] if 0 <= near < len(own) else blank for near in (at - 2, at + 2))
        glued = at > 0 and words[at - 1].end == words[at].start
        rows.append(
            [
                _hash(name, text)
                for name, text in (
                    ("word", lower),
                    ("shape", shape),
                    ("short", short),
                    ("first", lower[:3]),
                    ("last", lower[-3:]),
                    ("last2", lower[-2:]),
                    ("before", before[0]),
                    ("after", after[0]),
                    ("shape before", before[2] + "|" + short),
                    ("shape after", short + "|" + after[2]),
                    ("shapes", before[2] + "|" + short + "|" + after[2]),
                    ("far", before2[2] + "|" + after2[2]),
                    ("glued", f"{glued} {before[0] if glued and before[1] == before[0] else ''}"),
                    ("start", f"{at == 0} {short}"),
                )
            ]
        )
    return np.array(rows, np.int64).reshape(len(words), FEATURES)


def _own(text: str) -> tuple[str, str, str]:
    """The word in small letters, its shape (`iPhone6`: `xXxxxx0`) and that without repetition (`xXx0`)."""
    shape = "".join(_kind(letter) for letter in text)
    return text.lower(), shape[:8], "".join(_without_repetition(shape))


def _kind(letter: str) -> str:
    if letter.isdigit():
        return "0"
    if letter.isalpha():
        return "X" if letter.isupper() else "x"
    return letter


def _without_repetition(text: str) -> Iterator[str]:
    last = ""
    for letter in text:
        if letter != last:
            yield letter
        last = letter


@lru_cache(maxsize=1 << 16)
def _hash(name: str, text: str) -> int:
    return crc32(f"{name}\0{text}".encode("utf-8", "surrogatepass")) % BUCKETS
