"""What a converter does: it stands between one control tag of Label Studio and the plain data of the zoo."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from backend.errors import TaskUnusable
from backend.labelstudio.config import Control, shorten
from backend.labelstudio.payloads import kind_of
from model_zoo.types import Item, LabelSpace, Target, TaskKind

if TYPE_CHECKING:
    from model_zoo.postprocess import Decision

log = logging.getLogger(__name__)

Region = dict[str, Any]
Report = Callable[[str], None]
"""Takes one sentence about something in an annotation that was left out."""


class Converter(Protocol):
    """Both directions for one control tag: `decode` what people submitted, `encode` what a model decided."""

    tag: ClassVar[str]
    may_be_empty: ClassVar[bool]
    """Whether a prediction without regions claims something: that there is nothing to be found."""

    def kind(self, control: Control) -> TaskKind | None:
        """The kind of task that `control` poses on its object; None where none is known."""

    def label_space(self, control: Control) -> LabelSpace:
        """The labels of `control` in the order of the config, with what each is called in words."""

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        """The text, or the address where `control.fetched`, in a task's data. Raises `TaskUnusable`."""

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> Target | None:
        """What an annotation's `result` says; None when it does not answer this control usably.

        Coordinates are in percent of the medium, as in Label Studio.
        """

    def target(self, decoded: Target, item: Item) -> Target:
        """What `decode` gave, as families learn it of this item: coordinates in pixels. Raises `UnreadableInput`."""

    def encode(self, control: Control, decision: Decision, *, key: str) -> list[Region]:
        """Regions for a prediction. The same `key` (name task and version in it) gives the same region ids."""


def text_of(control: Control, data: Mapping[str, Any]) -> str:
    """The non-empty text under the control's data key. Raises `TaskUnusable`."""
    wanted = f'{control.tag} "{shorten(control.name)}" wants a text under "{shorten(control.data_key)}"'
    if control.data_key not in data:
        keys = shorten(", ".join(map(str, data)) or "nothing")
        raise TaskUnusable(f"{wanted}, and the task's data has only: {keys}. Add the key, or change the config.")
    value = data[control.data_key]
    if not isinstance(value, str):
        raise TaskUnusable(f"{wanted}, and got {kind_of(value)}. Import the task again with a text there.")
    if not value.strip():
        raise TaskUnusable(f"{wanted}, and got an empty one. Import the task again with a text there.")
    return value


def region_key(task: object, version: str) -> str:
    """What a prediction's region ids are made from: another task or version gives others."""
    return f"{task}:{version}"


def region_id(key: str, control: str, index: int = 0) -> str:
    """Ten letters and digits, as Label Studio's own ids have, for a region of the control of that name."""
    return blake2b(f"{key}\0{control}\0{index}".encode(), digest_size=5).hexdigest()


def always_asked(control: Control) -> bool:
    """A control that is shown on a condition only may be empty because nobody was asked."""
    return "visiblewhen" not in control.attributes


def title(control: Control) -> str:
    """What messages call the control."""
    return f'{control.tag} "{shorten(control.name)}"'
