"""What is trained for points: small layers on the frozen levels of a pretrained network, for every cell of the finest.

Objects are found by their centres, with their sides and their points relative to these, and each point once more by a
map of its own, as in CenterNet (Zhou et al. 2019, "Objects as Points", https://arxiv.org/abs/1904.07850). Two models
that share nothing trained: the main one learns from all located points, the extra one which points are visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

REACH = 4.0
"""Cells that a step of one in the outputs for distances means."""
RARE = -4.0
"""Log-odds that a cell begins with to be a centre or a point: few are."""


@dataclass(frozen=True)
class Shape:
    """`kinds` of objects with `points` each. `whole` where objects are found by this head; else another one finds them,
    and only what is known of their points is learnt. `alone` where no image has more than one object, so that a point
    is wherever its map says."""

    kinds: int
    points: int
    whole: bool
    width: int = 48
    alone: bool = False

    @property
    def objects(self) -> dict[str, int]:
        """Channels of what the main model says of an object in the cell of its centre."""
        found = {"centres": self.kinds, "sides": 4, "shifts": 2 * self.points}
        return {**(found if self.whole else {}), "located": self.points}

    @property
    def places(self) -> dict[str, int]:
        """Channels of what it says of each point where that is."""
        found = {"heat": self.points, "refined": 2 * self.points}
        return {**(found if self.whole else {}), "located_here": self.points}

    @property
    def seeing(self) -> dict[str, int]:
        """Channels of the extra model's: by the object's centre, and at the point itself."""
        return {"seen": self.points, "seen_here": self.points}

    def split(self, maps: Any) -> dict[str, Any]:
        """Maps (b, channels, h, w), of torch or NumPy, by name."""
        found, start = {}, 0
        for name, count in {**self.objects, **self.places, **self.seeing}.items():
            found[name] = maps[:, start : start + count]
            start += count
        return found


def patches(images: Tensor, cell: int) -> Tensor:
    """The pixels of images (b, 3, h, w) as a level: those of a cell of `cell` by `cell` are its channels. A pretrained
    network has learnt to overlook colours, by which people often tell points apart."""
    from torch.nn.functional import pixel_unshuffle

    return pixel_unshuffle(images, cell)


def build(channels: list[int], shape: Shape, seed: int) -> Module:
    """A module from levels to maps (b, channels, h, w) at the finest level's cells."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: Module = _head_class()(channels, shape)
        return made


def _head_class() -> Any:
    import torch
    from torch import nn
    from torch.nn import functional

    class Trunk(nn.Module):
        """Levels brought to one width and one size, summed, and looked at with the neighbours in reach."""

        def __init__(self, channels: list[int], width: int, outputs: int, reach: int) -> None:
            super().__init__()
            self.reduce = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
            self.normal = nn.LayerNorm(width)
            self.near = nn.Conv2d(width, width, reach, padding=reach // 2)
            self.last = nn.Conv2d(width, outputs, 1)

        def forward(self, levels: list[Tensor]) -> Tensor:
            joined = self.reduce[0](levels[0])
            for layer, level in zip(list(self.reduce)[1:], levels[1:], strict=True):
                joined = joined + functional.interpolate(
                    layer(level), size=joined.shape[-2:], mode="bilinear", align_corners=False
                )
            # Cell by cell: what else the image shows, or how it was padded, must not matter.
            hidden = functional.silu(self.normal(joined.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
            found: Tensor = self.last(functional.silu(self.near(hidden)))
            return found

    class Head(nn.Module):
        def __init__(self, channels: list[int], shape: Shape) -> None:
            super().__init__()
            # The frozen levels know what is around a cell; only where a point is exactly takes another look at that.
            parts = ((shape.objects, 1), (shape.places, 3), (shape.seeing, 1))
            trunks = [Trunk(channels, shape.width, sum(part.values()), reach) for part, reach in parts]
            self.trunks = nn.ModuleList(trunks)
            for trunk, (part, _) in zip(trunks, parts, strict=True):
                begin = [RARE if name in ("centres", "heat") else 0.0 for name in part for _ in range(part[name])]
                trunk.last.bias = nn.Parameter(torch.tensor(begin))
                if not shape.whole:  # it begins with what the pretrained head says
                    nn.init.zeros_(trunk.last.weight)

        def forward(self, levels: list[Tensor]) -> Tensor:
            return torch.cat([trunk(levels) for trunk in self.trunks], 1)

    return Head
