"""Image classification from MobileNetV2 features: half the weights of the default family, for small machines."""

from __future__ import annotations

from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, ClassVar

from model_zoo.base import Encoder
from model_zoo.image_classification.encoder import ImageEncoder
from model_zoo.image_classification.stages import pooled
from model_zoo.linear.family import LinearFamily
from model_zoo.linear.fit import Hyperparameters
from model_zoo.types import TaskKind
from model_zoo.weights import Weights

if TYPE_CHECKING:
    from torch.nn import Module

WINDOWS = {13: (7, 7), 16: (3, 2)}
"""Layers of 14 x 14 and 7 x 7 cells, averaged over windows of that side and step: as in EfficientNet-Lite0."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, which torchvision's networks were trained with."""


class MobileNetV2Encoder(ImageEncoder):
    """Three parts, each of unit length: the grids of layers 13 (384) and 16 (1440), and the whole image (1280)."""

    architecture: ClassVar[str] = "mobilenet_v2.v1"
    dimensions: ClassVar[int] = 4 * 96 + 9 * 160 + 1280
    weights: ClassVar[Weights] = Weights(
        name="mobilenet_v2",
        files=("mobilenet_v2_features_torchvision.pth",),
        package="",
        folder="",
        sha256="9336472d2fb4760ad2fe1f9ad598782dfff79a13f6d6b92b0a8ddf7275a2406f",
        size=9_134_683,
        licence="MIT",
        plain=True,
    )
    tail: ClassVar[int] = 14

    def build(self) -> Module:
        import torch
        from torchvision.models.mobilenetv2 import MobileNetV2

        layers = MobileNetV2().features
        try:
            published = torch.load(self.located.main, map_location="cpu", weights_only=True)
            # torchvision's own file has a classifier, too, which is not needed.
            own = {name: tensor for name, tensor in published.items() if not name.startswith("classifier.")}
            layers.load_state_dict({name.removeprefix("features."): tensor for name, tensor in own.items()})
        except (ValueError, AttributeError, RuntimeError, OSError, UnpicklingError) as error:
            raise self.unloadable(error) from error
        layers = self.filled(layers.eval().requires_grad_(False).to(memory_format=torch.channels_last))
        return features_of(layers)


def features_of(layers: Any) -> Module:
    """From pixels (n, 224, 224, 3) to features (n, 3104)."""
    import torch

    mean, deviation = (torch.tensor(values).mul(255).view(3, 1, 1) for values in (MEAN, DEVIATION))
    return pooled(layers, [(layer,) for layer in layers], WINDOWS, lambda pixels: pixels.sub(mean).div(deviation))


class MobileNetV2Linear(LinearFamily):
    """The hyperparameters are those of EfficientNet-Lite0, whose features are of the same make."""

    name: ClassVar[str] = "image_classification/mobilenet_v2_linear.v1"
    task: ClassVar[TaskKind] = TaskKind.IMAGE_CLASSIFICATION
    licence: ClassVar[str] = MobileNetV2Encoder.weights.licence
    weights: ClassVar[tuple[Weights, ...]] = (MobileNetV2Encoder.weights,)
    encoder_kind: ClassVar[type[Encoder]] = MobileNetV2Encoder
    defaults: ClassVar[Hyperparameters] = Hyperparameters(strength=1.0, shrinkage=0.3, sharpness=4.0)
