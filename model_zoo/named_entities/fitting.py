"""Fitting a tagger: a linear layer on the words' vectors and on what they look like, and a chain of tags.

The mean over sentences of the taggings' negative log-likelihood, and L2 penalties, by L-BFGS: with the penalties the
problem is convex, so that nothing depends on a start or on a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.errors import CheckpointError
from model_zoo.named_entities.chain import Chain
from model_zoo.named_entities.reading import Passage
from model_zoo.named_entities.shapes import Ids, shape_features
from model_zoo.named_entities.soft import Soft
from model_zoo.named_entities.tags import OUTSIDE, Tags, allowed, begin, tag_count
from model_zoo.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

NEVER = -1e4
"""The score of what cannot be."""
LONGEST = 64
"""Words of one sequence in training; longer passages are cut, which loses a few steps between tags."""


@dataclass(frozen=True)
class Hyperparameters:
    """`vectors` and `shapes` are the L2 penalties of the weights of the words' vectors (scaled to unit variance) and of
    their shapes, `steps` that of the scores of tags after each other. `iterations` are at most L-BFGS's, `folds` those
    of the cross-validation."""

    vectors: float = 3.0
    shapes: float = 0.3
    steps: float = 0.05
    iterations: int = 50
    folds: int = 3


@dataclass(frozen=True)
class Sentence:
    """At most `LONGEST` words that follow each other: vectors (words, dimensions), shapes (words, features), tags
    (words,)."""

    vectors: FloatArray
    shapes: Ids
    tags: Tags


@dataclass(frozen=True)
class Head:
    """`weight` (tags, dimensions) and `bias` (tags,) of vectors; `table` (n, tags), the weights of the features `known`
    (n,), in rising order, which are those that training saw; and the chain."""

    weight: FloatArray
    bias: FloatArray
    known: Ids
    table: FloatArray
    chain: Chain

    def __post_init__(self) -> None:
        tags = len(self.bias)
        fits = self.weight.ndim == 2 and len(self.weight) == tags and self.table.shape == (len(self.known), tags)
        if not fits or self.chain.start.shape != (tags,) or self.chain.steps.shape != (tags, tags):
            raise CheckpointError(
                f"Got a tagger with weight {self.weight.shape}, bias {self.bias.shape}, table {self.table.shape} and "
                f"steps {self.chain.steps.shape}, which do not fit each other. Train again."
            )

    def scores(self, passage: Passage) -> FloatArray:
        """How well each tag fits each word, shape (words, tags)."""
        places = place_in(self.known, shape_features(passage.words))
        padded = np.vstack([self.table, np.zeros((1, len(self.bias)), np.float32)])
        scores: FloatArray = (passage.vectors @ self.weight.T + padded[places].sum(axis=1) + self.bias).astype(
            np.float32
        )
        return scores

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        chain = {"start": self.chain.start, "steps": self.chain.steps, "end": self.chain.end}
        return {"weight": self.weight, "bias": self.bias, "known": self.known, "table": self.table, **chain}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Head:
        """Raises `CheckpointError` where an array is missing, of a wrong shape, or holds no numbers."""
        wanted = ("weight", "bias", "table", "start", "steps", "end")
        missing = {*wanted, "known"} - set(arrays)
        if missing:
            raise CheckpointError(f"The checkpoint lacks {', '.join(sorted(missing))}; train again.")
        floats = {name: arrays[name].astype(np.float32, copy=False) for name in wanted}
        if not all(np.isfinite(array).all() for array in floats.values()):
            raise CheckpointError("The checkpoint holds numbers that are not finite; train again.")
        chain = Chain(floats["start"], floats["steps"], floats["end"])
        known = arrays["known"].astype(np.int64, copy=False)
        return cls(floats["weight"], floats["bias"], known, floats["table"], chain)


def place_in(known: Ids, features: Ids) -> Ids:
    """Each feature's place among those known; one behind the last where it is not."""
    places = np.searchsorted(known, features)
    found = known[np.minimum(places, len(known) - 1)] == features if len(known) else np.zeros(features.shape, np.bool_)
    return np.where(found, places, len(known))


def sentences(passage: Passage, tags: Tags) -> list[Sentence]:
    """The passage in parts that training takes, cut outside of spans where it can be."""
    shapes = shape_features(passage.words)
    cuts = [0]
    while len(tags) - cuts[-1] > LONGEST:
        after = tags[cuts[-1] + 1 : cuts[-1] + LONGEST + 1]
        free = np.flatnonzero((after == OUTSIDE) | (after % 2 == begin(0) % 2))
        cuts.append(cuts[-1] + (int(free[-1]) + 1 if len(free) else LONGEST))
    return [
        Sentence(passage.vectors[first:last], shapes[first:last], tags[first:last])
        for first, last in zip(cuts, [*cuts[1:], len(tags)], strict=True)
    ]


