"""The controls of a labelling config that can be learnt, and their labels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from backend.errors import InvalidConfig
from model_zoo.types import Visibility

CLASSIFIED = frozenset({"Text", "HyperText", "Paragraphs", "Image"})
"""Object tags that can be classified as a whole."""

TRAINABLE: Mapping[str, frozenset[str]] = {
    "Choices": CLASSIFIED,
    "Rating": CLASSIFIED,
    "Taxonomy": CLASSIFIED,
    "RectangleLabels": frozenset({"Image"}),
    "TextArea": frozenset({"Image"}),
    "Rectangle": frozenset({"Image"}),
    "Labels": frozenset({"Text", "HyperText"}),
    "HyperTextLabels": frozenset({"HyperText"}),
    "ParagraphLabels": frozenset({"Paragraphs"}),
    "BrushLabels": frozenset({"Image"}),
    "PolygonLabels": frozenset({"Image"}),
    "BitmaskLabels": frozenset({"Image"}),
    "EllipseLabels": frozenset({"Image"}),
    "KeyPointLabels": frozenset({"Image"}),
}
"""Control tags that can be learnt, with the object tags they can be learnt on."""

REMARKS = frozenset({"Choices", "Rating", "Taxonomy"})
"""Control tags that can be learnt of single regions (`perRegion`)."""

CANONICAL = {tag.lower(): tag for tags in (TRAINABLE, *TRAINABLE.values()) for tag in tags}
"""How tags are written, by their names in lower case."""

MARKED_IN_PLACE = frozenset(
    {("Labels", "HyperText"), ("HyperTextLabels", "HyperText"), ("ParagraphLabels", "Paragraphs")}
)
"""Control and object tags whose spans are counted in content that must lie in the task's data itself."""

LABELLED_APART = frozenset({"Rectangle"})
"""Shapes without labels of their own: `Labels` on the same object name them, in a second region of the same id."""

UNLABELLED = frozenset({"TextArea"})
"""Control tags in which people write instead of choosing labels."""

ORDERED = frozenset({"Rating"})
"""Control tags whose labels are steps of a scale, in the order of the labels."""

_CHOICE = {"Taxonomy": "multiple"}
"""How many labels hold at once where a tag says nothing; one, mostly."""

PARENTS = frozenset({"RectangleLabels", "Rectangle"})
"""Shapes on the same object that hold the points of a `KeyPointLabels`, and are learnt with it."""

VISIBILITIES: Mapping[str, Visibility] = {
    **dict.fromkeys(("visible", "seen", "clear", "in view", "yes"), Visibility.VISIBLE),
    **dict.fromkeys(
        ("occluded", "hidden", "obscured", "covered", "invisible", "not visible", "estimated", "no"),
        Visibility.OCCLUDED,
    ),
    **dict.fromkeys(
        ("out of view", "out of frame", "out of image", "outside", "absent", "missing", "truncated", "not labeled"),
        Visibility.OUT_OF_VIEW,
    ),
}
"""What choices about a single point mean, by their names, aliases, hints or `predicted_values`, in any case."""

_OPTION = "prelabel_"
_RECIPE = "prelabel_recipe"
_SMART = "prelabel_smart"
_TASK = "prelabel_task"
_NO_HYPERPARAMETERS = frozenset({"prelabel_model", _RECIPE, _SMART, _TASK})

SEMANTIC, INSTANCE = "semantic", "instance"
MAPPED: Mapping[str, frozenset[str]] = dict.fromkeys(
    ("BrushLabels", "PolygonLabels", "BitmaskLabels"), frozenset({SEMANTIC, INSTANCE})
)
"""Control tags that leave open what is asked for, with the words that `prelabel_task` takes: what each pixel of an
image is, or which separate objects there are."""


@dataclass(frozen=True)
class Label:
    """One label of a control. People see `value`; Label Studio stores the `alias` where there is one.

    Of a nested label `path` is what Label Studio stores instead, from the root, and `leaf` its own value.
    """

    value: str
    alias: str | None = None
    hint: str | None = None
    predicted_values: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    leaf: str | None = None

    @property
    def name(self) -> str:
        """What annotations and predictions hold."""
        return self.alias or self.value

    @property
    def visibility(self) -> Visibility | None:
        """What it says of a single point, if anything."""
        words = (" ".join(re.sub(r"[_-]", " ", word).casefold().split()) for word in self.descriptions)
        return next((VISIBILITIES[word] for word in words if word in VISIBILITIES), None)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """What the label is called in words, without repetition."""
        words = (self.leaf, self.value, self.alias, self.hint, *self.predicted_values)
        return tuple(dict.fromkeys(word for word in words if word))


