"""A trained captioner: a sentence writer, or the examples themselves, on the features of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from model_zoo import checkpoint
from model_zoo.base import Model
from model_zoo.captions.decoder import Decoder
from model_zoo.captions.nearest import Nearest
from model_zoo.captions.vocabulary import LONGEST, Vocabulary
from model_zoo.errors import CheckpointError
from model_zoo.types import Caption, CaptionOutput, FloatArray, Item, LabelSpace, Output, stack_features

if TYPE_CHECKING:
    from model_zoo.captions.family import ShowAndTell
    from model_zoo.programs.program import Program

MOST = 3
"""Captions of one image that are found."""


class Writer(Protocol):
    """What finds captions for features (dimensions,); the best first, each with a score in [0, 1]."""

    def find(self, features: FloatArray) -> list[tuple[Caption, float]]: ...
    def settings(self) -> dict[str, Any]: ...
    def arrays(self) -> dict[str, npt.NDArray[Any]]: ...
    @property
    def nbytes(self) -> int: ...


@dataclass(frozen=True)
class Told:
    """Writes sentences of its own."""

    decoder: Decoder
    vocabulary: Vocabulary

    def find(self, features: FloatArray) -> list[tuple[Caption, float]]:
        found: dict[Caption, float] = {}
        for sentence in self.decoder.write(features, LONGEST):
            text = self.vocabulary.decode(sentence.numbers)
            if text:
                found.setdefault(text, sentence.likelihood)
        return list(found.items())[:MOST]

    def settings(self) -> dict[str, Any]:
        return {"method": "lstm", "words": list(self.vocabulary.words)}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return dict(self.decoder.arrays)

    @property
    def nbytes(self) -> int:
        return self.decoder.nbytes + sum(map(len, self.vocabulary.words))


@dataclass(frozen=True)
class Retold:
    """Repeats what people said of images like it."""

    nearest: Nearest

    def find(self, features: FloatArray) -> list[tuple[Caption, float]]:
        return self.nearest.find(features, MOST)

    def settings(self) -> dict[str, Any]:
        return {"method": "nearest", "captions": [list(several) for several in self.nearest.captions]}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"features": self.nearest.features.astype(np.float16)}

    @property
    def nbytes(self) -> int:
        return self.nearest.nbytes


class CaptionModel(Model):
    """Immutable, so safe to use from several threads."""

    def __init__(self, owner: ShowAndTell, labels: LabelSpace, writer: Writer) -> None:
        self.family = type(owner)
        self.labels = labels
        self.writer = writer
        self._owner = owner

    @property
    def dimensions(self) -> int:
        """Of the features that it writes about."""
        return self._owner.encoder().dimensions

    def predict(self, items: Sequence[Item]) -> list[Output]:
        if not items:
            return []
        rows = stack_features(self._owner.with_features(items))
        return [output(self.writer, row) for row in rows]

    def prepare(self, item: Item) -> Item:
        if item.features is not None:
            return item
        return replace(item, input=self._owner.encoder().prepare(item.input))

    def programs(self) -> tuple[Program, ...]:
        return (self._owner.encoder().program,)

    def save(self, folder: Path) -> None:
        settings = {"encoder": self._owner.encoder().name, **self.writer.settings()}
        checkpoint.write(folder, checkpoint.Checkpoint(self.family.name, self.labels, settings, self.writer.arrays()))

    @property
    def nbytes(self) -> int:
        return self.writer.nbytes


def output(writer: Writer, features: FloatArray) -> CaptionOutput:
    found = writer.find(features)
    return CaptionOutput(tuple(text for text, _ in found), np.array([score for _, score in found], np.float32))


def load(owner: ShowAndTell, folder: Path, labels: LabelSpace | None = None) -> CaptionModel:
    """Read what `CaptionModel.save` wrote. Raises `CheckpointError`."""
    found = checkpoint.read(folder, owner.name, labels)
    encoder = owner.encoder()
    if found.settings.get("encoder") != encoder.name:
        raise CheckpointError(
            f"Got captions learnt on {found.settings.get('encoder')!r}, wanted {encoder.name!r}; put those weights "
            "back, or train again."
        )
    return CaptionModel(owner, labels or found.labels, writer_of(found, encoder.dimensions))


def writer_of(found: checkpoint.Checkpoint, dimensions: int) -> Writer:
    """What a checkpoint says that writes, on features of so many dimensions. Raises `CheckpointError`."""
    try:
        return _READ[found.settings["method"]](found, dimensions)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"The checkpoint holds no whole captioner ({error!r}); train again.") from error


def _told(found: checkpoint.Checkpoint, dimensions: int) -> Writer:
    words = tuple(str(word) for word in found.settings["words"])
    told = Told(Decoder(found.arrays), Vocabulary(words))
    if (told.decoder.dimensions, told.decoder.words) != (dimensions, len(told.vocabulary)):
        raise ValueError(f"{told.decoder.dimensions} dimensions and {told.decoder.words} words")
    return told


def _retold(found: checkpoint.Checkpoint, dimensions: int) -> Writer:
    captions = tuple(tuple(str(text) for text in several) for several in found.settings["captions"])
    features = found.arrays["features"].astype(np.float32)
    if features.shape != (len(captions), dimensions) or not captions or not np.isfinite(features).all():
        raise ValueError(f"features of shape {features.shape} for {len(captions)} images")
    return Retold(Nearest(features, captions))


_READ = {"lstm": _told, "nearest": _retold}
