"""The simulated annotator: sees what is shown, corrects it until it says what is true, and counts what that took.

Regions are matched as the ledger matches them (`evaluation`): one that overlaps a true one of the same label by half or
more is left as it is drawn, imprecise as it may be, just as people do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.converters import CONVERTERS, Region
from backend.converters.geometry import WHOLE
from backend.evaluation.captions import same_captions
from backend.evaluation.detection import RIGHT, compare, shares
from backend.evaluation.entities import compare_spans
from backend.evaluation.keypoints import ComparedPoses, compare_poses
from backend.labelstudio.config import Control
from backend.simulation.costs import Costs
from model_zoo.postprocess.base import PoseDecision
from model_zoo.targets import all_of
from model_zoo.types import Box, Captions, Labels, Mask, Pose, Poses, Span, TaskKind

Piece = Box | Mask


@dataclass(frozen=True)
class Work:
    """Actions counted. `labels` are the labels or regions that there are in the end; `accept` of them were right as
    they were shown, and took a look alone."""

    accept: int = 0
    move: int = 0
    relabel: int = 0
    add: int = 0
    delete: int = 0
    labels: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(**{name: count + getattr(other, name) for name, count in asdict(self).items()})

    @property
    def actions(self) -> int:
        """What had to be done; looking at what is right is none."""
        return self.move + self.relabel + self.add + self.delete

    @property
    def efficiency(self) -> float:
        """The share of final labels or regions that needed no action; 1 where there are none."""
        return self.accept / self.labels if self.labels else 1.0

    def seconds(self, costs: Costs) -> float:
        return float(sum(seconds * getattr(self, name) for name, seconds in costs.to_json().items()))


@dataclass(frozen=True)
class Submitted:
    """An annotation's regions, and the work that it took."""

    result: list[Region]
    work: Work


def annotate(control: Control, shown: Sequence[Region], truth: Sequence[Region]) -> Submitted:
    """What the annotator submits who was `shown` a prediction's regions and knows the `truth`."""
    answer = CONVERTERS[control.tag].decode(control, truth)
    if isinstance(answer, frozenset):
        return _choose(control, shown, truth, answer)
    if isinstance(answer, Captions):
        return _write(control, shown, truth, answer)
    kind = CONVERTERS[control.tag].kind(control)
    if kind is TaskKind.NAMED_ENTITIES:
        return _mark(control, shown, truth)
    if kind is TaskKind.KEYPOINTS:
        return _place(control, shown, truth)
    return _draw(control, shown, truth)


def alone(control: Control, truth: Sequence[Region]) -> Work:
    """What the same answer takes when nothing is shown."""
    return annotate(control, (), truth).work


def _choose(control: Control, shown: Sequence[Region], truth: Sequence[Region], answer: Labels) -> Submitted:
    predicted = CONVERTERS[control.tag].decode(control, shown) if shown else None
    before = predicted if isinstance(predicted, frozenset) else frozenset()
    extra, missing = len(before - answer), len(answer - before)
    changed = min(extra, missing)
    work = Work(
        accept=len(before & answer),
        relabel=changed,
        add=missing - changed,
        delete=extra - changed,
        labels=len(answer),
    )
    return Submitted(list(truth if extra or missing else shown), work)


def _write(control: Control, shown: Sequence[Region], truth: Sequence[Region], answer: Captions) -> Submitted:
    """Captions that people would not have written are written anew in their place; the rest stay."""
    predicted = CONVERTERS[control.tag].decode(control, shown) if shown else None
    before = predicted if isinstance(predicted, Captions) else Captions(())
    right = same_captions(before, answer)
    extra, missing = len(before.texts) - right, len(answer.texts) - right
    changed = min(extra, missing)
    work = Work(right, relabel=changed, add=missing - changed, delete=extra - changed, labels=len(answer.texts))
    return Submitted(list(truth if extra or missing else shown), work)


def _draw(control: Control, shown: Sequence[Region], truth: Sequence[Region]) -> Submitted:
    before, after = _drawn(control, shown), _drawn(control, truth)
    found: Any = tuple(piece for _, piece in before)
    true: Any = tuple(piece for _, piece in after)
    compared = compare(found, true)
    result = [dict(before[index][0]) for index, _ in compared.kept]
    moved = renamed = 0
    for index, aim in compared.changed:
        moves = _overlap(found[index], true[aim]) < RIGHT
        renames = found[index].label != true[aim].label
        moved, renamed = moved + moves, renamed + renames
        region, truly = before[index][0], after[aim][0]
        result.append(_corrected(region, truly if moves else region, truly))
    result += [dict(after[index][0]) for index in compared.added]
    work = Work(len(compared.kept), moved, renamed, len(compared.added), len(compared.deleted), len(true))
    return Submitted(result, work)


