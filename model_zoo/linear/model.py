"""The trained model of every family that puts a linear head on a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_zoo import checkpoint
from model_zoo.base import Model
from model_zoo.errors import CheckpointError
from model_zoo.linear.head import LinearHead
from model_zoo.types import ClassificationOutput, Item, LabelSpace, Output, stack_features

if TYPE_CHECKING:
    from model_zoo.linear.family import LinearFamily
    from model_zoo.programs.program import Program


class LinearModel(Model):
    """A head and the family whose encoder feeds it. Immutable, so safe to use from several threads."""

    def __init__(self, owner: LinearFamily, labels: LabelSpace, head: LinearHead) -> None:
        self.family = type(owner)
        self.labels = labels
        self.head = head
        self.at_once = owner.encoder_kind.at_once
        self._owner = owner

    def predict(self, items: Sequence[Item]) -> list[Output]:
        if not items:
            return []
        rows = self.head.probabilities(stack_features(self._owner.with_features(items)))
        return [ClassificationOutput(row) for row in rows]

    def prepare(self, item: Item) -> Item:
        if item.features is not None:
            return item
        return replace(item, input=self._owner.encoder().prepare(item.input))

    def programs(self) -> tuple[Program, ...]:
        return (self._owner.encoder().program,)

    def save(self, folder: Path) -> None:
        settings = {"encoder": self._owner.encoder().name}
        checkpoint.write(folder, checkpoint.Checkpoint(self.family.name, self.labels, settings, self.head.arrays()))

    @property
    def nbytes(self) -> int:
        return self.head.nbytes


def load(owner: LinearFamily, folder: Path, labels: LabelSpace | None) -> LinearModel:
    """Read what `LinearModel.save` wrote; the encoder it was trained on must be the one at hand."""
    found = checkpoint.read(folder, owner.name, labels)
    encoder = owner.encoder()
    if found.settings.get("encoder") != encoder.name:
        raise CheckpointError(
            f"Got a head trained on {found.settings.get('encoder')!r}, wanted one on {encoder.name!r}; "
            "put those weights back, or train again."
        )
    head = LinearHead.from_arrays(found.arrays, found.labels.multiple)
    if len(head.floor) != len(found.labels) or head.dimensions != encoder.dimensions:
        raise CheckpointError(
            f"Got a head of {len(head.floor)} labels and {head.dimensions} dimensions, "
            f"wanted {len(found.labels)} and {encoder.dimensions}; train again."
        )
    # The caller's descriptions may be newer than those the model was saved with.
    return LinearModel(owner, labels or found.labels, head)
