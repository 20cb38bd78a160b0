"""A text that somebody has begun, completed as others go on; and another way to say what somebody has written."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from model_zoo.caption_metrics import token_f1

FINISHED = (".", "!", "?", "。", "！", "？")
"""A text that ends so is complete, and stays what it is."""
WORDS = 3
"""Last words that must be the same for another text to go on from there."""
SHORTEST = 3
"""Letters that must be there."""
NEAR = 0.6
"""Share of words in common from which on an earlier text may be meant by one that somebody has written."""
MOST_PROJECTS = 64
MOST_TEXTS = 2000
"""Texts that are remembered of one project."""


Captions = Callable[[], Sequence[tuple[str, float]]]
"""Asks a model for captions, the best first, with how good each may be."""


class Recent:
    """Texts submitted to this process, by project: bounded, and beside what the store has. Safe for threads."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, deque[str]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, uid: str, text: str) -> None:
        with self._lock:
            texts = self._texts.setdefault(uid, deque(maxlen=MOST_TEXTS))
            self._texts.move_to_end(uid)
            texts.append(text)
            while len(self._texts) > MOST_PROJECTS:
                self._texts.popitem(last=False)

    def of(self, uid: str) -> list[str]:
        """Oldest first."""
        with self._lock:
            return list(self._texts.get(uid, ()))


def written_in(region: Mapping[str, Any]) -> list[str] | None:
    """The texts of a region, in order; None where it holds none, or anything else."""
    value = region.get("value")
    written = value.get("text") if isinstance(value, Mapping) else None
    texts = [written] if isinstance(written, str) else written
    return texts if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts) else None


def is_finished(text: str) -> bool:
    """Whether it ends as sentences do."""
    return text.rstrip().endswith(FINISHED)


def is_question(text: str) -> bool:
    """Whether it is a question mark or the like alone: somebody wants to read a text before writing one."""
    return bool(text.strip()) and not any(letter.isalnum() for letter in text)


def reply(texts: Sequence[str], earlier: Sequence[str], own: Captions, *, room: bool) -> tuple[list[str], float] | None:
    """What is to stand in place of `texts`, the last of which was just written, and how good it may be; None where
    they stay as they are. A question is answered by the model; what is begun is completed, as the model says it before
    all; below what stays another text is proposed where there is `room`. What people wrote is never changed."""
    last = texts[-1]
    asked, begun = is_question(last), not is_finished(last)
    seen = own() if asked or begun or room else ()
    if asked:
        return next((([*texts[:-1], text], score) for text, score in seen), None)
    found = (complete(last, [text for text, _ in seen]) or complete(last, earlier)) if begun else None
    if found is not None:
        return [*texts[:-1], found[0]], found[1]
    other = better(last, seen, earlier) if room else None
    return ([*texts, other[0]], other[1]) if other is not None and other[0] not in texts else None


def better(written: str, found: Sequence[tuple[str, float]], earlier: Sequence[str]) -> tuple[str, float] | None:
    """Another text for the same: the best of those `found` by a model, with its score, else the earlier one that has
    most words in common (of equal ones the most frequent), with their share; None where neither says it otherwise."""
    known = " ".join(written.split()).casefold()
    for text, score in found:
        if " ".join(text.split()).casefold() != known:
            return text, score
    counts = Counter(" ".join(text.split()) for text in earlier)
    alike = [
        (share, count, text)
        for text, count in counts.items()
        if text.casefold() != known and (share := token_f1(text, written)) >= NEAR
    ]
    share, _, text = max(alike, default=(0.0, 0, ""))
    return (text, share) if text else None


def complete(begun: str, earlier: Iterable[str]) -> tuple[str, float] | None:
    """`begun` with the most frequent continuation of it among `earlier`, and its share among all there are; None
    where it is complete already, or none goes on from it. What was written is kept letter by letter."""
    if len(begun.strip()) < SHORTEST or is_finished(begun):
        return None
    texts = [" ".join(text.split()) for text in earlier]
    written = " ".join(begun.split())
    for start in (written, " ".join(written.split()[-WORDS:])):
        rests = Counter(rest for text in texts if (rest := _rest(text, start, whole=start == written)))
        if rests:
            # Of equally frequent ones the latest: people's way of putting things settles.
            best = max(reversed(list(rests)), key=lambda rest: rests[rest])
            return begun.rstrip() + best, rests[best] / rests.total()
        if len(written.split()) <= WORDS:
            break
    return None


def _rest(text: str, start: str, *, whole: bool) -> str:
    """What follows `start` in `text`: at its beginning, or anywhere between words where not `whole`."""
    folded, wanted = text.casefold(), start.casefold()
    if len(folded) != len(text):
        return ""  # a letter that folds into two; places would be off
    if whole:
        return text[len(start) :] if folded.startswith(wanted) else ""
    at = f" {folded} ".find(f" {wanted} ")
    return text[at + len(start) :] if at >= 0 else ""
