"""Families that lie on one of Ultralytics' pretrained networks."""

from __future__ import annotations

from typing import ClassVar

from model_zoo.base import Encoder, Family
from model_zoo.object_detection import bases
from model_zoo.object_detection.bases import Base


class BasedFamily(Family):
    """Finds its network, once a process. A family of its own names the weights and what they are for."""

    licence: ClassVar[str] = bases.LICENCE
    any_weights: ClassVar[bool] = True
    extra: ClassVar[str | None] = "detection"
    package: ClassVar[str | None] = "ultralytics"
    architecture: ClassVar[str]
    """What is built with random weights where none are found."""
    network_task: ClassVar[str] = "detection"
    """What its networks are for, a key of `upstream.HEADS`."""

    def encoder(self) -> Encoder | None:
        return None

    def base(self) -> Base:
        """The pretrained network, shared by the process. Raises `WeightsNotFound` for a file of the operator's that is
        no such network, `MissingExtra`."""
        folder, file = self.runtime.weights_dir, self.weights_file
        if file is not None:
            key = (BasedFamily, self.network_task, file)
            return self.runtime.shared(key, lambda: bases.from_file(folder, file, self.network_task))
        return self.runtime.shared(
            (BasedFamily, type(self)),
            lambda: bases.first_found(self.weights, folder, self.architecture, self.network_task),
        )

    def base_named(self, name: str) -> Base:
        """The base that a checkpoint began with: this family's own, or another that its weights name."""
        own = self.base()
        wanted = [weights for weights in self.weights if weights.name == name]
        if own.name == name or not wanted:
            return own
        return self.runtime.shared(
            (BasedFamily, type(self), name),
            lambda: bases.first_found(wanted, self.runtime.weights_dir, name, self.network_task),
        )
