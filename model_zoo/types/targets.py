"""What people say of an item, per kind of task."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Box:
    """A rectangle with a label: pixels of the upright image, from its top left corner, edges of pixels being whole
    numbers. `left < right` and `top < bottom`."""

    left: float
    top: float
    right: float
    bottom: float
    label: str

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return (self.left, self.top, self.right, self.bottom)


Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""x and y of the corners of a rectangle, clockwise, from the one that was its top left before it was turned."""


@dataclass(frozen=True)
class OrientedBox(Box):
    """A rectangle that is turned, by its corners in pixels. As a `Box` it is the upright one around it, as far as that
    is within the image, so that whoever knows nothing of turns works with that."""

    points: Corners


@dataclass(frozen=True)
class Span:
    """The characters `text[start:end]` with a label; characters are Python's, code points. `start < end`."""

    start: int
    end: int
    label: str


Place = Box | Span
"""Where a region is, whatever it is called: the box around it in percent of the image's width and height, or its
characters of the text. The label is empty."""

Places = tuple[Place, ...]
"""Of one item: all boxes, or all spans."""


@dataclass(frozen=True)
class Mask:
    """The pixels of one object, with a label; at least one, of an upright image of `width` x `height` pixels.

    Kept small: `bits` are those of the part of the image that begins `left` and `top` pixels inside and is `columns` x
    `rows` large, row by row, eight to a byte as NumPy packs them. `masks.mask_of` makes it the smallest part, so that
    equal masks are equal; `masks.pixels` gives them back.
    """

    label: str
    width: int
    height: int
    left: int
    top: int
    columns: int
    rows: int
    bits: bytes

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the box around it in pixels."""
        return (float(self.left), float(self.top), float(self.left + self.columns), float(self.top + self.rows))


class Visibility(str, Enum):
    """What is known of a point of an object: seen, hidden by something while its place is known, or nowhere."""

    VISIBLE = "visible"
    OCCLUDED = "occluded"
    OUT_OF_VIEW = "out_of_view"


@dataclass(frozen=True)
class Keypoint:
    """A labelled point in pixels as of `Box`. `visible` is False where something hides it; a point out of view is
    none."""

    label: str
    x: float
    y: float
    visible: bool = True


@dataclass(frozen=True)
class Pose:
    """An object by its points, each label at most once, and by the box that people drew around it; None where they
    drew none. The label of a box that nobody named is empty."""

    points: tuple[Keypoint, ...]
    box: Box | None = None


@dataclass(frozen=True)
class Remark:
    """What is said of one region of an image or a text: where that is, and the names that apply, sorted."""

    place: Place
    labels: tuple[str, ...]


Labels = frozenset[str]
"""What is true of a classified item: the names that apply."""

Boxes = tuple[Box, ...]
"""What is true of an image for detection: every object, none left out."""

Spans = tuple[Span, ...]
"""What is true of a text for named entities: every span, none left out."""

Caption = str
"""A sentence about an image."""


@dataclass(frozen=True)
class Captions:
    """What is said of an image: one caption or several, in the order in which they were written."""

    texts: tuple[Caption, ...]


Masks = tuple[Mask, ...]
"""What is true of an image for instance segmentation: every object, none left out. They may overlap."""


@dataclass(frozen=True)
class SegmentationMap:
    """What is true of each pixel of an upright image of `width` x `height` pixels: the label whose mask it is part of;
    nobody's, where it is part of none.

    Kept as at most one mask a label, none overlapping another: `masks.map_of` makes one of any masks, and
    `masks.picture` gives it as an array.
    """

    masks: Masks
    width: int
    height: int


Objects = tuple[Box | Mask, ...]
"""Boxes or masks, where either will do."""

Poses = tuple[Pose, ...]
"""What is true of an image for keypoints: every object, none left out."""

Remarks = tuple[Remark, ...]
"""What is said of an item's regions: of those that somebody was asked about."""

Target = Labels | Boxes | Masks | Poses | Spans | Captions | Remarks
"""The union of all that people say of an item; grows with the kinds of task."""
