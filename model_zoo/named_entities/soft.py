"""What a teacher says of texts that nobody has labelled, word by word, as a tagger learns it.

Words are the regions whose classes are compared: both see the same text, so that each matches itself, and what is no
entity to the teacher is learnt as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.distillation import Distillation, divergence, softened
from model_zoo.named_entities.reading import Passage
from model_zoo.named_entities.tags import OUTSIDE, begin, inside
from model_zoo.types import EntityOutput, Output

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.float64]

TINIEST = 1e-30
"""What stands for no chance at all where a logarithm is taken."""


@dataclass(frozen=True)
class Soft:
    """`passages` of each of a distillation's texts, and for each passage how probable it is that each of its words is
    part of a span of each label, or, in the last column, of none (words, labels + 1)."""

    passages: Sequence[Sequence[Passage]]
    shares: Sequence[Sequence[Array]]
    taught: Distillation

    @classmethod
    def of(cls, taught: Distillation, passages: Sequence[Sequence[Passage]], labels: int) -> Soft:
        return cls(passages, _shares(taught.outputs, passages, labels), taught)

    def leaving_out(self, positions: Sequence[int]) -> Soft | None:
        """As of `Distillation`."""
        other = self.taught.leaving_out(positions)
        if other is None:
            return None
        if other is self.taught:
            return self
        labels = next((table.shape[1] - 1 for tables in self.shares for table in tables), 0)
        return replace(self, shares=_shares(other.outputs, self.passages, labels))

    @property
    def flat(self) -> list[tuple[Passage, Array]]:
        """Passage by passage."""
        return [
            pair
            for parts, tables in zip(self.passages, self.shares, strict=True)
            for pair in zip(parts, tables, strict=True)
        ]

    def wanted(self, rows: Sequence[Array]) -> Tensor:
        """The shares of all words (words, labels + 1) at the temperature."""
        import torch

        return torch.from_numpy(softened(np.concatenate(rows), self.taught.temperature, False)).float()

    def divergence(self, chain: Any, emitted: Tensor, mask: Tensor, wanted: Tensor) -> Tensor:
        """Mean over sentences of the sum over their words. `emitted` (sentences, words, tags) are the student's scores,
        `chain` pytorch-crf's."""
        import torch

        chances = marginals(chain, emitted, mask, self.taught.temperature)[mask]
        of_labels = [chances[:, [begin(at), inside(at)]].logsumexp(1) for at in range(wanted.shape[1] - 1)]
        rows = torch.stack([*of_labels, chances[:, OUTSIDE]], 1)
        total: Tensor = divergence(wanted, rows, 1.0, False).sum() / len(mask)
        return total


def marginals(chain: Any, emitted: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Logarithms (sentences, words, tags) of how probable each tag of each word is, all scores being divided by the
    temperature; padding, where the mask (sentences, words) is not set, says nothing."""
    import torch

    scores, steps = emitted / temperature, (chain.transitions / temperature).exp()

    def summed(rows: Tensor, by: Tensor) -> Tensor:
        # A product of matrices takes a tenth of the time of a sum of exponentials; peaks are taken away before.
        peak = rows.max(1, keepdim=True).values.detach()
        return ((rows - peak).exp() @ by + TINIEST).log() + peak

    last = scores.shape[1] - 1
    rows = [chain.start_transitions / temperature + scores[:, 0]]
    for at in range(1, last + 1):
        rows.append(torch.where(mask[:, at, None], summed(rows[-1], steps) + scores[:, at], rows[-1]))
    end = (chain.end_transitions / temperature).expand(len(scores), -1)
    back = [end]
    for at in range(last, 0, -1):
        back.append(torch.where(mask[:, at, None], summed(scores[:, at] + back[-1], steps.T), end))
    whole = (rows[-1] + end).logsumexp(1)
    found: Tensor = torch.stack(rows, 1) + torch.stack(back[::-1], 1) - whole[:, None, None]
    return found


def _shares(outputs: Sequence[Output], passages: Sequence[Sequence[Passage]], labels: int) -> list[list[Array]]:
    return [
        [_of_words(passage, output, labels) for passage in parts]
        for output, parts in zip(outputs, passages, strict=True)
    ]


def _of_words(passage: Passage, output: Output, labels: int) -> Array:
    """Spans that hold the same word exclude each other, so that their probabilities add up."""
    if not isinstance(output, EntityOutput):
        raise TypeError(f"Got a {type(output).__name__}, wanted an EntityOutput to learn spans from.")
    starts, ends = (np.array([getattr(word, side) for word in passage.words]) for side in ("start", "end"))
    shares = np.zeros((len(passage.words), labels + 1))
    for (start, end), row in zip(output.spans, output.probabilities, strict=True):
        shares[(starts < end) & (ends > start), :labels] += row
    total = shares.sum(axis=1, keepdims=True)
    shares /= np.maximum(total, 1)
    shares[:, labels] = 1 - np.minimum(total[:, 0], 1)
    return shares
