"""A labelled set in Label Studio's shape: a labelling config, and tasks with the annotations that people made."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from backend.converters import Region
from backend.simulation.regions import FROM, NAMES, TO, VISIBILITIES, VISIBILITY, choice

Task = dict[str, Any]
"""`data`, and `annotations` with their `result`, as Label Studio imports them."""

GOLD = "gold"
"""The key of a task's data for what is true, where that is known beside what people said."""

_WORD = re.compile(r"[^\W\d_]{2,}")


class Kind(str, Enum):
    """What a labelled set is labelled with. Families of the zoo carry the same names where there are any."""

    IMAGE_CLASSIFICATION = "image_classification"
    TEXT_CLASSIFICATION = "text_classification"
    OBJECT_DETECTION = "object_detection"
    INSTANCE_SEGMENTATION = "instance_segmentation"
    KEYPOINTS = "keypoints"
    NAMED_ENTITIES = "named_entities"
    SEMANTIC_SEGMENTATION = "semantic_segmentation"
    CROWD = "crowd"
    """Items known by their names alone, each judged by many people."""

    @property
    def is_text(self) -> bool:
        return self in (Kind.TEXT_CLASSIFICATION, Kind.NAMED_ENTITIES, Kind.CROWD)

    @property
    def data_key(self) -> str:
        """The key of a task's data that holds the text, or the image's address."""
        return "text" if self.is_text else "image"


@dataclass(frozen=True)
class Problem:
    """Something that could not be read and was left out. `line` is None where a whole file is meant."""

    file: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


@dataclass(frozen=True)
class LabelledSet:
    """What a reader found. Tasks point to images by their path below `root`.

    `labels` are those of the config, in order. `sequential` says that tasks follow each other, as a video's frames do,
    so that neighbours are next to copies of each other.
    """

    kind: Kind
    labels: tuple[str, ...]
    tasks: tuple[Task, ...]
    root: Path
    problems: tuple[Problem, ...] = ()
    sequential: bool = False

    @property
    def config(self) -> str:
        """The labelling config of a project for it."""
        return labelling_config(self.kind, self.labels)

    def config_with(self, model: str | None) -> str:
        """The same with a family of the zoo for its control."""
        return labelling_config(self.kind, self.labels, model)

    @property
    def regions(self) -> int:
        """How many regions people made, annotations of all tasks together."""
        return sum(len(annotation["result"]) for task in self.tasks for annotation in task["annotations"])

    @property
    def is_bare(self) -> bool:
        """Whether a crowd judged items that are known by a number or a code alone, which tell a model nothing: most
        have no two words."""
        if self.kind is not Kind.CROWD:
            return False
        texts = [str(task["data"][self.kind.data_key]) for task in self.tasks]
        return 2 * sum(len(_WORD.findall(text)) < 2 for text in texts) > len(texts)

    def drawn(self, count: int | None) -> LabelledSet:
        """The set with `count` tasks alone, drawn at random, always the same; of a video the first."""
        if count is None or count >= len(self.tasks):
            return self
        chosen = range(len(self.tasks)) if self.sequential else random.Random(0).sample(range(len(self.tasks)), count)
        return replace(self, tasks=tuple(self.tasks[at] for at in sorted(chosen)[:count]))


@dataclass
class Found:
    """What a reader has found so far."""

    kind: Kind
    root: Path
    tasks: list[Task] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    labels: dict[str, None] = field(default_factory=dict)

    def add(self, value: str, *results: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """A task that shows `value`, with one annotation for each of `results`."""
        annotations = [{"result": list(result)} for result in results]
        self.tasks.append({"data": {self.kind.data_key: value, **more}, "annotations": annotations})

    def name(self, label: str) -> str:
        """Note a label that occurs."""
        self.labels[label] = None
        return label

    def problem(self, file: Path, message: str, line: int | None = None) -> None:
        shown = file.relative_to(self.root) if file.is_relative_to(self.root) else file
        self.problems.append(Problem(shown.as_posix(), message, line))

    def close(self, *, sequential: bool = False, in_order: bool = False) -> LabelledSet:
        """The set. Labels are sorted unless they were noted `in_order`."""
        labels = tuple(self.labels) if in_order else tuple(sorted(self.labels, key=_natural))
        return LabelledSet(self.kind, labels, tuple(self.tasks), self.root, tuple(self.problems), sequential)


def truth(kind: Kind, task: Task) -> Sequence[Region]:
    """What is true of a task: of a crowd's the gold, and nothing where that is not known; else what was annotated."""
    if kind is not Kind.CROWD:
        return list(task["annotations"][0]["result"])
    return choice(task["data"][GOLD]) if GOLD in task["data"] else []


def _natural(label: str) -> tuple[bool, int, str]:
    return not label.isdecimal(), int(label) if label.isdecimal() else 0, label


def labelling_config(kind: Kind, labels: Sequence[str], model: str | None = None) -> str:
    """A labelling config with one control for the kind. Its names are those that `regions` writes."""
    shown = (
        f'<Text name="{TO}" value="${kind.data_key}"/>'
        if kind.is_text
        else f'<Image name="{TO}" value="${kind.data_key}" zoom="true"/>'
    )
    tag = TAGS[kind]
    entry = "Choice" if tag == "Choices" else "Label"
    entries = "".join(f"\n    <{entry} value={quoteattr(label)}/>" for label in labels)
    attributes = ' choice="single"' if tag == "Choices" else ""
    attributes += f' prelabel_task="{_ASKED[kind]}"' if kind in _ASKED else ""
    attributes += f" prelabel_model={quoteattr(model)}" if model else ""
    control = f'<{tag} name="{FROM}" toName="{TO}"{attributes}>{entries}\n  </{tag}>'
    lines = [shown, control, *(_KEYPOINT_CONTROLS if kind is Kind.KEYPOINTS else ())]
    return "<View>\n" + "".join(f"  {line}\n" for line in lines) + "</View>"


TAGS: Mapping[Kind, str] = {
    Kind.IMAGE_CLASSIFICATION: "Choices",
    Kind.TEXT_CLASSIFICATION: "Choices",
    Kind.OBJECT_DETECTION: "RectangleLabels",
    Kind.INSTANCE_SEGMENTATION: "BrushLabels",
    Kind.KEYPOINTS: "KeyPointLabels",
    Kind.NAMED_ENTITIES: "Labels",
    Kind.SEMANTIC_SEGMENTATION: "BrushLabels",
    Kind.CROWD: "Choices",
}
"""The control tag that each kind is labelled with."""

_ASKED: Mapping[Kind, str] = {Kind.INSTANCE_SEGMENTATION: "instance", Kind.SEMANTIC_SEGMENTATION: "semantic"}
"""Which of two kinds is meant where both are labelled with the same tag."""

_KEYPOINT_CONTROLS = (
    f'<Rectangle name="{NAMES}" toName="{TO}"/>',
    f'<Choices name="{VISIBILITY}" toName="{TO}" perRegion="true" whenTagName="{FROM}">'
    + "".join(f'<Choice value="{name}"/>' for name in VISIBILITIES)
    + "</Choices>",
)
"""Around each instance a rectangle that its points belong to, and for each point whether it can be seen."""
