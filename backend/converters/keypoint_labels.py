"""`KeyPointLabels` on an image, with or without rectangles that hold the points and choices about each point.

Label Studio stores each point as a region of its own. A point says by `parentID` to which rectangle it belongs, and
what is chosen for it stands in another region of the same id. Coordinates are percentages as in `geometry`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from backend.converters.base import Region, Report, always_asked, log, region_id, text_of, title
from backend.converters.geometry import WHOLE, in_pixels, read_rectangle, write_rectangle
from backend.labelstudio.config import Control, shorten
from model_zoo.postprocess.base import Decision, PoseDecision
from model_zoo.targets import all_of
from model_zoo.types import Box, Item, Keypoint, LabelSpace, Pose, Poses, Target, TaskKind, Visibility

POINT_WIDTH = 0.75
"""Percent of the image's width: how large Label Studio draws a point. It says nothing about the object."""


class KeyPointLabelsConverter:
    """An object is a rectangle with the points that belong to it. Points that belong to none are one object, or as
    many as there are points of one label: each goes to the nearest object that still lacks its label."""

    tag: ClassVar[str] = "KeyPointLabels"
    may_be_empty: ClassVar[bool] = True

    def kind(self, control: Control) -> TaskKind | None:
        return TaskKind.KEYPOINTS if control.object_tag == "Image" else None

    def label_space(self, control: Control) -> LabelSpace:
        return LabelSpace(
            control.label_names,
            descriptions=tuple(label.descriptions for label in control.labels),
            objects=control.parent.label_names if control.parent else (),
        )

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        return text_of(control, data)

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> Poses | None:
        """Every object, those with a rectangle first, in the order of the regions. None drawn means that there are no
        objects; none usable of those drawn, that the annotation does not answer.

        Points that are said to be out of view are no points. Those outside of the image, of a label that the config no
        longer has, or of one that their object has already are left out and reported.
        """
        regions = [region for region in result if isinstance(region, Mapping) and control.owns(region.get("from_name"))]
        boxes = dict(_boxes(control, regions, report))
        held: dict[Any, list[Keypoint]] = {parent: [] for parent in boxes}
        free: list[Keypoint] = []
        for region, point in _points(control, regions, report):
            own = held.get(region.get("parentID"))
            if own is None:
                free.append(point)
            elif any(other.label == point.label for other in own):
                report(f'{title(control)} got two points "{shorten(point.label)}" of one object; one is left out.')
            else:
                own.append(point)
        poses = tuple(Pose(tuple(held[parent]), box) for parent, box in boxes.items())
        poses += tuple(Pose(tuple(points)) for points in _grouped(free))
        return poses if poses or (not regions and always_asked(control)) else None

    def target(self, decoded: Target, item: Item) -> Poses:
        """The decoded objects in pixels of the item's image. Raises the zoo's `UnreadableInput`."""
        from model_zoo.images import image_size

        width, height = image_size(item.input)
        return tuple(_in_pixels(pose, width, height) for pose in all_of(Pose, decoded))

    def encode(self, control: Control, decision: Decision, *, key: str) -> list[Region]:
        """The regions of each object: its rectangle where the config has one, scored by the object's confidence; its
        points, each scored by its own; and for each point whether it is seen, where the config asks for it."""
        if not isinstance(decision, PoseDecision):
            raise TypeError(f"Got a {type(decision).__name__}, wanted a PoseDecision to place points from.")
        regions: list[Region] = []
        for index, (pose, score) in enumerate(zip(decision.poses, decision.scores, strict=True)):
            drawn = _Drawn(control, decision.width, decision.height, key, index)
            regions += drawn.rectangle(pose.box, score)
            for point, confidence in zip(pose.points, decision.point_scores[index], strict=True):
                regions += drawn.point(point, confidence)
        return regions


class _Drawn:
    """The regions of one predicted object."""

    def __init__(self, control: Control, width: int, height: int, key: str, index: int) -> None:
        self._control = control
        self._size = width, height
        self._key = key
        self._index = index
        self._parent: str | None = None

    def rectangle(self, box: Box | None, score: float) -> Iterator[Region]:
        parent = self._control.parent
        if parent is None or box is None:
            return
        name = parent.label_of(box.label)
        if name is None and parent.labels:
            return
        self._parent = region_id(self._key, parent.name, self._index)
        common = self._common(self._parent, score)
        value: dict[str, Any] = write_rectangle(box, *self._size)
        if parent.tag == "RectangleLabels":
            value = {**value, "rectanglelabels": [name]}
            yield {**common, "from_name": parent.name, "type": "rectanglelabels", "value": value}
            return
        yield {**common, "from_name": parent.name, "type": "rectangle", "value": value}
        if name is not None:
            yield {**common, "from_name": parent.labels_name, "type": "labels", "value": {**value, "labels": [name]}}

    def point(self, point: Keypoint, score: float) -> Iterator[Region]:
        control = self._control
        name = control.label_of(point.label)
        if name is None:
            return
        width, height = self._size
        place = {"x": point.x / width * WHOLE, "y": point.y / height * WHOLE, "width": POINT_WIDTH}
        # The label is part of the id, for a point keeps it whichever others are found beside it.
        common = self._common(region_id(self._key, f"{control.name}\0{name}", self._index), score)
        if self._parent is not None:
            common["parentID"] = self._parent
        value: dict[str, Any] = {**place, "keypointlabels": [name]}
        yield {**common, "from_name": control.name, "type": "keypointlabels", "value": value}
        choice = _choice(control, point.visible)
        if control.visibility is not None and choice is not None:
            value = {**place, "choices": [choice]}
            yield {**common, "from_name": control.visibility.name, "type": "choices", "value": value}

    def _common(self, identifier: str, score: float) -> Region:
        width, height = self._size
        return {
            "id": identifier,
            "to_name": self._control.to_name,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "score": min(max(float(score), 0.0), 1.0),
        }


