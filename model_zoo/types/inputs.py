"""What models are asked about, and the labels that they answer with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_zoo.types.targets import Places

FloatArray = npt.NDArray[np.float32]

ImageSource = Path | npt.NDArray[np.uint8]
"""An image file, or decoded RGB pixels of shape (height, width, 3)."""

Input = str | ImageSource
"""What one item is made of: a text, or an image."""


class TaskKind(str, Enum):
    """The kinds of task that families solve; the first part of every family's name."""

    CAPTIONS = "captions"
    IMAGE_CLASSIFICATION = "image_classification"
    REGION_CLASSIFICATION = "region_classification"
    INSTANCE_SEGMENTATION = "instance_segmentation"
    OBJECT_DETECTION = "object_detection"
    KEYPOINTS = "keypoints"
    TEXT_CLASSIFICATION = "text_classification"
    NAMED_ENTITIES = "named_entities"
    SEMANTIC_SEGMENTATION = "semantic_segmentation"
    SPAN_CLASSIFICATION = "span_classification"


@dataclass(frozen=True)
class LabelSpace:
    """The labels of one control, in the order in which a model's outputs index them.

    `multiple` says whether several labels may hold at once (independent sigmoids) or exactly one
    does (a softmax). `descriptions` are what each label is called in words, its aliases and hints
    included, for models that work before any label exists; one tuple per label. `ordered` says that the labels are
    steps of a scale, from its lowest to its highest. Where the labels are those of points, `objects` are those of the
    boxes that hold them, if these have any.
    """

    names: tuple[str, ...]
    multiple: bool = False
    descriptions: tuple[tuple[str, ...], ...] = ()
    ordered: bool = False
    objects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"Label names must differ from each other, got {self.names!r}.")
        if self.descriptions and len(self.descriptions) != len(self.names):
            raise ValueError(
                f"Got {len(self.descriptions)} descriptions for {len(self.names)} labels; give one tuple per label."
            )

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Item:
    """One thing to predict: its input, and its features where they were computed before.

    A family that works on frozen features never opens the input of an item that carries them;
    such an item may come without one. `others` are features of networks that models have trained for themselves, by
    the names of these: they are never taken for those of the family's own encoder.
    """

    input: Input | None = None
    features: FloatArray | None = None
    others: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class RegionItem(Item):
    """An image or a text of which single regions are asked about, by where they are."""

    regions: Places = ()


def stack_features(items: Sequence[Item]) -> FloatArray:
    """Features of `items` as one array of shape (items, dimensions). Every item must carry them."""
    rows = [item.features for item in items if item.features is not None]
    if len(rows) != len(items):
        raise ValueError(f"{len(items) - len(rows)} of {len(items)} items carry no features; compute them first.")
    return np.stack(rows).astype(np.float32) if rows else np.empty((0, 0), np.float32)
