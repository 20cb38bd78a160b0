"""Image classification from EfficientNet-Lite0 features."""

from __future__ import annotations

from typing import ClassVar

from model_zoo.base import Encoder
from model_zoo.image_classification.efficientnet_lite0 import EfficientNetLite0Encoder
from model_zoo.linear.family import LinearFamily
from model_zoo.linear.fit import Hyperparameters
from model_zoo.types import TaskKind
from model_zoo.weights import Weights


class EfficientNetLite0Linear(LinearFamily):
    """Chosen on half of the hand signs, on digits and on objects in photographs, at 5 and 20 examples a label:
    each value was best there or within 0.01 of it, and none mattered more than that between 1 and 10, 0.1 and 0.6."""

    name: ClassVar[str] = "image_classification/efficientnet_lite0_linear.v1"
    task: ClassVar[TaskKind] = TaskKind.IMAGE_CLASSIFICATION
    licence: ClassVar[str] = EfficientNetLite0Encoder.weights.licence
    weights: ClassVar[tuple[Weights, ...]] = (EfficientNetLite0Encoder.weights,)
    encoder_kind: ClassVar[type[Encoder]] = EfficientNetLite0Encoder
    defaults: ClassVar[Hyperparameters] = Hyperparameters(strength=1.0, shrinkage=0.3, sharpness=4.0)
