"""A linear-chain conditional random field (Lafferty, McCallum and Pereira 2001): what each span's probability is.

Training is pytorch-crf's; here are the sums over all taggings, in NumPy, so that serving needs no loop in torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.named_entities.tags import begin, inside
from model_zoo.types import FloatArray

Array = npt.NDArray[np.float64]

LIKELY = 0.005
"""Probability below which a span is no candidate."""
LONGEST = 60
"""Words of a candidate."""

Found = list[tuple[int, int, int, float]]
"""Candidates: first word, the word behind the last, index of the label, probability."""


@dataclass(frozen=True)
class Chain:
    """Scores of beginning with a tag (tags,), of one tag after another (tags, tags), and of ending with one (tags,).
    What cannot be has scores so low that nothing makes up for them."""

    start: FloatArray
    steps: FloatArray
    end: FloatArray

    @property
    def labels(self) -> int:
        return (len(self.start) - 1) // 2

    def candidates(self, scores: FloatArray) -> Found:
        """Every span with a probability of `LIKELY` or more, given the words' scores (words, tags)."""
        if not len(scores):
            return []
        emitted = scores.astype(np.float64)
        forward, backward, total = self._sums(emitted)
        steps = self.steps.astype(np.float64)
        found: Found = []
        begins = np.array([begin(label) for label in range(self.labels)])
        chances = np.exp(forward[:, begins] + backward[:, begins] - total)
        for first, label in np.argwhere(chances >= LIKELY).tolist():
            found += self._from(first, label, forward, backward, total, emitted, steps)
        return found

    def _from(
        self,
        first: int,
        label: int,
        forward: Array,
        backward: Array,
        total: float,
        emitted: Array,
        steps: Array,
    ) -> Found:
        """The likely spans of one label that begin with one word."""
        found: Found = []
        within, tag, run = inside(label), begin(label), float(forward[first, begin(label)])
        for last in range(first, min(len(emitted), first + LONGEST)):
            if last + 1 < len(emitted):
                ways = steps[tag] + emitted[last + 1] + backward[last + 1]
                ways[within] = -np.inf
                left = _total(ways)
            else:
                left = float(self.end[tag])
            chance = float(np.exp(run + left - total))
            if chance >= LIKELY:
                found.append((first, last + 1, label, min(chance, 1.0)))
            if last + 1 == len(emitted):
                break
            run += float(steps[tag, within] + emitted[last + 1, within])
            tag = within
            if np.exp(run + backward[last + 1, within] - total) < LIKELY:
                break
        return found

    def _sums(self, emitted: Array) -> tuple[Array, Array, float]:
        """Logarithms of the sums over all taggings up to each word and tag, its own score included, and from there on,
        both (words, tags); and of all together."""
        # Exponentials of the steps are taken once; each row's peak is taken away before its own are.
        steps = np.exp(self.steps.astype(np.float64))
        count, tags = emitted.shape
        forward, backward = np.empty((count, tags)), np.empty((count, tags))
        row = self.start + emitted[0]
        forward[0] = row
        for at in range(1, count):
            peak = row.max()
            row = np.log(np.exp(row - peak) @ steps + 1e-300) + peak + emitted[at]
            forward[at] = row
        row = self.end.astype(np.float64)
        backward[-1] = row
        for at in range(count - 2, -1, -1):
            following = row + emitted[at + 1]
            peak = following.max()
            row = np.log(steps @ np.exp(following - peak) + 1e-300) + peak
            backward[at] = row
        return forward, backward, _total(forward[-1] + self.end)


def _total(values: Array) -> float:
    peak = float(values.max())
    return peak + float(np.log(np.exp(values - peak).sum())) if np.isfinite(peak) else peak
