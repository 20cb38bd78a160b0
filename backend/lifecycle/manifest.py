"""Snapshots in the shape of SageMaker Ground Truth's augmented manifest: a JSON object a line and task.

https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html. `source-ref` names media, `source` is text; each
control is an attribute, and `<control>-metadata` says who answered, when, and whether it was a person. Keys of ours
(`task`, `role`, `annotator`, `annotation`, `provenance`, `seconds`) stand beside those of the format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from backend.converters import CONVERTERS
from backend.converters.geometry import WHOLE, in_pixels
from backend.jobs.examples import TEACHES, answer_of
from backend.labelstudio.config import Control, LabellingConfig
from backend.store.records import Annotation, Record
from model_zoo.masks import part_of
from model_zoo.targets import all_of, objects_of, some_of
from model_zoo.types import (
    Box,
    Captions,
    Item,
    Keypoint,
    Labels,
    Mask,
    Objects,
    Pose,
    Poses,
    Remark,
    Remarks,
    Span,
    Target,
    TaskKind,
)

DEPTH = 3
"""Channels, which the format wants; pictures are read as RGB."""


def augmented_manifest(config: LabellingConfig, records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """A line for each record that answers a control, in order."""
    for record in records:
        attributes: dict[str, Any] = {}
        for control in config.controls:
            attributes |= _attributes(control, record)
        if attributes:
            yield {**_source(config, record), "task": record.task, "role": record.role.value, **attributes}


def _source(config: LabellingConfig, record: Record) -> dict[str, Any]:
    control = config.controls[0]
    value = record.data.get(control.data_key)
    return {"source-ref" if control.fetched else "source": value}


def _attributes(control: Control, record: Record) -> dict[str, Any]:
    """The control's attribute and metadata; none where nobody answered it."""
    target = answer_of(control, record)
    if target is None:
        return {}
    annotation = _behind(control, record, target)
    value, more = _written(control, target, record, annotation)
    metadata = {
        **more,
        "job-name": "prelabel",
        "human-annotated": "yes" if annotation.provenance.is_human else "no",
        "creation-date": annotation.updated_at or annotation.created_at,
        "annotation": annotation.id,
        "annotator": annotation.completed_by,
        "provenance": annotation.provenance.value,
        "seconds": annotation.lead_time,
    }
    return {control.name: value, f"{control.name}-metadata": metadata}


def _behind(control: Control, record: Record, target: Target) -> Annotation:
    """The latest annotation that gives this answer."""
    given = [
        item
        for provenance in TEACHES
        for item in sorted(record.submitted, key=lambda item: (item.updated_at, item.id))
        if item.provenance is provenance and CONVERTERS[control.tag].decode(control, item.result) == target
    ]
    return given[-1]


def _written(control: Control, target: Target, record: Record, annotation: Annotation) -> tuple[Any, dict[str, Any]]:
    """What is said, in the format's words, and what its metadata says of it."""
    kind = CONVERTERS[control.tag].kind(control)
    if isinstance(target, Captions):
        return list(target.texts), {"type": "prelabel/captions"}  # the format has none of its own
    if isinstance(target, frozenset):
        return _labels(control, target)
    if kind in (TaskKind.NAMED_ENTITIES, TaskKind.SPAN_CLASSIFICATION):
        return (_spans if kind is TaskKind.NAMED_ENTITIES else _said)(control, target, record)
    if kind is TaskKind.KEYPOINTS:
        return _poses(control, all_of(Pose, target), annotation)
    if kind is TaskKind.REGION_CLASSIFICATION:
        return _remarks(all_of(Remark, target), annotation)
    return _objects(control, objects_of(target), annotation)


def _remarks(target: Remarks, annotation: Annotation) -> tuple[Any, dict[str, Any]]:
    """What is said of each region, with its box; the format has none of its own."""
    width, height = _size(annotation.result)
    said = []
    for remark, place in zip(target, all_of(Box, tuple(remark.place for remark in target)), strict=True):
        left, top, right, bottom = (round(value) for value in in_pixels(place, width, height).corners)
        box = {"left": left, "top": top, "width": right - left, "height": bottom - top}
        said.append({**box, "labels": list(remark.labels)})
    return said, {"type": "prelabel/regions"}


def _said(control: Control, target: Target, record: Record) -> tuple[Any, dict[str, Any]]:
    """What is said of each span, with its place in characters of the text as models see it."""
    converter = CONVERTERS[control.tag]
    # In texts that have to be fetched, people's places are those already.
    placed = target if control.fetched else converter.target(target, Item(converter.input_of(control, record.data)))
    remarks = all_of(Remark, placed)
    spans = all_of(Span, tuple(remark.place for remark in remarks))
    said = [
        {"startOffset": span.start, "endOffset": span.end, "labels": list(remark.labels)}
        for remark, span in zip(remarks, spans, strict=True)
    ]
    return said, {"type": "prelabel/spans"}


