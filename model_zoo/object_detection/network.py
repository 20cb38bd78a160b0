"""A detection network taken apart: backbone, neck and head can run, be cached and be trained by themselves."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.object_detection import upstream
from model_zoo.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

PARTS = ("backbone", "neck", "boxes", "classes", "pictures", "masks", "points", "angles")
"""From the pixels to the answers. Only segmenters have `pictures`, which masks are mixed from, and `masks`, the branch
that says how; only networks for poses have `points`; only those for turned boxes have `angles`."""
RARE = 5 / 80 / 640**2
"""Objects of a label a pixel where nothing is known of it: Ultralytics' own guess for the classes of COCO."""
LAST = "last"
"""The last layer of the class branch, one convolution of size 1 a level: all that is new where labels are."""


@dataclass(frozen=True)
class Raw:
    """What a head says of a batch: box distributions (b, 4 * bins, n) and class logits (b, labels, n) of all n cells,
    with the `levels` that they come from."""

    boxes: Tensor
    scores: Tensor
    levels: Sequence[Tensor]


class Network:
    """The layers of one network, by Ultralytics' numbers. Layers may belong to several networks, which is safe as long
    as they are not trained; nothing is kept between calls, so threads may share it."""

    def __init__(self, layers: Sequence[Any], saved: frozenset[int], neck: int, names: Sequence[str]) -> None:
        self.layers = list(layers)
        self.saved = saved
        self.neck = neck
        """Number of the first layer after the backbone."""
        self.names = tuple(names)

    @classmethod
    def of(cls, model: Any) -> Network:
        """From Ultralytics' model. Of a head with two branches, the one that is made for suppression is kept."""
        head = model.model[-1]
        for name in ("one2one_cv2", "one2one_cv3", "one2one_cv4"):
            if getattr(head, name, None) is not None:
                delattr(head, name)
        for layer in model.model:
            layer.requires_grad_(False)
        names = model.names
        named = [names[index] for index in range(len(names))] if isinstance(names, dict) else list(names)
        return cls(list(model.model), frozenset(model.save), len(model.yaml["backbone"]), named)

    def with_angles(self) -> Network:
        """The same detector with a head that says, too, how its boxes are turned: upright all of them, at first."""
        head = upstream.oriented_head(self.head)
        return Network([*self.layers[:-1], head], self.saved, self.neck, self.names)

    @property
    def head(self) -> Any:
        return self.layers[-1]

    @property
    def strides(self) -> list[int]:
        return [int(stride) for stride in self.head.stride]

    def with_labels(
        self, names: Sequence[str], mixture: FloatArray | None = None, density: FloatArray | None = None
    ) -> Network:
        """The same network with a class branch of its own for other labels. Each begins as the classes that its row
        of `mixture` (labels, classes) gives weight to; where the row is empty, and without a mixture, as likely
        anywhere as its `density` (labels,), in objects a pixel of the network's input, says."""
        import torch

        head = copy.copy(self.head)
        head._modules = dict(head._modules)
        head.cv3 = copy.deepcopy(head.cv3)
        weights = torch.zeros(len(names), len(self.names)) if mixture is None else torch.from_numpy(mixture)
        often = np.full(len(names), RARE, np.float32) if density is None else density.astype(np.float32)
        prior = torch.from_numpy(np.log(np.clip(often, RARE / 100, None)))
        for branch, level in enumerate(head.cv3):
            old = level[-1]
            last = torch.nn.Conv2d(old.in_channels, len(names), 1).requires_grad_(False)
            last.weight.copy_(torch.einsum("lc,cikj->likj", weights, old.weight))
            missing = (1 - weights.sum(1)).clamp(min=0)
            usual = missing * (prior + 2 * math.log(self.strides[branch])).clamp(max=-1)
            last.bias = torch.nn.Parameter(weights @ old.bias + usual, requires_grad=False)
            level[-1] = last
        head.nc = len(names)
        head.no = head.nc + 4 * head.reg_max
        return Network([*self.layers[:-1], head], self.saved, self.neck, names)

    def own(self, parts: Sequence[str]) -> Network:
        """A network that shares all but `parts` with this one."""
        layers = list(self.layers)
        if "backbone" in parts:
            layers[: self.neck] = copy.deepcopy(layers[: self.neck])
        if "neck" in parts:
            layers[self.neck : -1] = copy.deepcopy(layers[self.neck : -1])
        head = copy.copy(self.head)
        head._modules = dict(head._modules)
        if "boxes" in parts:
            head.cv2 = copy.deepcopy(head.cv2)
        if "classes" in parts or LAST in parts:
            head.cv3 = copy.deepcopy(head.cv3)
        for part in ("pictures", "masks", "points", "angles"):
            for branch in self._branches(part) if part in parts else ():
                setattr(head, branch, copy.deepcopy(getattr(head, branch)))
        layers[-1] = head
        return Network(layers, self.saved, self.neck, self.names)

    def normalise_anew(self, whether: bool) -> None:
        """Whether normalisation uses, and learns, the statistics of each batch. Only for networks of their own."""
        for part in PARTS:
            for _, module in self.modules_of(part):
                if module.training is not whether:
                    module.train(whether)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """While it lasts, normalisation forgets its statistics and takes the mean of what it sees."""
        import torch

        layers = [
            module
            for part in PARTS
            for _, whole in self.modules_of(part)
            for module in whole.modules()
            if isinstance(module, torch.nn.BatchNorm2d)
        ]
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None
        try:
            yield
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum

    def modules_of(self, part: str) -> list[tuple[str, Any]]:
        """The modules of a part with the names that Ultralytics gives them."""
        last = len(self.layers) - 1
        if part == "backbone":
            return [(f"model.{number}", self.layers[number]) for number in range(self.neck)]
        if part == "neck":
            return [(f"model.{number}", self.layers[number]) for number in range(self.neck, last)]
        return [(f"model.{last}.{branch}", getattr(self.head, branch)) for branch in self._branches(part)]

    def _branches(self, part: str) -> list[str]:
        """The head's branch that makes up a part; none where this head has no such part."""
        if not hasattr(self.head, _BRANCHES[part]):
            return []
        # The branches of masks, of points and of angles have one name; the head of a segmenter has pictures, too.
        own = "masks" if hasattr(self.head, "proto") else "angles" if hasattr(self.head, "ne") else "points"
        return [] if part in {"masks", "points", "angles"} - {own} else [_BRANCHES[part]]

    def tensors(self, parts: Sequence[str]) -> dict[str, Tensor]:
        """Parameters and buffers of `parts` by Ultralytics' names."""
        return {
            f"{prefix}.{name}": tensor
            for part in parts
            for prefix, module in self.modules_of(part)
            for name, tensor in module.state_dict().items()
        }

    def load(self, tensors: Mapping[str, Tensor], parts: Sequence[str]) -> None:
        """Put tensors into `parts`, which this network must own. Raises RuntimeError or KeyError where they do not
        fit."""
        for part in parts:
            for prefix, module in self.modules_of(part):
                module.load_state_dict({name: tensors[f"{prefix}.{name}"] for name in module.state_dict()})

    def backbone(self, images: Tensor) -> dict[int, Tensor]:
        """What the layers after it need, by the number of the layer that made it; `images` (b, 3, h, w) in [0, 1]."""
        kept: dict[int, Tensor] = {}
        self._run(images, kept, 0, self.neck)
        needed = {self.neck - 1} | {
            _absolute(number, at)
            for at, layer in enumerate(self.layers[self.neck :], self.neck)
            for number in ([layer.f] if isinstance(layer.f, int) else layer.f)
        }
        return {number: tensor for number, tensor in kept.items() if number in needed}

    def pyramid(self, kept: Mapping[int, Tensor]) -> list[Tensor]:
        """The levels that the head looks at, from what `backbone` gave."""
        every = dict(kept)
        self._run(every[self.neck - 1], every, self.neck, len(self.layers) - 1)
        return [every[number] for number in self.head.f]

    def answer(self, levels: Sequence[Tensor]) -> Raw:
        """Run the head alone."""
        return Raw(self.box_branch(levels), self.class_branch(levels), levels)

    def box_branch(self, levels: Sequence[Tensor]) -> Tensor:
        import torch

        return torch.cat([branch(level).flatten(2) for branch, level in zip(self.head.cv2, levels, strict=True)], 2)

    def class_branch(self, levels: Sequence[Tensor]) -> Tensor:
        return self.last(self.hidden(levels))

    def hidden(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """What the last layer of the class branch looks at."""
        return [branch[1](branch[0](level)) for branch, level in zip(self.head.cv3, levels, strict=True)]

    def last(self, hidden: Sequence[Tensor]) -> Tensor:
        import torch

        return torch.cat([branch[2](level).flatten(2) for branch, level in zip(self.head.cv3, hidden, strict=True)], 2)

    @property
    def has_masks(self) -> bool:
        """Whether it is a segmenter."""
        return bool(self._branches("masks"))

    def mask_branch(self, levels: Sequence[Tensor]) -> Tensor:
        """How each cell's mask is mixed, (b, k, cells). Of segmenters alone."""
        import torch

        return torch.cat([branch(level).flatten(2) for branch, level in zip(self.head.cv4, levels, strict=True)], 2)

    def prototypes(self, levels: Sequence[Tensor]) -> Tensor:
        """The pictures (b, k, h, w) that masks are mixed from; four pixels of the input a cell."""
        pictures: Tensor = self.head.proto(levels[0])
        return pictures

    def __call__(self, images: Tensor) -> Raw:
        return self.answer(self.pyramid(self.backbone(images)))

    def decode(self, boxes: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Corners (b, n, 4) in pixels of the network's input from box distributions."""
        import torch

        points, strides = upstream.anchors(levels, self.head.stride)
        batch, channels, cells = boxes.shape
        sides = boxes.view(batch, 4, channels // 4, cells)
        if self.head.reg_max > 1:
            bins = torch.arange(self.head.reg_max, dtype=boxes.dtype).view(1, 1, -1, 1)
            sides = (sides.softmax(2) * bins).sum(2)
        else:
            sides = sides[:, :, 0]
        sides = sides.transpose(1, 2)
        corners: Tensor = torch.cat([points - sides[..., :2], points + sides[..., 2:]], 2) * strides
        return corners

    def points_branch(self, levels: Sequence[Tensor]) -> Tensor:
        """What a head for poses says of points, raw: (b, 3 * points, cells)."""
        import torch

        return torch.cat([branch(level).flatten(2) for branch, level in zip(self.head.cv4, levels, strict=True)], 2)

    def decode_points(self, raw: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Points (b, cells, 3 * points) from what `points_branch` gave: x and y in pixels of the network's input, and
        log-odds that it is there."""
        import torch

        centres, strides = upstream.anchors(levels, self.head.stride)
        table = raw.transpose(1, 2).reshape(raw.shape[0], raw.shape[2], -1, 3)
        places = (table[..., :2] * 2 + (centres - 0.5)[:, None]) * strides[:, None]
        points: Tensor = torch.cat([places, table[..., 2:]], 3).flatten(2)
        return points

    @property
    def has_angles(self) -> bool:
        """Whether its boxes are turned."""
        return bool(self._branches("angles"))

    def angle_branch(self, levels: Sequence[Tensor]) -> Tensor:
        """By how much boxes are turned, clockwise, in radians (b, 1, cells) from -pi / 4 to 3 pi / 4, as Ultralytics
        has it. Of networks for turned boxes alone."""
        import torch

        raw = torch.cat([branch(level).flatten(2) for branch, level in zip(self.head.cv4, levels, strict=True)], 2)
        angles: Tensor = (raw.sigmoid() - 0.25) * math.pi
        return angles

    def decode_turned(self, boxes: Tensor, angles: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Corners (b, n, 8), x and y in turn, clockwise from the top left one, in pixels of the network's input. Box
        distributions are of distances along the turned sides."""
        import torch

        upright = self.decode(boxes, levels)
        points, strides = upstream.anchors(levels, self.head.stride)
        centre = points * strides
        left, top, right, bottom = (upright - centre.repeat(1, 2)).unbind(2)
        cos, sin = angles[:, 0].cos(), angles[:, 0].sin()
        corners = [
            axis
            for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))
            for axis in (centre[:, 0] + x * cos - y * sin, centre[:, 1] + x * sin + y * cos)
        ]
        return torch.stack(corners, 2)

    def _run(self, x: Any, kept: dict[int, Tensor], first: int, end: int) -> None:
        for number in range(first, end):
            layer = self.layers[number]
            if isinstance(layer.f, int):
                x = x if layer.f == -1 else kept[_absolute(layer.f, number)]
            else:
                x = [x if at == -1 else kept[_absolute(at, number)] for at in layer.f]
            x = layer(x)
            if number in self.saved or number == end - 1:
                kept[number] = x


def owned(parts: Sequence[str]) -> tuple[str, ...]:
    """The whole parts that differ when `parts` are trained, in the order of the network."""
    return tuple(part for part in PARTS if part in parts or (part == "classes" and LAST in parts))


_BRANCHES = {"boxes": "cv2", "classes": "cv3", "pictures": "proto", "masks": "cv4", "points": "cv4", "angles": "cv4"}


def _absolute(source: int, layer: int) -> int:
    """The number of the layer that another takes its input from, which may be counted backwards from that one."""
    return source if source >= 0 else layer + source


def digest(network: Network) -> str:
    """SHA-256 over all tensors: the same weights in another file are the same base."""
    told = hashlib.sha256()
    for name, tensor in sorted(network.tensors(PARTS).items()):
        told.update(name.encode())
        told.update(tensor.contiguous().numpy().tobytes())
    return told.hexdigest()
