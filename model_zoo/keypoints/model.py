"""The trained model of every family that finds points with one of Ultralytics' networks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo import checkpoint
from model_zoo.errors import CheckpointError
from model_zoo.keypoints import forward
from model_zoo.keypoints.fitting import TUNED
from model_zoo.keypoints.head import Shape, build
from model_zoo.object_detection.bases import Base
from model_zoo.object_detection.fitted import FittedModel
from model_zoo.object_detection.network import Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.postprocess.keypoints import kinds_of
from model_zoo.programs.program import Array
from model_zoo.types import FloatArray, LabelSpace, PoseOutput

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from model_zoo.keypoints.family import YoloPoseFamily


@dataclass(frozen=True)
class Meaning:
    """What labels mean to the pretrained head: of its points, -1 for none, and of its classes for each name of
    objects."""

    points: tuple[int, ...]
    kinds: tuple[tuple[int, ...], ...]


class PoseModel(FittedModel):
    """`head` lies on `base`, or on a `network` that was trained with it. `side` is the longer side of the input in
    pixels. With a `meaning`, the pretrained head finds objects and points, and `head` says what is known of these; else
    it finds all. Immutable."""

    def __init__(
        self,
        owner: YoloPoseFamily,
        labels: LabelSpace,
        base: Base,
        head: Module,
        shape: Shape,
        side: int,
        meaning: Meaning | None = None,
        network: Network | None = None,
    ) -> None:
        self.family = type(owner)
        self.labels = labels
        self.base = base
        self.head = head
        self.shape = shape
        self.side = side
        self.meaning = meaning
        self.network = network or base.network
        self.parts = TUNED if network else ()
        key = f"{base.name}:{_identity(base, self._tensors())}"
        self.stride = max(base.network.strides)
        make = forward.whole if meaning is None else forward.known
        self.program = make(key, self.network, head, side)

    def output_of(self, fitted: Fitted, arrays: Sequence[Array]) -> PoseOutput:
        return read(fitted, arrays, self.shape, self.meaning)

    def save(self, folder: Path) -> None:
        meaning = self.meaning
        settings: dict[str, Any] = {
            "base": self.base.name,
            "digest": self.base.digest,
            "side": self.side,
            "width": self.shape.width,
            "alone": self.shape.alone,
            "points": list(meaning.points) if meaning else None,
            "kinds": [list(row) for row in meaning.kinds] if meaning else None,
            "parts": list(self.parts),
        }
        arrays = {name: tensor.detach().numpy() for name, tensor in self._tensors().items()}
        checkpoint.write(folder, checkpoint.Checkpoint(self.family.name, self.labels, settings, arrays))

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self._tensors().values())

    def _tensors(self) -> dict[str, Tensor]:
        """All that is this model's own, by name; those of the network have Ultralytics' names."""
        return {**self.head.state_dict(), **self.network.tensors(self.parts)}


def read(fitted: Fitted, found: Sequence[FloatArray], shape: Shape, meaning: Meaning | None) -> PoseOutput:
    """One image's output from what the network gave for it."""
    if meaning is None:
        (maps,) = found
        return forward.from_maps(fitted, maps, shape, fitted.pixels.shape[1] / maps.shape[-1])
    corners, probabilities, points, maps = found
    return forward.from_known(fitted, corners, probabilities, points, maps, shape, meaning.points, meaning.kinds)


def load(owner: YoloPoseFamily, folder: Path, labels: LabelSpace | None) -> PoseModel:
    """Read what `PoseModel.save` wrote; the network it lies on must be at hand."""
    import torch

    found = checkpoint.read(folder, owner.name, labels)
    try:
        name, digest = str(found.settings["base"]), str(found.settings["digest"])
        side, width = int(found.settings["side"]), int(found.settings["width"])
        alone, parts = bool(found.settings["alone"]), [str(part) for part in found.settings.get("parts", ())]
        points, kinds = found.settings["points"], found.settings["kinds"]
        meaning = None
        if points is not None:
            rows = tuple(tuple(int(at) for at in row) for row in kinds)
            meaning = Meaning(tuple(int(at) for at in points), rows)
        if (
            parts not in ([], list(TUNED))
            or side < 32
            or width < 8
            or (meaning and len(meaning.points) != len(found.labels))
        ):
            raise ValueError(f"parts {parts}, side {side}, width {width}, points {points}")
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"The checkpoint in {folder} is damaged ({error!r}); train again.") from error
    base = owner.base_named(name)
    if base.digest != digest:
        raise CheckpointError(
            f"Got points trained on {name} with the digest {digest[:12]}, and the weights found here "
            f"({base.origin}) have {base.digest[:12]}; put those weights back, or train again."
        )
    shape = Shape(len(kinds_of(found.labels)), len(found.labels), meaning is None, width, alone)
    head = build(channels_of(base, shape), shape, 0)
    try:
        tensors = {key: torch.from_numpy(array.copy()) for key, array in found.arrays.items()}
        network = base.network.own(TUNED) if parts else None
        if network:
            names = network.tensors(TUNED).keys()
            network.load({name: tensors.pop(name) for name in names}, TUNED)
        head.load_state_dict(tensors)
    except (RuntimeError, KeyError) as error:
        said = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"The checkpoint in {folder} does not fit {name} ({said}); train again.") from error
    head.requires_grad_(False)
    # The caller's descriptions may be newer than those the model was saved with.
    return PoseModel(owner, labels or found.labels, base, head, shape, side, meaning, network)


def channels_of(base: Base, shape: Shape) -> list[int]:
    """How many channels the levels have that a head of that shape lies on."""
    levels = [branch[0].conv.in_channels for branch in base.network.head.cv2]
    return [*levels, 3 * min(base.network.strides) ** 2] if shape.whole else levels


def _identity(base: Base, tensors: Mapping[str, Tensor]) -> str:
    """A digest of all that decides what the network answers."""
    told = hashlib.sha256(base.digest.encode())
    for name, tensor in sorted(tensors.items()):
        told.update(name.encode())
        told.update(tensor.detach().contiguous().numpy().tobytes())
    return told.hexdigest()
