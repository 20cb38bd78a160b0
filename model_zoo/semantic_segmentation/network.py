"""A U-Net of segmentation-models-pytorch on the EfficientNet-Lite0 that classification uses, in its parts."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_zoo.image_classification.efficientnet_lite0 import EfficientNetLite0Encoder

if TYPE_CHECKING:
    from torch import Tensor

ENCODER = "tu-tf_efficientnet_lite0"
"""timm's network under the name that segmentation-models-pytorch knows it by."""
CHANNELS = (96, 64, 32, 24)
"""Of the decoder's blocks, at strides 16, 8, 4 and 2. The library's own are more than twice as wide, and have a fifth
block at the full size, which costs as much as the others together and moves edges by a pixel of the input at most."""
STRIDE = 32
"""What the sides of its input are multiples of."""
CELL = 2
"""Pixels of its input a cell of its answer."""
COUNTER = "num_batches_tracked"
"""What normalisation counts in training, and nothing depends on afterwards."""
DECODER, WHOLE = "decoder", "whole"
"""What may be trained: all but the encoder, or all of it."""


@dataclass(frozen=True)
class Network:
    """`unet` is the library's, without its last block. Where `parts` is `DECODER`, the encoder is the pretrained one,
    shared with every other model of the process. `classes` is how many it tells apart."""

    unet: Any
    classes: int
    parts: str = DECODER

    def levels(self, pixels: Tensor) -> list[Tensor]:
        """What the encoder makes of pixels (n, h, w, 3), 0 to 255: five levels, at strides 2 to 32."""
        import torch

        images = pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1)
        found: list[Tensor] = self.unet.encoder(images.contiguous(memory_format=torch.channels_last))[1:]
        return found

    def scores(self, levels: Sequence[Tensor]) -> Tensor:
        """Scores (n, classes, h / 2, w / 2) from the encoder's levels."""
        # The first level would be the image itself, which only the block that is not there looks at.
        answer: Tensor = self.unet.segmentation_head(self.unet.decoder([levels[0], *levels]))
        return answer

    def trained(self) -> dict[str, Tensor]:
        """The tensors that differ from the pretrained network's, by the library's names."""
        state: dict[str, Tensor] = self.unet.state_dict()
        return {
            name: tensor
            for name, tensor in state.items()
            if (self.parts == WHOLE or not name.startswith("encoder.")) and not name.endswith(COUNTER)
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `trained` gave. Raises `RuntimeError` where names or shapes are not this network's."""
        import torch

        state = self.trained()
        if state.keys() != tensors.keys():
            raise RuntimeError(f"it differs in {sorted(state.keys() ^ tensors.keys())[0]}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                if state[name].shape != tensor.shape:
                    raise RuntimeError(f"{name} has the shape {tuple(tensor.shape)}, wanted {tuple(state[name].shape)}")
                state[name].copy_(tensor)

    def digest(self, base: str) -> str:
        """Of all that decides what it answers; `base` is that of the pretrained weights."""
        told = hashlib.sha256(f"{base}:{self.classes}".encode())
        for name, tensor in sorted(self.trained().items()):
            told.update(name.encode())
            told.update(tensor.detach().contiguous().numpy().tobytes())
        return told.hexdigest()

    def copy(self, parts: str) -> Network:
        """The same network with tensors of its own in these parts."""
        twin = copy.copy(self.unet)
        twin._modules = dict(self.unet._modules)
        for name, module in self.unet._modules.items():
            if parts == WHOLE or name != "encoder":
                twin._modules[name] = copy.deepcopy(module)
        return Network(twin, self.classes, parts)

    @contextmanager
    def learning(self) -> Iterator[list[Any]]:
        """Its parts in training, whose weights it gives; frozen and as in serving afterwards. The encoder's
        normalisation keeps its pretrained statistics: those of a handful of images would be worse."""
        learn = [self.unet.decoder, self.unet.segmentation_head, *([self.unet.encoder] if self.parts == WHOLE else [])]
        weights = [weight for module in learn for weight in module.parameters()]
        try:
            for module in learn[:2]:
                module.train()
            for weight in weights:
                weight.requires_grad_(True)
            yield weights
        finally:
            for module in learn:
                module.eval().requires_grad_(False)


def build(pretrained: Any, classes: int, seed: int = 0) -> Network:
    """A network whose decoder knows nothing yet, on `pretrained`, which `encoder_of` gave."""
    import torch
    from segmentation_models_pytorch import Unet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = Unet(ENCODER, encoder_weights=None, decoder_channels=(*CHANNELS, CHANNELS[-1]), classes=classes)
    del unet.decoder.blocks[-1]
    unet.encoder = pretrained
    unet.eval().requires_grad_(False)
    return Network(unet.to(memory_format=torch.channels_last), classes)


def encoder_of(weights: EfficientNetLite0Encoder) -> Any:
    """The library's encoder with the weights that classification uses, frozen. Raises `WeightsNotFound`."""
    import torch
    from segmentation_models_pytorch.encoders import get_encoder

    published = weights.load().state_dict()
    made: Any = get_encoder(ENCODER, in_channels=3, depth=5, weights=None)
    wanted = made.model.state_dict()
    # Classification has a last convolution and a classifier besides.
    made.model.load_state_dict({name: published[name] for name in wanted})
    return made.eval().requires_grad_(False).to(memory_format=torch.channels_last)