def _labels(control: Control, target: Labels) -> tuple[Any, dict[str, Any]]:
    names = control.label_names
    held = sorted(names.index(name) for name in target)
    kind = "image-classification" if control.object_tag == "Image" else "text-classification"
    if control.multiple:
        classes = {str(index): names[index] for index in held}
        return held, {"class-map": classes, "type": f"groundtruth/{kind}-multilabel"}
    return held[0], {"class-name": names[held[0]], "type": f"groundtruth/{kind}"}


def _spans(control: Control, target: Target, record: Record) -> tuple[Any, dict[str, Any]]:
    """Places in characters of the text, or of the page's or the joined paragraphs' text, as models see them."""
    converter = CONVERTERS[control.tag]
    text = converter.input_of(control, record.data)
    placed = converter.target(target, Item(text))
    spans = some_of(Span, placed)
    entities = [
        {"startOffset": span.start, "endOffset": span.end, "label": span.label, "text": text[span.start : span.end]}
        for span in spans
    ]
    metadata = {"entities": [{"confidence": 1} for _ in entities], "type": "groundtruth/text-span"}
    labels = [{"label": name} for name in control.label_names]
    return {"annotations": {"entities": entities, "labels": labels}}, metadata


def _objects(control: Control, target: Objects, annotation: Annotation) -> tuple[Any, dict[str, Any]]:
    """Pixels where an annotation says how large the image is, which one without any region does not. Masks have their
    boxes, and keys of ours for the pixels in these: run lengths row by row, beginning with what is not the object."""
    width, height = _size(annotation.result)
    names = control.label_names
    drawn: list[dict[str, Any]] = []
    for piece in target:
        corners = piece.corners if isinstance(piece, Mask) else in_pixels(piece, width, height).corners
        left, top, right, bottom = (round(value) for value in corners)
        more = {"run_lengths": _runs(piece)} if isinstance(piece, Mask) else {}
        box = {"left": left, "top": top, "width": right - left, "height": bottom - top}
        drawn.append({"class_id": names.index(piece.label), **box, **more})
    size = [{"width": width, "height": height, "depth": DEPTH}] if target else []
    held = sorted({box["class_id"] for box in drawn})
    metadata = {
        "objects": [{"confidence": 1} for _ in drawn],
        "class-map": {str(index): names[index] for index in held},
        "type": "groundtruth/object-detection",
    }
    return {"image_size": size, "annotations": drawn}, metadata


def _runs(mask: Mask) -> list[int]:
    flat = np.concatenate([[False], part_of(mask).ravel()])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(run) for run in np.diff([0, *edges.tolist(), len(flat) - 1])]


def _poses(control: Control, target: Poses, annotation: Annotation) -> tuple[Any, dict[str, Any]]:
    """Objects as of boxes, each with its points; a box is there where people drew one."""
    width, height = _size(annotation.result)
    names, objects = control.label_names, control.parent.label_names if control.parent else ()
    drawn = []
    for pose in target:
        placed: dict[str, Any] = {"keypoints": [_point(names, point, width, height) for point in pose.points]}
        if pose.box is not None:
            left, top, right, bottom = (round(value) for value in in_pixels(pose.box, width, height).corners)
            placed |= {"left": left, "top": top, "width": right - left, "height": bottom - top}
            placed |= {"class_id": objects.index(pose.box.label)} if pose.box.label in objects else {}
        drawn.append(placed)
    metadata = {
        "objects": [{"confidence": 1} for _ in drawn],
        "keypoint-map": {str(index): name for index, name in enumerate(names)},
        "class-map": {str(index): name for index, name in enumerate(objects)},
        "type": "groundtruth/custom",
    }
    size = [{"width": width, "height": height, "depth": DEPTH}] if target else []
    return {"image_size": size, "annotations": drawn}, metadata


def _point(names: tuple[str, ...], point: Keypoint, width: int, height: int) -> dict[str, Any]:
    place = {"x": round(point.x * width / WHOLE, 2), "y": round(point.y * height / WHOLE, 2)}
    return {"keypoint_id": names.index(point.label), **place, "visible": point.visible}


def _size(regions: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    for region in regions:
        if region.get("original_width") and region.get("original_height"):
            return int(region["original_width"]), int(region["original_height"])
    return 0, 0