@dataclass(frozen=True)
class Control:
    """One trainable control tag with the object tag that it labels.

    `data_key` names the value in a task's data. `attributes` are the control's own, with names in lower case
    as Label Studio's editor reads them. `fetched` says that the value is an address rather than the text itself.
    """

    name: str
    tag: str
    to_name: str
    object_tag: str
    data_key: str
    labels: tuple[Label, ...]
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    fetched: bool = False
    object_attributes: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    """The object tag's own, with names in lower case."""
    labels_name: str | None = None
    """The control that gives this one's shapes their labels, where that is another one."""
    parent: Control | None = None
    """The control whose shapes hold this one's points."""
    visibility: Control | None = None
    """The per-region choices that say of each point whether it can be seen."""
    about: tuple[Control, ...] = ()
    """The controls about whose regions this one says something, region by region; none where it is about the whole."""

    def owns(self, from_name: object) -> bool:
        """Whether a region with this `from_name` is part of an answer to this control."""
        own = from_name == self.name or (self.labels_name is not None and from_name == self.labels_name)
        return own or any(
            other is not None and other.owns(from_name) for other in (self.parent, self.visibility, *self.about)
        )

    @property
    def multiple(self) -> bool:
        """Whether several labels may hold at once."""
        return self.attributes.get("choice", _CHOICE.get(self.tag)) == "multiple" and self.at_most != 1

    @property
    def ordered(self) -> bool:
        """Whether the labels are steps of a scale."""
        return self.tag in ORDERED

    @property
    def at_most(self) -> int | None:
        """How many labels may hold at once, or texts be submitted; None where nothing bounds them."""
        text = self.attributes.get("maxsubmissions" if self.tag in UNLABELLED else "maxusages", "")
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else None

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    def has_label(self, name: str) -> bool:
        return name in self._names

    @property
    def score_threshold(self) -> float | None:
        """Confidence below which nothing is shown, in [0, 1]. Raises `InvalidConfig`."""
        text = self.attributes.get("model_score_threshold")
        if text is None:
            return None
        try:
            threshold = float(text)
        except ValueError:
            threshold = -1.0
        if not 0 <= threshold <= 1:
            raise InvalidConfig(
                f'model_score_threshold of {self.tag} "{shorten(self.name)}": got "{shorten(text)}", '
                "wanted a number from 0 to 1. Correct it or leave it out."
            )
        return threshold

    @property
    def model(self) -> str | None:
        """The family to train, by its versioned name; None leaves the choice to Prelabel."""
        return self.attributes.get("prelabel_model") or None

    @property
    def recipe(self) -> str | None:
        """How to train, by a recipe's name; None leaves the choice to the family."""
        return self.attributes.get(_RECIPE) or None

    @property
    def smart(self) -> str | None:
        """What a click, a box or a selection asks for while annotating; None leaves it to the control's tag."""
        return self.attributes.get(_SMART) or None

    @property
    def task(self) -> str | None:
        """What is asked for where the tag leaves that open, a word of `MAPPED`; None leaves it to the labels. Raises
        `InvalidConfig`."""
        text = self.attributes.get(_TASK) or None
        if text is not None and text not in MAPPED.get(self.tag, ()):
            wanted = " or ".join(f'"{word}"' for word in sorted(MAPPED.get(self.tag, ()))) or "none on this tag"
            raise InvalidConfig(
                f'prelabel_task of {self.tag} "{shorten(self.name)}": got "{shorten(text)}", wanted {wanted}. '
                "Correct it or leave it out."
            )
        return text

    def asking(self, task: str) -> Control:
        """The same control with the word that it leaves out."""
        return replace(self, attributes={**self.attributes, _TASK: task})

    @property
    def hyperparameters(self) -> Mapping[str, float | int | str | bool]:
        """What `prelabel_<name>="..."` asks of the training; the family judges the names."""
        return {
            name.removeprefix(_OPTION): read_number(text)
            for name, text in self.attributes.items()
            if name.startswith(_OPTION) and name not in _NO_HYPERPARAMETERS
        }

    @property
    def model_path(self) -> str | None:
        """File name of weights inside the weights folder. Raises `InvalidConfig` for anything that is a path."""
        text = self.attributes.get("model_path")
        if text is not None and not is_file_name(text):
            raise InvalidConfig(
                f'model_path of {self.tag} "{shorten(self.name)}": got "{shorten(text)}", '
                "wanted the name of a file in the weights folder, without any folder. "
                "Put the file into PRELABEL_WEIGHTS_DIR and give its name alone."
            )
        return text

    def label_of(self, predicted: str) -> str | None:
        """The label's name for what a model calls it: the name itself, or one of its `predicted_values` in any case."""
        return predicted if self.has_label(predicted) else self._predicted.get(predicted.casefold())

    def label_at(self, path: Sequence[str]) -> str | None:
        """The name of the label at this path of nested ones."""
        return self._by_path.get(tuple(path))

    @cached_property
    def _by_path(self) -> Mapping[tuple[str, ...], str]:
        return {label.path: label.name for label in self.labels}

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.label_names)

    @cached_property
    def _predicted(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for words in ("predicted_values", "descriptions"):
            for label in self.labels:
                for word in getattr(label, words):
                    found.setdefault(word.casefold(), label.name)
        return found


def is_file_name(text: str) -> bool:
    """Whether it names a file in a folder, and nothing outside of it."""
    return bool(re.fullmatch(r"[\w.\- ]+", text)) and bool(text.strip(". "))


def read_number(text: str) -> float | int | str | bool:
    """The truth value or the number that `text` spells; any other text as it is."""
    known = {"true": True, "false": False}.get(text.strip().lower())
    if known is not None:
        return known
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def shorten(text: str, length: int = 80) -> str:
    """`text` for a message: other people's input can be megabytes."""
    return text if len(text) <= length else text[: length - 1] + "…"
