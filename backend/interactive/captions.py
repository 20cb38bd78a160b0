"""A text that somebody has begun, completed as earlier texts of the project go on."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable

FINISHED = (".", "!", "?", "。", "！", "？")
"""A text that ends so is complete, and stays what it is."""
WORDS = 3
"""Last words that must be the same for another text to go on from there."""
SHORTEST = 3
"""Letters that must be there."""
MOST_PROJECTS = 64
MOST_TEXTS = 2000
"""Texts that are remembered of one project."""


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


def complete(begun: str, earlier: Iterable[str]) -> tuple[str, float] | None:
    """`begun` with the most frequent continuation of it among `earlier`, and its share among all there are; None
    where it is complete already, or none goes on from it. What was written is kept letter by letter."""
    if len(begun.strip()) < SHORTEST or begun.rstrip().endswith(FINISHED):
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
