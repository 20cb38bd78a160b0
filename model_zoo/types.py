"""What families learn from and what they return, per kind of task.

Everything here is plain data: text, paths, arrays and frozen dataclasses. Nothing in this module
knows Label Studio, and importing it costs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
    """An image of which single regions are asked about: the boxes around them, in percent of its width and height."""

    regions: tuple[Box, ...] = ()


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
    """What is said of one region of an image: the box around it, in percent as of `RegionItem`, and the names that
    apply, sorted."""

    box: Box
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
"""What is said of an image's regions: of those that somebody was asked about."""

Target = Labels | Boxes | Masks | Poses | Spans | Captions | Remarks
"""The union of all that people say of an item; grows with the kinds of task."""


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
    """One image with what is said of its regions."""

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


@dataclass(frozen=True)
class ClassificationOutput:
    """Probabilities of shape (labels,) in the label space's order, raw: neither calibrated nor thresholded."""

    probabilities: FloatArray


@dataclass(frozen=True)
class DetectionOutput:
    """Candidates, raw: overlapping ones not suppressed, neither calibrated nor thresholded.

    `boxes` of shape (n, 4), left, top, right and bottom in pixels of the upright image, within it; `probabilities`
    of shape (n, labels), each label's by itself, in the label space's order; `width` and `height` of that image.
    """

    boxes: FloatArray
    probabilities: FloatArray
    width: int
    height: int


@dataclass(frozen=True)
class OrientedOutput(DetectionOutput):
    """Candidates that are turned: `points` of shape (n, 4, 2), x and y of their corners as of `OrientedBox`; `boxes`
    are the upright ones around them, within the image."""

    points: FloatArray


@dataclass(frozen=True)
class EntityOutput:
    """Candidates, raw: overlapping ones not suppressed, neither calibrated nor thresholded.

    `spans` of shape (n, 2), start and end (behind the last) in characters of `text`; `probabilities` of shape
    (n, labels), in the label space's order: that exactly this span has this label.
    """

    text: str
    spans: npt.NDArray[np.int64]
    probabilities: FloatArray


@dataclass(frozen=True)
class CaptionOutput:
    """Captions, the best first, none twice, with `scores` of shape (captions,) in [0, 1], raw: one family's say how
    good a caption is, in order, and nothing beside another family's."""

    captions: tuple[Caption, ...]
    scores: FloatArray


@dataclass(frozen=True)
class InstanceOutput(DetectionOutput):
    """Candidates with masks, raw like their boxes. A pixel is an object's where a weighted sum is above 0.

    `coefficients` of shape (n, k) weigh the k pictures of `basis` (k, rows, columns), half precision. `frame` says
    where in these pictures the image lies: its left, top, right and bottom edges in cells. Nothing outside of a
    candidate's box is part of it.
    """

    coefficients: FloatArray
    basis: npt.NDArray[np.float16]
    frame: tuple[float, float, float, float]


@dataclass(frozen=True)
class SegmentationOutput:
    """What each cell of an image is, raw. `probabilities` of shape (labels + 1, rows, columns), in the label space's
    order and at the end that of none, sum to 1 in each cell. `frame` says where in these cells the image lies: its
    left, top, right and bottom edges. `width` and `height` are those of the upright image in pixels.
    """

    probabilities: FloatArray
    frame: tuple[float, float, float, float]
    width: int
    height: int


@dataclass(frozen=True)
class PoseOutput:
    """Candidates as of `DetectionOutput`, n of them, with all k points of each, in the label space's order.

    `probabilities` of shape (n, objects), of one column where objects have no names; `points` of shape (n, k, 2), x and
    y in pixels of the upright image, which may lie outside of it; `located` (n, k), how probable it is that the
    point's place can be told, and `seen` (n, k), that nothing hides it; each by itself.
    """

    boxes: FloatArray
    probabilities: FloatArray
    points: FloatArray
    located: FloatArray
    seen: FloatArray
    width: int
    height: int


@dataclass(frozen=True)
class RegionOutput:
    """What holds of each of the regions asked about, `boxes` as of `RegionItem`; `probabilities` of shape (regions,
    labels), a row as of `ClassificationOutput`."""

    boxes: tuple[Box, ...]
    probabilities: FloatArray


Output = (
    ClassificationOutput
    | DetectionOutput
    | InstanceOutput
    | SegmentationOutput
    | PoseOutput
    | EntityOutput
    | CaptionOutput
    | RegionOutput
)
"""The union of all output types; grows with the kinds of task."""


def stack_features(items: Sequence[Item]) -> FloatArray:
    """Features of `items` as one array of shape (items, dimensions). Every item must carry them."""
    rows = [item.features for item in items if item.features is not None]
    if len(rows) != len(items):
        raise ValueError(f"{len(items) - len(rows)} of {len(items)} items carry no features; compute them first.")
    return np.stack(rows).astype(np.float32) if rows else np.empty((0, 0), np.float32)