def _choice(control: Control, visible: bool) -> str | None:
    """What the config calls a point that is seen, or one that is hidden; None where it has no name for it."""
    wanted = Visibility.VISIBLE if visible else Visibility.OCCLUDED
    labels = control.visibility.labels if control.visibility else ()
    return next((label.name for label in labels if label.visibility is wanted), None)


def _boxes(control: Control, regions: Sequence[Mapping[str, Any]], report: Report) -> Iterator[tuple[Any, Box]]:
    """Ids of the rectangles with their boxes."""
    parent = control.parent
    if parent is None:
        return
    named = {
        region.get("id"): _first(region, "labels")
        for region in regions
        if parent.labels_name is not None and region.get("from_name") == parent.labels_name
    }
    for region in regions:
        if region.get("from_name") != parent.name:
            continue
        apart = parent.tag != "RectangleLabels"
        name = named.get(region.get("id")) if apart else _first(region, "rectanglelabels")
        if parent.labels and not (isinstance(name, str) and parent.has_label(name)):
            said = f'no longer has the label "{shorten(str(name))}"' if name else "got a region without a label"
            report(f"{title(parent)} {said}; it is left out.")
            continue
        box = read_rectangle(region, str(name) if parent.labels else "")
        if box is None:
            report(f"{title(parent)} got a region that is no rectangle within the image; it is left out.")
        else:
            yield region.get("id"), box


def _points(
    control: Control, regions: Sequence[Mapping[str, Any]], report: Report
) -> Iterator[tuple[Mapping[str, Any], Keypoint]]:
    """The regions of points, each with what it says."""
    known = dict(_visibilities(control, regions))
    for region in regions:
        if region.get("from_name") != control.name:
            continue
        name, place = _first(region, "keypointlabels"), _place(region)
        if not isinstance(name, str) or not control.has_label(name):
            said = f'no longer has the label "{shorten(str(name))}"' if name else "got a point without a label"
            report(f"{title(control)} {said}; it is left out.")
        elif place is None:
            report(f"{title(control)} got a point that is not within the image; it is left out.")
        else:
            state = known.get(region.get("id"), Visibility.VISIBLE)
            if state is not Visibility.OUT_OF_VIEW:
                yield region, Keypoint(name, *place, visible=state is Visibility.VISIBLE)


def _visibilities(control: Control, regions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, Visibility]]:
    """What was chosen for each point, by its id. Choices that mean nothing known leave the point visible."""
    if control.visibility is None:
        return
    meant = {label.name: label.visibility for label in control.visibility.labels}
    for region in regions:
        state = meant.get(_first(region, "choices"))
        if region.get("from_name") == control.visibility.name and state is not None:
            yield region.get("id"), state


def _first(region: Mapping[str, Any], key: str) -> Any:
    """The first name under `key` of a region's value; None where there is none."""
    value = region.get("value")
    names = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(names, str):
        return names
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None


def _place(region: Mapping[str, Any]) -> tuple[float, float] | None:
    """A point's place; None where it is no pair of numbers or outside of the image."""
    value = region.get("value")
    numbers = [value.get(axis) for axis in ("x", "y")] if isinstance(value, Mapping) else []
    place = [
        float(number)
        for number in numbers
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
    ]
    if len(place) != 2 or not all(0 <= number <= WHOLE for number in place):
        return None
    return place[0], place[1]


def _grouped(points: Sequence[Keypoint]) -> list[list[Keypoint]]:
    """Points that belong to no rectangle, by objects."""
    groups: list[list[Keypoint]] = []
    for point in points:
        lacking = [group for group in groups if all(other.label != point.label for other in group)]
        if lacking:
            min(lacking, key=lambda group: _distance(group, point)).append(point)
        else:
            groups.append([point])
    return groups


def _distance(group: Sequence[Keypoint], point: Keypoint) -> float:
    return min(math.hypot(other.x - point.x, other.y - point.y) for other in group)


def _in_pixels(pose: Pose, width: int, height: int) -> Pose:
    points = tuple(replace(one, x=one.x * width / WHOLE, y=one.y * height / WHOLE) for one in pose.points)
    return Pose(points, in_pixels(pose.box, width, height) if pose.box else None)
