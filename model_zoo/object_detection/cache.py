"""Views of the training images with what the frozen part of a network makes of them, computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import as_array
from model_zoo.images import read_image
from model_zoo.object_detection.network import Network
from model_zoo.object_detection.pixels import Pixels, resize
from model_zoo.object_detection.views import Augmentation, Picture, plain, view
from model_zoo.types import DetectionExample, Item, LabelSpace

if TYPE_CHECKING:
    from torch import Tensor

ENLARGED = 1.5
"""Training images are kept this much larger than the network's input, so that zooming in still shows detail."""


@dataclass(frozen=True)
class View:
    """A square picture with `image`, the number of the image that it shows, and `fold`, which all images in it have
    in common."""

    picture: Picture
    image: int
    fold: int
    plain: bool


def pictures(
    examples: Sequence[DetectionExample], labels: LabelSpace, side: int, check: Callable[[], None]
) -> list[Picture]:
    """The images decoded, no larger than training needs them. Raises `UnreadableInput`."""
    index = {name: at for at, name in enumerate(labels.names)}
    made = []
    for example in examples:
        check()
        pixels, ratio = decoded(example.item, side)
        boxes = as_array(example.boxes) * np.tile(ratio, 2)
        named = np.array([index[box.label] for box in example.boxes], np.int64)
        made.append(Picture(pixels, boxes.astype(np.float32), named))
    return made


def decoded(item: Item, side: int) -> tuple[Pixels, npt.NDArray[np.float64]]:
    """An image no larger than training at that side needs it, and its width and height as shares of the original's.
    Raises `UnreadableInput`."""
    pixels = read_image(item.input)
    scale = min(1.0, ENLARGED * side / max(pixels.shape[:2]))
    size = (max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
    return resize(pixels, size), np.array([size[0] / pixels.shape[1], size[1] / pixels.shape[0]])


def views(
    images: Sequence[Picture],
    folds: npt.NDArray[np.int64],
    each: int,
    side: int,
    how: Augmentation,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> list[View]:
    """`each` views of each image, the first of them plain. Mosaics are made of images of one fold, so that no view
    shows a fold what it must not have seen."""
    random = np.random.default_rng(seed)
    made = []
    for number, image in enumerate(images):
        check()
        same = [images[at] for at in np.flatnonzero(folds == folds[number])]
        place = int((folds[:number] == folds[number]).sum())
        fold = int(folds[number])
        made.append(View(plain(image, side), number, fold, True))
        made += [View(view(same, place, side, how, random), number, fold, False) for _ in range(each - 1)]
    return made


def as_batch(pixels: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
    """Images (n, 3, h, w) in [0, 1] from pixels of one shape."""
    import torch

    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div_(255)


class Levels:
    """What the head of `network` looks at in each view, in half precision. `check` is asked whenever one is looked at
    for long, and may raise."""

    def __init__(self, network: Network, seen: Sequence[View], check: Callable[[], None]) -> None:
        import torch

        self.seen = list(seen)
        self.check = check
        self._network = network
        self._levels: list[list[Tensor]] = []
        with torch.inference_mode():
            for one in seen:
                check()
                levels = network.pyramid(network.backbone(as_batch([one.picture.pixels])))
                self._levels.append([level.half() for level in levels])
                self._note(levels)

    def _note(self, levels: Sequence[Tensor]) -> None:
        """Keep what else of a view is wanted, while its levels are at hand."""

    def levels(self, chosen: Sequence[int]) -> list[Tensor]:
        """What the head looks at, for these views."""
        import torch

        return [torch.cat([self._levels[at][level] for at in chosen]).float() for level in range(len(self._levels[0]))]


class Cache(Levels):
    """With the corners that the network's box branch finds; and, once asked for, what the rest of its parts give."""

    def __init__(self, network: Network, seen: Sequence[View], check: Callable[[], None]) -> None:
        self._corners: list[Tensor] = []
        self._kept: list[dict[int, Tensor]] = []
        self._hidden: list[list[Tensor]] = []
        self._pictures: list[Tensor] = []
        super().__init__(network, seen, check)

    def _note(self, levels: Sequence[Tensor]) -> None:
        self._corners.append(self._network.decode(self._network.box_branch(levels), levels))

    def corners(self, chosen: Sequence[int]) -> Tensor:
        """What the frozen box branch finds, (n, cells, 4) in pixels of the views."""
        import torch

        return torch.cat([self._corners[at] for at in chosen])

    def hidden(self, chosen: Sequence[int]) -> list[Tensor]:
        """What the last layer of the class branch looks at; computed when it is first asked for."""
        import torch

        if not self._hidden:
            with torch.inference_mode():
                for levels in self._levels:
                    self.check()
                    hidden = self._network.hidden([level.float() for level in levels])
                    self._hidden.append([level.half() for level in hidden])
        return [torch.cat([self._hidden[at][level] for at in chosen]).float() for level in range(len(self._hidden[0]))]

    def prototypes(self, chosen: Sequence[int]) -> Tensor:
        """The pictures that masks are mixed from, of segmenters alone; computed when they are first asked for."""
        import torch

        if not self._pictures:
            with torch.inference_mode():
                for levels in self._levels:
                    self.check()
                    self._pictures.append(self._network.prototypes([level.float() for level in levels]).half())
        return torch.cat([self._pictures[at] for at in chosen]).float()

    def scores(self, network: Network, chosen: Sequence[int]) -> Tensor:
        """What the class branch of `network`, which differs in its last layer alone, says of these views."""
        import torch

        with torch.no_grad():
            return network.last(self.hidden(chosen))

    def kept(self, chosen: Sequence[int]) -> dict[int, Tensor]:
        """What the backbone gives, for `Network.pyramid`; computed when it is first asked for."""
        import torch

        if not self._kept:
            with torch.inference_mode():
                for one in self.seen:
                    self.check()
                    kept = self._network.backbone(as_batch([one.picture.pixels]))
                    self._kept.append({number: tensor.half() for number, tensor in kept.items()})
        return {number: torch.cat([self._kept[at][number] for at in chosen]).float() for number in self._kept[0]}
