"""What every kind of postprocessing does: fitted to outputs whose truth is known, kept as JSON in the version."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_zoo.types import (
    Boxes,
    Caption,
    Captions,
    FloatArray,
    Labels,
    LabelSpace,
    Masks,
    Output,
    Poses,
    Remarks,
    Spans,
    Target,
)

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class ClassificationDecision:
    """What is shown of one output: `labels` with their confidence, the most confident first; `confidence` of all
    labels in the space's order, calibrated; `uncertainty` in [0, 1], 1 where the model has no idea."""

    labels: tuple[tuple[str, float], ...]
    confidence: FloatArray
    uncertainty: float

    @property
    def target(self) -> Labels:
        """What is claimed, as if a person had said it."""
        return frozenset(name for name, _ in self.labels)


@dataclass(frozen=True)
class DetectionDecision:
    """What is shown of one image: `boxes` and the confidence of each, the most confident first, in pixels of an
    upright image of `width` and `height`; `confidence` of shape (labels,), the highest that each label has in the
    image, shown or not; `uncertainty` as of classifications."""

    boxes: Boxes
    scores: tuple[float, ...]
    confidence: FloatArray
    uncertainty: float
    width: int
    height: int

    @property
    def target(self) -> Boxes:
        """What is claimed, as if a person had drawn it."""
        return self.boxes


@dataclass(frozen=True)
class EntityDecision:
    """What is shown of one text: disjoint `spans` in characters of `text`, in its order, and the confidence of each;
    `confidence` of shape (labels,), the highest that each label has in the text, shown or not; `uncertainty` as of
    classifications."""

    text: str
    spans: Spans
    scores: tuple[float, ...]
    confidence: FloatArray
    uncertainty: float

    @property
    def target(self) -> Spans:
        """What is claimed, as if a person had marked it."""
        return self.spans


@dataclass(frozen=True)
class CaptionDecision:
    """What is shown of one image: `captions` with the F1 of words that each may be expected to share with people's,
    the best first; `confidence` of shape (1,), that of the best, shown or not; `uncertainty` as of classifications."""

    captions: tuple[tuple[Caption, float], ...]
    confidence: FloatArray
    uncertainty: float

    @property
    def target(self) -> Captions:
        """What is claimed, as if a person had written it."""
        return Captions(tuple(text for text, _ in self.captions))


@dataclass(frozen=True)
class InstanceDecision:
    """What is shown of one image: as of detections, with masks of the upright image's size for boxes."""

    masks: Masks
    scores: tuple[float, ...]
    confidence: FloatArray
    uncertainty: float
    width: int
    height: int

    @property
    def target(self) -> Masks:
        """What is claimed, as if a person had drawn it."""
        return self.masks


@dataclass(frozen=True)
class SegmentationDecision(InstanceDecision):
    """What is shown of one image: at most one mask a label, none overlapping another, and how sure each is."""


@dataclass(frozen=True)
class PoseDecision:
    """What is shown of one image: `poses`, each with its points that are located within the image, the most confident
    first; `scores`, how sure each object is, and `point_scores`, how sure each of its points; `confidence` of shape
    (labels,), the highest that each label's point has in the image; the rest as of detections."""

    poses: Poses
    scores: tuple[float, ...]
    point_scores: tuple[tuple[float, ...], ...]
    confidence: FloatArray
    uncertainty: float
    width: int
    height: int

    @property
    def target(self) -> Poses:
        """What is claimed, as if a person had placed it."""
        return self.poses


@dataclass(frozen=True)
class RegionDecision:
    """What is said of each region asked about, in their order; `scores` is the confidence of the least certain label of
    each; `confidence` of shape (labels,), the highest that each label has in the item; `uncertainty` that of the least
    certain region, 0 where there is none."""

    remarks: Remarks
    scores: tuple[float, ...]
    confidence: FloatArray
    uncertainty: float

    @property
    def target(self) -> Remarks:
        """What is claimed, as if a person had said it."""
        return self.remarks


Decision = (
    ClassificationDecision
    | DetectionDecision
    | InstanceDecision
    | PoseDecision
    | EntityDecision
    | CaptionDecision
    | RegionDecision
)
"""The union of all decisions; grows with the kinds of task. All have `confidence`, `uncertainty` and `target`."""


class Postprocess(ABC):
    """From a family's raw output to what people see. Immutable."""

    @classmethod
    @abstractmethod
    def uncalibrated(cls, labels: LabelSpace, threshold: float | None = None) -> Self:
        """For a model that nothing is known of."""

    @classmethod
    @abstractmethod
    def fit(cls, outputs: Sequence[Output | None], truths: Sequence[Target], labels: LabelSpace) -> Self:
        """Fit to outputs made without having seen their truths: those of a holdout, or out-of-fold ones.

        Outputs that are None, and truths outside the label space, are left out.
        """

    @abstractmethod
    def decide(self, output: Output, labels: LabelSpace, minimum: float | None = None) -> Decision:
        """`minimum` replaces the fitted thresholds: a person who sets one wants that one."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back without loss."""

    @classmethod
    @abstractmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Raises `CheckpointError` when the object is not what `to_json` gives."""
