"""What people say of an item, taken for what one kind of task wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from model_zoo.images import image_size
from model_zoo.masks import map_of
from model_zoo.types import (
    Box,
    CaptionExample,
    Captions,
    ClassificationExample,
    DetectionExample,
    EntityExample,
    Example,
    InstanceExample,
    Item,
    Mask,
    Objects,
    Places,
    Pose,
    PoseExample,
    RegionItem,
    Remark,
    RemarkExample,
    SegmentationExample,
    Span,
    Target,
    TaskKind,
)


def example(kind: TaskKind, item: Item, target: Target) -> Example:
    """An item with what is true of it, as families of this kind learn from it. Raises `TypeError`."""
    if kind in _OF_REGIONS:
        wanted, make = _OF_REGIONS[kind]
        return make(item, all_of(wanted, target))
    if kind is TaskKind.CAPTIONS and isinstance(target, Captions):
        return CaptionExample(item, target)
    if isinstance(target, frozenset):
        return ClassificationExample(item, target)
    raise TypeError(f"Got {spoken(target)}, wanted something else to learn {kind.value} from.")


def asking(item: Item, target: Target) -> Item:
    """The item as it is asked about: with the regions that the target speaks of, where it speaks of such alone."""
    remarks = some_of(Remark, target)
    places = tuple(remark.place for remark in remarks)
    return RegionItem(item.input, item.features, item.others, places) if remarks else item


Region = TypeVar("Region", Box, Mask, Pose, Remark, Span)
"""A part of an item that is labelled."""


def _of_map(item: Item, masks: tuple[Mask, ...]) -> SegmentationExample:
    return SegmentationExample(item, map_of(masks, image_size(item.input)))


_OF_REGIONS: Mapping[TaskKind, tuple[Any, Callable[[Item, Any], Example]]] = {
    TaskKind.OBJECT_DETECTION: (Box, DetectionExample),
    TaskKind.INSTANCE_SEGMENTATION: (Mask, InstanceExample),
    TaskKind.KEYPOINTS: (Pose, PoseExample),
    TaskKind.NAMED_ENTITIES: (Span, EntityExample),
    TaskKind.REGION_CLASSIFICATION: (Remark, RemarkExample),
    TaskKind.SEMANTIC_SEGMENTATION: (Mask, _of_map),
    TaskKind.SPAN_CLASSIFICATION: (Remark, RemarkExample),
}
"""Kinds of task whose targets are regions: of which type, and the example with them."""


def all_of(wanted: type[Region], target: Target | Places) -> tuple[Region, ...]:
    """The target's regions. Raises `TypeError` unless every one is of the wanted type."""
    found = some_of(wanted, target)
    if not isinstance(target, tuple) or len(found) < len(target):
        raise TypeError(f"Got {spoken(target)}, wanted a tuple of {wanted.__name__}.")
    return found


def some_of(wanted: type[Region], target: Target | Places) -> tuple[Region, ...]:
    """Those regions of the target that are of the wanted type; none of a target without regions."""
    return tuple(one for one in target if isinstance(one, wanted)) if isinstance(target, tuple) else ()


def objects_of(target: Target) -> Objects:
    """The target's objects on an image. Raises `TypeError` for a target of anything else."""
    found: Objects = (*some_of(Box, target), *some_of(Mask, target))
    if not isinstance(target, tuple) or len(found) < len(target):
        raise TypeError(f"Got {spoken(target)}, wanted boxes or masks.")
    return found


def spoken(target: Target | Places) -> str:
    """What a target holds, in a few words."""
    if isinstance(target, frozenset):
        return f"the labels {sorted(target)}"
    if isinstance(target, Captions):
        return f"{len(target.texts)} captions"
    return f"{len(target)} regions ({', '.join(sorted({type(one).__name__ for one in target})) or 'none'})"
