"""The trained tagger: a head and chain of its own on the shared frozen reader of words, or on one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model_zoo import checkpoint
from model_zoo.base import Model
from model_zoo.errors import CheckpointError
from model_zoo.named_entities.fitting import Head
from model_zoo.named_entities.reading import Passage, Reader
from model_zoo.named_entities.tags import tag_count
from model_zoo.named_entities.words import read_whole
from model_zoo.tuning.encoder import own_tensors
from model_zoo.tuning.honest import Past
from model_zoo.types import EntityOutput, FloatArray, Item, LabelSpace, Output

if TYPE_CHECKING:
    from model_zoo.named_entities.family import MiniLMTagger
    from model_zoo.programs.program import Program


class TaggerModel(Model):
    """Immutable, so safe to use from several threads."""

    def __init__(
        self,
        owner: MiniLMTagger,
        labels: LabelSpace,
        head: Head,
        own: Reader | None = None,
        past: Past | None = None,
    ) -> None:
        self.family = type(owner)
        self.labels = labels
        self.head = head
        self.own = own
        self.past = past or Past()
        self._owner = owner

    @property
    def reader(self) -> Reader:
        """What it reads words with: that of all taggers, or one of its own."""
        return self.own or self._owner.reader()

    def predict(self, items: Sequence[Item]) -> list[Output]:
        texts = [read_whole(item.input) for item in items]
        passages = self.reader.read(texts)
        return [output(self.head, text, read, len(self.labels)) for text, read in zip(texts, passages, strict=True)]

    def prepare(self, item: Item) -> Item:
        read_whole(item.input)
        return item

    def programs(self) -> tuple[Program, ...]:
        return (self.reader.program,)

    def save(self, folder: Path) -> None:
        settings = {"reader": self._owner.reader().name, **self.past.settings()}
        own = self.own.network.arrays() if self.own else {}
        arrays = {**self.head.arrays(), **own, **self.past.honest.arrays()}
        checkpoint.write(folder, checkpoint.Checkpoint(self.family.name, self.labels, settings, arrays))

    @property
    def nbytes(self) -> int:
        own = self.own.nbytes if self.own else 0
        return sum(int(array.nbytes) for array in self.head.arrays().values()) + self.past.honest.nbytes + own


def output(head: Head, text: str, passages: Sequence[Passage], labels: int) -> EntityOutput:
    """The likely spans of a text, given its passages."""
    rows: dict[tuple[int, int], FloatArray] = {}
    for passage in passages:
        for first, last, label, chance in head.chain.candidates(head.scores(passage)):
            place = (passage.words[first].start, passage.words[last - 1].end)
            row = rows.setdefault(place, np.zeros(labels, np.float32))
            row[label] = chance
    if not rows:
        return EntityOutput(text, np.empty((0, 2), np.int64), np.empty((0, labels), np.float32))
    return EntityOutput(text, np.array(list(rows), np.int64), np.stack(list(rows.values())))


def load(owner: MiniLMTagger, folder: Path, labels: LabelSpace | None) -> TaggerModel:
    """Read what `TaggerModel.save` wrote; the network it was trained on must be the one at hand."""
    found = checkpoint.read(folder, owner.name, labels)
    reader = owner.reader()
    if found.settings.get("reader") != reader.name:
        raise CheckpointError(
            f"Got a tagger trained on {found.settings.get('reader')!r}, wanted one on {reader.name!r}; "
            "put those weights back, or train again."
        )
    head = Head.from_arrays(found.arrays)
    if len(head.bias) != tag_count(len(found.labels)) or head.weight.shape[1] != reader.dimensions:
        raise CheckpointError(
            f"Got a tagger of {len(head.bias)} tags and {head.weight.shape[1]} dimensions, wanted "
            f"{tag_count(len(found.labels))} and {reader.dimensions}; train again."
        )
    # The caller's descriptions may be newer than those the model was saved with.
    tensors = own_tensors(found)
    own = owner.reader_with(tensors) if tensors else None
    return TaggerModel(owner, labels or found.labels, head, own, Past.read(found))
