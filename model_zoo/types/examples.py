"""What families learn from: items with what is true of them, per kind of task."""

from __future__ import annotations

from dataclasses import dataclass

from model_zoo.types.inputs import Item
from model_zoo.types.targets import Boxes, Captions, Labels, Masks, Poses, Remarks, SegmentationMap, Spans


@dataclass(frozen=True)
class ClassificationExample:
    """One labelled item. `labels` holds the names that apply: exactly one unless the space is multiple."""

    item: Item
    labels: Labels


@dataclass(frozen=True)
class DetectionExample:
    """One labelled image: all its objects. An image without any says what is no object."""

    item: Item
    boxes: Boxes


@dataclass(frozen=True)
class EntityExample:
    """One labelled text: all its spans. A text without any says what is none."""

    item: Item
    spans: Spans


@dataclass(frozen=True)
class CaptionExample:
    """One image with what people say of it: at least one caption."""

    item: Item
    captions: Captions


@dataclass(frozen=True)
class InstanceExample:
    """One labelled image: the pixels of all its objects, masks being as large as the upright image."""

    item: Item
    masks: Masks


@dataclass(frozen=True)
class SegmentationExample:
    """One labelled image: what each of its pixels is, the map being as large as the upright image."""

    item: Item
    map: SegmentationMap


@dataclass(frozen=True)
class PoseExample:
    """One labelled image: all its objects with their points."""

    item: Item
    poses: Poses


@dataclass(frozen=True)
class RemarkExample:
    """One image, or one text, with what is said of its regions."""

    item: Item
    remarks: Remarks


Example = (
    ClassificationExample
    | DetectionExample
    | InstanceExample
    | SegmentationExample
    | PoseExample
    | EntityExample
    | CaptionExample
    | RemarkExample
)
"""The union of all example types; grows with the kinds of task."""
