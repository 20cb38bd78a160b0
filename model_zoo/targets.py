"""What people say of an item, taken for what one kind of task wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

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
    Pose,
    PoseExample,
    SegmentationExample,
    Span,
    Target,
    TaskKind,
)


def example(kind: TaskKind, item: Item, target: Target) -> Example:
    """An item with what is true of it, as families of this kind learn from it. Raises `TypeError`."""
    if kind in _OF_REGIONS:
        return _OF_REGIONS[kind](item, target)
    if kind is TaskKind.CAPTIONS and isinstance(target, Captions):
        return CaptionExample(item, target)
    if isinstance(target, frozenset):
        return ClassificationExample(item, target)
    raise TypeError(f"Got {spoken(target)}, wanted something else to learn {kind.value} from.")


Region = TypeVar("Region", Box, Mask, Pose, Span)
"""A part of an item that is labelled."""


def all_of(wanted: type[Region], target: Target) -> tuple[Region, ...]:
    """The target's regions. Raises `TypeError` unless every one is of the wanted type."""
    found = some_of(wanted, target)
    if not isinstance(target, tuple) or len(found) < len(target):
        raise TypeError(f"Got {spoken(target)}, wanted a tuple of {wanted.__name__}.")
    return found


_OF_REGIONS: Mapping[TaskKind, Callable[[Item, Target], Example]] = {
    TaskKind.OBJECT_DETECTION: lambda item, target: DetectionExample(item, all_of(Box, target)),
    TaskKind.INSTANCE_SEGMENTATION: lambda item, target: InstanceExample(item, all_of(Mask, target)),
    TaskKind.KEYPOINTS: lambda item, target: PoseExample(item, all_of(Pose, target)),
    TaskKind.NAMED_ENTITIES: lambda item, target: EntityExample(item, all_of(Span, target)),
    TaskKind.SEMANTIC_SEGMENTATION: lambda item, target: SegmentationExample(
        item, map_of(all_of(Mask, target), image_size(item.input))
    ),
}
"""Examples of the kinds whose items are labelled region by region."""


def some_of(wanted: type[Region], target: Target) -> tuple[Region, ...]:
    """Those regions of the target that are of the wanted type; none of a target without regions."""
    return tuple(one for one in target if isinstance(one, wanted)) if isinstance(target, tuple) else ()


def objects_of(target: Target) -> Objects:
    """The target's objects on an image. Raises `TypeError` for a target of anything else."""
    found: Objects = (*some_of(Box, target), *some_of(Mask, target))
    if not isinstance(target, tuple) or len(found) < len(target):
        raise TypeError(f"Got {spoken(target)}, wanted boxes or masks.")
    return found


def spoken(target: Target) -> str:
    """What a target holds, in a few words."""
    if isinstance(target, frozenset):
        return f"the labels {sorted(target)}"
    if isinstance(target, Captions):
        return f"{len(target.texts)} captions"
    return f"{len(target)} regions ({', '.join(sorted({type(one).__name__ for one in target})) or 'none'})"