class _Scorer:
    """What is trained: a linear layer on vectors and shapes, and pytorch-crf's chain. `known` are the features (n,) of
    shapes, `centre` and `scale` those of the vectors."""

    def __init__(self, known: Ids, centre: FloatArray, scale: float, labels: int) -> None:
        import torch

        self._known = known
        self._centre = centre
        self._scale = scale
        count = tag_count(labels)
        self._weight = torch.zeros(count, len(centre), requires_grad=True)
        self._table = torch.zeros(len(known), count, requires_grad=True)
        self._bias = torch.zeros(count, requires_grad=True)
        self.chain = _chain(labels)
        self._possible = (self.chain.transitions > NEVER / 2).float()
        self.parameters = [self._weight, self._table, self._bias, *self.chain.parameters()]

    def of(self, some: Sequence[Sentence], mask: Tensor) -> Callable[[], Tensor]:
        """The scores (sentences, words, tags) of sentences whose words are where the mask is set, whenever asked."""
        import torch

        rows = (np.concatenate([sentence.vectors for sentence in some]) - self._centre) / self._scale
        inputs = torch.from_numpy(rows.astype(np.float32))
        places = torch.from_numpy(place_in(self._known, np.concatenate([sentence.shapes for sentence in some])))

        def emitted() -> Tensor:
            shapes = torch.nn.functional.embedding_bag(places, self._table, mode="sum")
            flat = inputs @ self._weight.T + shapes + self._bias
            return torch.zeros(*mask.shape, len(self._bias)).masked_scatter(mask.unsqueeze(-1), flat)

        return emitted

    def penalty(self, hyper: Hyperparameters) -> Tensor:
        weights = hyper.vectors * self._weight.square().sum() + hyper.shapes * self._table.square().sum()
        total: Tensor = weights + hyper.steps * (self.chain.transitions * self._possible).square().sum()
        return total

    def head(self) -> Head:
        plain = [parameter.detach().numpy() for parameter in (self._weight, self._table, self._bias)]
        turned: FloatArray = (plain[0] / self._scale).astype(np.float32)
        chain = (self.chain.start_transitions, self.chain.transitions, self.chain.end_transitions)
        learnt = Chain(*(parameter.detach().numpy().copy() for parameter in chain))
        bias: FloatArray = (plain[2] - turned @ self._centre).astype(np.float32)
        return Head(turned, bias, self._known, plain[1], learnt)


def fit_head(
    given: Sequence[Sentence],
    labels: int,
    hyper: Hyperparameters,
    check: Callable[[float], None],
    soft: Soft | None = None,
) -> tuple[Head, float]:
    """A head for the sentences, at least one, and its mean loss a sentence; `soft` is what a teacher says of others.
    `check` is told the loss at each step and may raise."""
    import torch

    others, shares = _softly(soft) if soft else ([], [])
    vectors = np.concatenate([sentence.vectors for sentence in given])
    known = np.unique(np.concatenate([sentence.shapes for sentence in (*given, *others)]))
    scorer = _Scorer(known, vectors.mean(axis=0), float(vectors.std()) or 1.0, labels)
    mask, tags = _padded(given)
    emitted = scorer.of(given, mask)
    told = 0.0

    def wrong() -> Tensor:
        total: Tensor = -scorer.chain(emitted(), tags, mask=mask, reduction="sum") / len(given)
        return total

    both, evidence = wrong, float(len(given))
    if soft and others:
        taught, elsewhere, wanted = soft.taught, _padded(others)[0], soft.wanted(shares)
        guessed = scorer.of(others, elsewhere)
        # What the teacher has answered is evidence as well.
        evidence += taught.weight * len(others)

        def both() -> Tensor:
            return taught.loss(wrong(), soft.divergence(scorer.chain, guessed(), elsewhere, wanted))

    def loss() -> Tensor:
        nonlocal told
        for parameter in scorer.parameters:
            parameter.grad = None
        mean = both()
        told = float(mean.detach())
        check(told)
        total: Tensor = mean + scorer.penalty(hyper) / evidence
        total.backward()  # type: ignore[no-untyped-call]  # torch's annotations leave it open
        return total

    options: dict[str, Any] = {"history_size": 10, "line_search_fn": "strong_wolfe", "tolerance_change": 1e-6}
    optimizer: Any = torch.optim.LBFGS(scorer.parameters, max_iter=hyper.iterations, **options)
    optimizer.step(loss)
    return scorer.head(), told


def _softly(soft: Soft) -> tuple[list[Sentence], list[npt.NDArray[np.float64]]]:
    """The sentences that nobody has labelled, and what the teacher says of their words."""
    others: list[Sentence] = []
    for passage, _ in soft.flat:
        others += sentences(passage, np.full(len(passage.words), OUTSIDE, np.int64))
    return others, [shares for _, shares in soft.flat]


def _chain(labels: int) -> Any:
    """pytorch-crf's, all scores at zero but those of what cannot be."""
    import torch
    from torchcrf import CRF

    chain = CRF(tag_count(labels), batch_first=True)
    first, follows = allowed(labels)
    with torch.no_grad():
        chain.start_transitions.copy_(torch.from_numpy(np.where(first, 0.0, NEVER)))
        chain.transitions.copy_(torch.from_numpy(np.where(follows, 0.0, NEVER)))
        chain.end_transitions.zero_()
    return chain


def field_of(learnt: Chain) -> Any:
    """pytorch-crf's, with these scores, which stay."""
    import torch

    field = _chain(learnt.labels).requires_grad_(False)
    with torch.no_grad():
        field.start_transitions.copy_(torch.from_numpy(learnt.start))
        field.transitions.copy_(torch.from_numpy(learnt.steps))
        field.end_transitions.copy_(torch.from_numpy(learnt.end))
    return field


def _padded(given: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
    """Which places are words, and their tags, both (sentences, words of the longest)."""
    import torch

    longest = max(len(sentence.tags) for sentence in given)
    mask = torch.zeros(len(given), longest, dtype=torch.bool)
    tags = torch.zeros(len(given), longest, dtype=torch.long)
    for row, sentence in enumerate(given):
        mask[row, : len(sentence.tags)] = True
        tags[row, : len(sentence.tags)] = torch.from_numpy(sentence.tags)
    return mask, tags
