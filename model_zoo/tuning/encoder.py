"""Encoders that can be trained further: the same network with tensors of its own, and one cut in two to train it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from model_zoo.base import Encoder
from model_zoo.checkpoint import Checkpoint
from model_zoo.errors import CheckpointError
from model_zoo.programs.program import Array
from model_zoo.tuning.effort import Check
from model_zoo.tuning.hyperparameters import Cost, Tuning
from model_zoo.types import Input
from model_zoo.weights import Located

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter

Tensors = Mapping[str, Array]
Self = TypeVar("Self", bound="TunableEncoder")
PREFIX = "own."
"""Of the names of an encoder's own tensors in a checkpoint."""


class TunableEncoder(Encoder):
    """An encoder of which some tensors may be a model's own, in half precision, by their names in the network.

    `usual` says how it is trained further, `costs` what that takes by recipe.
    """

    usual: ClassVar[Tuning]
    costs: ClassVar[Mapping[str, Cost]]

    def __init__(self, located: Located, own: Tensors | None = None) -> None:
        super().__init__(located)
        self.own: Tensors = own or {}
        if own:
            self.name = f"{self.name}-{identity(own)}"

    def tuned(self: Self, own: Tensors) -> Self:
        """This network with other tensors in place of some of its own."""
        return type(self)(self.located, own)

    @abstractmethod
    def body(self, recipe: str) -> Body:
        """The network for training what that recipe trains of it."""

    def filled(self, network: Any) -> Any:
        """The network, with its own tensors put into it. Raises `CheckpointError`."""
        import torch

        if self.own:
            state = network.state_dict()
            strange = [
                name for name, array in self.own.items() if getattr(state.get(name), "shape", None) != array.shape
            ]
            if strange:
                raise CheckpointError(f"The checkpoint does not fit {self.architecture} ({strange[0]}); train again.")
            tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in self.own.items()}
            network.load_state_dict(tensors, strict=False)
        return network

    def arrays(self) -> dict[str, Array]:
        """Its own tensors for a checkpoint."""
        return {f"{PREFIX}{name}": array for name, array in self.own.items()}

    @property
    def nbytes(self) -> int:
        """What it holds in memory once it is in use, beside the process's shared encoders: a network of its own."""
        return self.weights.size + sum(int(array.nbytes) for array in self.own.values()) if self.own else 0


class Body(ABC):
    """A network cut in two: what is below stays, and is computed once a view; what is above learns."""

    def __init__(self, network: Module, learning: Iterable[Module]) -> None:
        chosen = {id(weight) for module in learning for weight in module.parameters()}
        self.learning: dict[str, Parameter] = {
            name: weight for name, weight in network.named_parameters() if id(weight) in chosen
        }
        self._start = {name: weight.detach().clone() for name, weight in self.learning.items()}
        for weight in self.learning.values():
            weight.requires_grad_(True)

    @abstractmethod
    def views(self, value: Input, count: int, random: np.random.Generator) -> list[Any]:
        """The input as it is, then as it might have been, `count` in all; fewer where nothing can be varied."""

    @abstractmethod
    def below(self, views: Sequence[Any], check: Check) -> list[Array]:
        """What the frozen part gives for each view."""

    @abstractmethod
    def above(self, kept: Sequence[Array]) -> Tensor:
        """Features from what `below` gave."""

    def restart(self) -> None:
        """Forget what was learnt."""
        import torch

        with torch.no_grad():
            for name, weight in self.learning.items():
                weight.copy_(self._start[name])

    def settle(self) -> Tensors:
        """What was learnt, in half precision; the network goes on with just that."""
        import torch

        with torch.no_grad():
            for weight in self.learning.values():
                weight.copy_(weight.half().float())
        return {name: weight.detach().half().numpy().copy() for name, weight in self.learning.items()}


def identity(tensors: Tensors) -> str:
    """A digest of names and values."""
    told = hashlib.sha256()
    for name in sorted(tensors):
        told.update(name.encode())
        told.update(np.ascontiguousarray(tensors[name]).tobytes())
    return told.hexdigest()[:16]


def own_tensors(found: Checkpoint) -> Tensors:
    """The tensors of an encoder of its own that a checkpoint holds, if any. Raises `CheckpointError`."""
    tensors = {name.removeprefix(PREFIX): array for name, array in found.arrays.items() if name.startswith(PREFIX)}
    if not all(np.isfinite(array).all() for array in tensors.values()):
        raise CheckpointError("The checkpoint holds numbers that are not finite; train again.")
    return tensors
