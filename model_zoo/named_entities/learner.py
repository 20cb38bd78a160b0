"""A tagger learns together with the reader below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.named_entities.body import Part, WordsBody
from model_zoo.named_entities.fitting import Head, field_of, place_in
from model_zoo.named_entities.model import output
from model_zoo.named_entities.reading import Passage
from model_zoo.named_entities.shapes import shape_features
from model_zoo.named_entities.tags import tags_of
from model_zoo.named_entities.words import disjoint
from model_zoo.postprocess import EntityPostprocess
from model_zoo.tuning.climb import Counts, Learner
from model_zoo.tuning.hyperparameters import Tuning
from model_zoo.types import EntityExample, EntityOutput, FloatArray, LabelSpace, Output

if TYPE_CHECKING:
    from torch import Tensor

HeadFor = Callable[[Sequence[int]], Head]
"""What micro learns from some examples, by number."""


class TaggerLearner(Learner):
    """`parts` are each text's windows. The scores of shapes and of tags after each other stay as micro fits them; what
    the vectors say is learnt anew."""

    def __init__(
        self,
        body: WordsBody,
        examples: Sequence[EntityExample],
        texts: Sequence[str],
        parts: Sequence[Sequence[Part]],
        labels: LabelSpace,
        micro: HeadFor,
        tuning: Tuning,
        check: Callable[[], None],
    ) -> None:
        self.body = body
        self._examples, self._texts, self._parts, self._labels = examples, texts, parts, labels
        self._micro, self._tuning, self._check = micro, tuning, check
        kept = iter(body.below([window for some in parts for _, window in some], check))
        self._kept = [[next(kept) for _ in some] for some in parts]
        self._tags = [
            [tags_of(words, example.spans, labels) for words, _ in some]
            for example, some in zip(examples, parts, strict=True)
        ]
        self._head: Head | None = None
        self._weight: Any = None
        self._bias: Any = None
        self._shapes: list[list[FloatArray]] = []
        self._field: Any = None

    @property
    def views(self) -> Sequence[Sequence[int]]:
        """A text is the only view of itself; one without words is none."""
        return [[at] if some else [] for at, some in enumerate(self._parts)]

    def begin(self, chosen: Sequence[int]) -> None:
        import torch

        self.body.restart()
        head = self._head = self._micro(chosen)
        self._weight = torch.from_numpy(head.weight.copy()).requires_grad_(True)
        self._bias = torch.from_numpy(head.bias.copy()).requires_grad_(True)
        self._field = field_of(head.chain)
        table = np.vstack([head.table, np.zeros((1, len(head.bias)), np.float32)])
        self._shapes = [
            [table[place_in(head.known, shape_features(words))].sum(axis=1) for words, _ in some]
            for some in self._parts
        ]

    def optimizer(self) -> Any:
        import torch

        groups = [
            {"params": list(self.body.learning.values()), "base": self._tuning.learning_rate},
            {"params": [self._weight, self._bias], "base": self._tuning.head_rate},
        ]
        return torch.optim.AdamW(groups, lr=1.0, weight_decay=self._tuning.weight_decay)

    def loss(self, views: Sequence[int]) -> Tensor:
        import torch

        self._check()
        windows = [(example, at) for example in views for at in range(len(self._parts[example]))]
        vectors = self._vectors(windows)
        longest = max(len(row) for row in vectors)
        emitted = torch.zeros(len(windows), longest, len(self._bias))
        mask = torch.zeros(len(windows), longest, dtype=torch.bool)
        tags = torch.zeros(len(windows), longest, dtype=torch.long)
        rows = []
        for row, ((example, at), some) in enumerate(zip(windows, vectors, strict=True)):
            rows.append(some @ self._weight.T + self._bias + torch.from_numpy(self._shapes[example][at]))
            mask[row, : len(some)] = True
            tags[row, : len(some)] = torch.from_numpy(self._tags[example][at])
        emitted = emitted.masked_scatter(mask.unsqueeze(-1), torch.cat(rows))
        total: Tensor = -self._field(emitted, tags, mask=mask, reduction="sum") / len(views)
        return total

    def head(self) -> Head:
        """As it is now."""
        if self._head is None:
            raise ValueError("Got a learner that has not begun; begin it first.")
        weight, bias = (tensor.detach().numpy().copy() for tensor in (self._weight, self._bias))
        return replace(self._head, weight=weight, bias=bias)

    def answers(self, examples: Sequence[int]) -> list[Output]:
        import torch

        head, results = self.head(), list[Output]()
        for example in examples:
            self._check()
            windows = [(example, at) for at in range(len(self._parts[example]))]
            with torch.inference_mode():
                vectors = self._vectors(windows) if windows else []
            passages = [
                Passage(words, some.numpy()) for (words, _), some in zip(self._parts[example], vectors, strict=True)
            ]
            results.append(output(head, self._texts[example], passages, len(self._labels)))
        return results

    def counts(self, outputs: Sequence[Output], examples: Sequence[int]) -> Counts:
        return counts(outputs, [self._examples[at] for at in examples], self._labels)

    def surprise(self, outputs: Sequence[Output], examples: Sequence[int]) -> float:
        right, answered, true = self.counts(outputs, examples).sum(axis=0) if examples else (0.0, 0.0, 0.0)
        return 1 - float(2 * right / max(answered + true, 1e-9))

    def fair(self, chosen: Sequence[int], examples: Sequence[int]) -> npt.NDArray[np.bool_]:
        known = {span.label for at in chosen for span in self._examples[at].spans}
        return np.array([all(span.label in known for span in self._examples[at].spans) for at in examples], np.bool_)

    def _vectors(self, windows: Sequence[tuple[int, int]]) -> list[Tensor]:
        """The words' vectors of each window (words, dimensions)."""
        import torch

        hidden = self.body.above([self._kept[example][at] for example, at in windows])
        results = []
        for row, (example, at) in enumerate(windows):
            window = self._parts[example][at][1]
            first, last = torch.from_numpy(window.first), torch.from_numpy(window.last)
            results.append((hidden[row, first] + hidden[row, last]) / 2)
        return results


def counts(outputs: Sequence[Output], examples: Sequence[EntityExample], labels: LabelSpace) -> Counts:
    """As of `climb.Counts`, of whole spans."""
    usual = EntityPostprocess.uncalibrated(labels)
    rows = []
    for answer, example in zip(outputs, examples, strict=True):
        shown = set(usual.decide(answer, labels).spans) if isinstance(answer, EntityOutput) else set()
        true = set(disjoint(example.spans))
        rows.append((len(shown & true), len(shown), len(true)))
    return np.array(rows, np.float64).reshape(-1, 3)
