"""Teaching the sentence writer: word after word, each given the true ones before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.captions.decoder import Decoder
from model_zoo.captions.vocabulary import END, Vocabulary
from model_zoo.types import Caption, FloatArray

if TYPE_CHECKING:
    import torch

NOTHING = -100
"""What torch's cross-entropy leaves out."""
FEWEST, STEPS = 4, 10
"""Captions in a batch at least, and steps that an epoch has where there are enough for that."""
MOST_STEPS, LEAST_EPOCHS = 600, 8
"""Steps of one training, unless that would be fewer epochs: some 15 s on one core."""


@dataclass(frozen=True)
class Hyperparameters:
    """`method` is "lstm", "nearest", or "auto": the one that does better on images it has not seen. `hidden` and
    `embedded` are widths, `batch` counts captions, fewer where there are few, `dropout` is a share. `epochs` is how
    often a caption is seen, less often where there are many. `least` is how many images an LSTM is tried from.

    Trained until held-out captions get no likelier, it writes "A A of of on a on a." of whatever is in the image (20
    photographs of COCO): few captions have to be learnt by heart before it writes sentences.
    """

    method: str = "auto"
    hidden: int = 256
    embedded: int = 128
    epochs: int = 40
    batch: int = 32
    learning_rate: float = 2e-3
    dropout: float = 0.3
    folds: int = 3
    least: int = 20


@dataclass(frozen=True)
class Pairs:
    """Features (captions, dimensions) of each caption's image, with the captions."""

    features: FloatArray
    captions: tuple[Caption, ...]

    @classmethod
    def of(cls, features: FloatArray, captions: Sequence[Sequence[Caption]]) -> Pairs:
        """From features (images, dimensions) and each image's captions."""
        rows = [row for row, several in enumerate(captions) for _ in several]
        return cls(features[rows], tuple(text for several in captions for text in several))


def fit_decoder(
    pairs: Pairs, vocabulary: Vocabulary, hyper: Hyperparameters, seed: int, check: Callable[[], None]
) -> tuple[Decoder, float]:
    """Learn `pairs`: the decoder, and the mean loss of a word. `check` is called at every batch and may raise."""
    import torch

    batch = min(hyper.batch, max(FEWEST, len(pairs.captions) // STEPS))
    steps = -(-len(pairs.captions) // batch)
    epochs = min(hyper.epochs, max(LEAST_EPOCHS, MOST_STEPS // steps))
    # A generator of one's own would not reach dropout; the caller's is put back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(pairs.features.shape[1], len(vocabulary), hyper)
        optimiser = torch.optim.Adam(network.parameters(), lr=hyper.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        learnt, loss = _tensors(pairs, vocabulary), 0.0
        for _ in range(epochs):
            loss = _epoch(network, optimiser, learnt, batch, check)
            schedule.step()
        state = network.state_dict()
    arrays = {name: np.ascontiguousarray(tensor.numpy(), np.float32) for name, tensor in state.items()}
    return Decoder(arrays), loss


def _epoch(
    network: Any, optimiser: Any, learnt: tuple[torch.Tensor, torch.Tensor], batch: int, check: Callable[[], None]
) -> float:
    """One round over all captions in random order; their mean loss a word."""
    import torch

    network.train()
    losses = []
    order = torch.randperm(len(learnt[0]))
    for start in range(0, len(order), batch):
        check()
        rows = order[start : start + batch]
        optimiser.zero_grad()
        loss = _loss(network, learnt[0][rows], learnt[1][rows])
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def _loss(network: Any, features: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """The mean negative log-likelihood of a word; `numbers` (captions, words) are filled up with `NOTHING`."""
    import torch
    from torch.nn.functional import cross_entropy

    before = torch.cat([torch.full_like(numbers[:, :1], END), numbers[:, :-1].clamp(min=END)], dim=1)
    scores = network(features, before)
    return cross_entropy(scores.flatten(0, 1), numbers.flatten(), ignore_index=NOTHING)


def _tensors(pairs: Pairs, vocabulary: Vocabulary) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    rows = [torch.tensor([*vocabulary.encode(caption), END]) for caption in pairs.captions]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=NOTHING)
    return torch.from_numpy(np.ascontiguousarray(pairs.features, np.float32)), padded


def _network(dimensions: int, words: int, hyper: Hyperparameters) -> Any:
    """In torch what `Decoder` is in NumPy, its weights under the same names."""
    import torch

    class Writer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = torch.nn.Linear(dimensions, hyper.hidden)
            self.embedding = torch.nn.Embedding(words, hyper.embedded)
            self.cell = torch.nn.LSTM(hyper.embedded, hyper.hidden, batch_first=True)
            self.out = torch.nn.Linear(hyper.hidden, words)
            self.dropout = torch.nn.Dropout(hyper.dropout)

        def forward(self, features: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
            """Scores (captions, words, vocabulary) of each word, given the features and the words before it."""
            hidden = torch.tanh(self.start(self.dropout(features)))[None]
            states, _ = self.cell(self.dropout(self.embedding(before)), (hidden, torch.zeros_like(hidden)))
            scores: torch.Tensor = self.out(self.dropout(states))
            return scores

    return Writer()
