"""What the pretrained encoder makes of views, computed once for as many as memory is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from model_zoo.semantic_segmentation.network import Network
from model_zoo.semantic_segmentation.views import View

if TYPE_CHECKING:
    from torch import Tensor

BYTES = 400_000_000
"""Of levels kept, in half precision: some 280 views of 320 pixels a side. The others are encoded each time."""


class Cache:
    """`seen` are the views."""

    def __init__(self, network: Network, seen: Sequence[View], check: Callable[[], None]) -> None:
        import torch

        self.seen = list(seen)
        self._network = network
        self._kept: list[list[Tensor]] = []
        used = 0
        with torch.inference_mode():
            for one in seen:
                check()
                if used < BYTES:
                    levels = [level.half() for level in network.levels(pixels_of([one]))]
                    used += sum(level.nbytes for level in levels)
                    self._kept.append(levels)

    def levels(self, chosen: Sequence[int]) -> list[Tensor]:
        """What the encoder makes of these views."""
        import torch

        each = [self._kept[at] if at < len(self._kept) else self._encoded(at) for at in chosen]
        return [torch.cat([levels[number] for levels in each]).float() for number in range(len(each[0]))]

    def classes(self, chosen: Sequence[int]) -> Tensor:
        """What the cells of these views are, (views, h / 2, w / 2)."""
        import torch

        return torch.from_numpy(np.stack([self.seen[at].classes for at in chosen]).astype(np.int64))

    def _encoded(self, at: int) -> list[Tensor]:
        import torch

        with torch.inference_mode():
            levels = self._network.levels(pixels_of([self.seen[at]]))
        return [level.clone() for level in levels]


def pixels_of(views: Sequence[View]) -> Tensor:
    """Pixels (views, h, w, 3)."""
    import torch

    return torch.from_numpy(np.stack([one.pixels for one in views]))