def _mark(control: Control, shown: Sequence[Region], truth: Sequence[Region]) -> Submitted:
    before, after = _marked(control, shown), _marked(control, truth)
    found, true = tuple(span for _, span in before), tuple(span for _, span in after)
    compared = compare_spans(found, true)
    result = [dict(before[index][0]) for index, _ in compared.kept]
    moved = renamed = 0
    for index, aim in compared.changed:
        moved += (found[index].start, found[index].end) != (true[aim].start, true[aim].end)
        renamed += found[index].label != true[aim].label
        result.append(_corrected(before[index][0], after[aim][0], after[aim][0]))
    result += [dict(after[index][0]) for index in compared.added]
    work = Work(len(compared.kept), moved, renamed, len(compared.added), len(compared.deleted), len(true))
    return Submitted(result, work)


def _marked(control: Control, regions: Sequence[Region]) -> list[tuple[Region, Span]]:
    """Regions with their spans, as they are decoded; those that are none are left out."""
    found: list[tuple[Region, Span]] = []
    for region in regions:
        decoded: Any = CONVERTERS[control.tag].decode(control, [region])
        found += [(region, span) for span in decoded or ()]
    return found


def _place(control: Control, shown: Sequence[Region], truth: Sequence[Region]) -> Submitted:
    converter = CONVERTERS[control.tag]
    before = all_of(Pose, converter.decode(control, shown) or ())
    after = all_of(Pose, converter.decode(control, truth) or ())
    compared = compare_poses(before, after)
    seen = [
        (before[a].points[at], after[b].points[to])
        for (a, at), (b, to) in compared.changed
        if at is not None and to is not None
    ]
    relabel = sum(one.visible != other.visible for one, other in seen)
    work = Work(
        accept=len(compared.kept),
        move=len(compared.changed) - relabel,
        relabel=relabel,
        add=len(compared.added),
        delete=len(compared.deleted),
        labels=len(compared.kept) + len(compared.changed) + len(compared.added),
    )
    if not compared.edits:
        return Submitted(list(shown), work)
    return Submitted(_replaced(control, before, after, compared, truth), work)


def _replaced(
    control: Control, before: Poses, after: Poses, compared: ComparedPoses, truth: Sequence[Region]
) -> list[Region]:
    """The regions of what is true, with what was right as it was shown."""
    kept = {there: here for here, there in compared.kept}
    poses = []
    for number, pose in enumerate(after):
        points = tuple(
            before[kept[number, at][0]].points[kept[number, at][1] or 0] if (number, at) in kept else point
            for at, point in enumerate(pose.points)
        )
        poses.append(Pose(points, before[kept[number, None][0]].box if (number, None) in kept else pose.box))
    # In percent of the image, which is a picture of 100 by 100 pixels to the converter.
    sure = tuple((1.0,) * len(pose.points) for pose in poses)
    decision = PoseDecision(tuple(poses), (1.0,) * len(poses), sure, np.empty(0, np.float32), 0.0, *(round(WHOLE),) * 2)
    known = truth[0] if truth else {}
    size: dict[str, Any] = {key: known[key] for key in ("original_width", "original_height") if key in known}
    regions = CONVERTERS[control.tag].encode(control, decision, key="corrected")
    return [{**{key: value for key, value in region.items() if key != "score"}, **size} for region in regions]


def _corrected(region: Region, place: Region, name: Region) -> Region:
    """`region`, drawn where `place` is, with the label of `name`; a person's own by now, and so without confidence."""
    type_ = name["type"]
    labels = {type_: name["value"][type_]}
    kept = {key: value for key, value in region.items() if key != "score"}
    return {**kept, "value": {**place["value"], **labels}}


def _drawn(control: Control, regions: Sequence[Region]) -> list[tuple[Region, Piece]]:
    """Regions with what they mark, as it is decoded; those that mark nothing are left out."""
    found: list[tuple[Region, Piece]] = []
    for region in regions:
        decoded: Any = CONVERTERS[control.tag].decode(control, [region])
        found += [(region, piece) for piece in decoded or ()]
    return found


def _overlap(first: Any, second: Any) -> float:
    return float(shares((first,), (second,))[0, 0])
