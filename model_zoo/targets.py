"""What people say of an item, taken for what one kind of task wants."""

from __future__ import annotations

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
    if kind is TaskKind.OBJECT_DETECTION:
        return DetectionExample(item, all_of(Box, target))
    if kind is TaskKind.INSTANCE_SEGMENTATION:
        return InstanceExample(item, all_of(Mask, target))
    if kind is TaskKind.SEMANTIC_SEGMENTATION:
        return SegmentationExample(item, map_of(all_of(Mask, target), image_size(item.input)))
    if kind is TaskKind.KEYPOINTS:
        return PoseExample(item, all_of(Pose, target))
    if kind is TaskKind.NAMED_ENTITIES:
        return EntityExample(item, all_of(Span, target))
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
