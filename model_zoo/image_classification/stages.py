"""Convolutional networks as stages that follow each other, pooled into features on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def pooled(
    network: Any,
    stages: Sequence[Sequence[Any]],
    windows: Mapping[int, tuple[int, int]],
    scaled: Callable[[Tensor], Tensor],
) -> Module:
    """From pixels (n, side, side, 3) to features: parts of unit length, of the `windows` (side, step) that are averaged
    after some stages, and of the whole image after the last. Each stage is some of the network's modules, in order.
    `scaled` turns pixels as floating-point numbers (n, 3, side, side) into what the first stage takes."""
    import torch
    from torch.nn.functional import avg_pool2d, normalize

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.stages = tuple(tuple(stage) for stage in stages)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.above(self.begun(pixels), 0)

        def begun(self, pixels: torch.Tensor) -> torch.Tensor:
            return scaled(pixels.permute(0, 3, 1, 2).float()).contiguous(memory_format=torch.channels_last)

        def below(self, pixels: torch.Tensor, cut: int) -> torch.Tensor:
            """What stage `cut` is given, which must not lie behind the second of the windows."""
            hidden = self.begun(pixels)
            for stage in self.stages[:cut]:
                hidden = self.after(stage, hidden)
            return hidden

        def above(self, hidden: torch.Tensor, cut: int) -> torch.Tensor:
            """Features from what stage `cut` is given."""
            parts = [avg_pool2d(hidden, *windows[cut - 1]).flatten(1)] if cut - 1 in windows else []
            for number, stage in enumerate(self.stages[cut:], cut):
                hidden = self.after(stage, hidden)
                if number in windows:
                    parts.append(avg_pool2d(hidden, *windows[number]).flatten(1))
            parts.append(hidden.mean(dim=(2, 3)))
            return torch.cat([normalize(part, dim=1) for part in parts], dim=1)

        def after(self, stage: Sequence[Any], hidden: torch.Tensor) -> torch.Tensor:
            for module in stage:
                hidden = module(hidden)
            return hidden

    return Features().eval()
