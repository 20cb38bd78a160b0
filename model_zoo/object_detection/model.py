"""The trained model of every family that finds boxes with one of Ultralytics' networks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo import checkpoint
from model_zoo.errors import CheckpointError
from model_zoo.object_detection import forward
from model_zoo.object_detection.bases import Base
from model_zoo.object_detection.coco import meant
from model_zoo.object_detection.fitted import FittedModel
from model_zoo.object_detection.network import PARTS, Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.programs.program import Array
from model_zoo.types import FloatArray, LabelSpace, Output

if TYPE_CHECKING:
    from model_zoo.object_detection.family import YoloFamily
    from model_zoo.programs.program import Program


class YoloModel(FittedModel):
    """`network` shares with `base` all but `parts`. `side` is the longer side of its input in pixels. `columns`, where
    given, are the network's classes that each label means; else its classes are the labels. Immutable."""

    def __init__(
        self,
        owner: YoloFamily,
        labels: LabelSpace,
        base: Base,
        network: Network,
        parts: Sequence[str],
        side: int,
        columns: tuple[tuple[int, ...], ...] | None = None,
    ) -> None:
        self.family = type(owner)
        self.labels = labels
        self.base = base
        self.network = network
        self.parts = tuple(parts)
        self.side = side
        self.columns = columns
        self.stride = max(network.strides)
        self.program = self.program_of(f"{base.name}:{_identity(base, network, self.parts)}")

    def program_of(self, key: str) -> Program:
        """The network as a program of that name."""
        return forward.program(key, self.network, self.side)

    def output_of(self, fitted: Fitted, arrays: Sequence[Array]) -> Output:
        corners, probabilities = arrays
        return forward.output(fitted, corners, self.meant(probabilities))

    def save(self, folder: Path) -> None:
        tensors = self.network.tensors(self.parts)
        settings = {
            "base": self.base.name,
            "digest": self.base.digest,
            "parts": list(self.parts),
            "side": self.side,
            "columns": [list(row) for row in self.columns] if self.columns is not None else None,
        }
        arrays = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
        checkpoint.write(folder, checkpoint.Checkpoint(self.family.name, self.labels, settings, arrays))

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.network.tensors(self.parts).values())

    def meant(self, probabilities: Any) -> FloatArray:
        """Of several classes that a label means, the likeliest counts."""
        return meant(probabilities, self.columns)


def load(owner: YoloFamily, folder: Path, labels: LabelSpace | None) -> YoloModel:
    """Read what `YoloModel.save` wrote; the network it began with must be at hand."""
    import torch

    found = checkpoint.read(folder, owner.name, labels)
    try:
        name, digest = str(found.settings["base"]), str(found.settings["digest"])
        parts, side = [str(part) for part in found.settings["parts"]], int(found.settings["side"])
        columns = found.settings["columns"]
        rows = tuple(tuple(int(at) for at in row) for row in columns) if columns is not None else None
        if set(parts) - set(PARTS) or len(rows or found.labels) != len(found.labels) or side < 1:
            raise ValueError(f"parts {parts}, side {side}, {len(rows or ())} rows of columns")
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"The checkpoint in {folder} is damaged ({error!r}); train again.") from error
    base = owner.base_named(name)
    if base.digest != digest:
        raise CheckpointError(
            f"Got a model trained on {name} with the digest {digest[:12]}, and the weights found here "
            f"({base.origin}) have {base.digest[:12]}; put those weights back, or train again."
        )
    network = base.network.with_labels(found.labels.names) if parts else base.network
    network = network.own(parts)
    strange = sorted(set(network.tensors(parts)) ^ set(found.arrays))
    if strange:
        raise CheckpointError(f"The checkpoint in {folder} does not fit {name} ({strange[0]}); train again.")
    try:
        network.load({key: torch.from_numpy(array.copy()) for key, array in found.arrays.items()}, parts)
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"The checkpoint in {folder} does not fit {name} ({error}); train again.") from error
    # The caller's descriptions may be newer than those the model was saved with.
    return owner.model(owner, labels or found.labels, base, network, parts, side, rows)


def _identity(base: Base, network: Network, parts: Sequence[str]) -> str:
    """A digest of all that decides what the network answers."""
    told = hashlib.sha256(base.digest.encode())
    for name, tensor in sorted(network.tensors(parts).items()):
        told.update(name.encode())
        told.update(tensor.detach().contiguous().numpy().tobytes())
    return told.hexdigest()
