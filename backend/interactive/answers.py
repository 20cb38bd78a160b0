"""Regions of an answer: right names, sizes and ids, checked as Label Studio checks them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.converters.base import Region
from backend.interactive.asks import Ask, Mode
from backend.interactive.ids import key_of, new_ids
from backend.labelstudio.config import Control, LabellingConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """A region to be: its control, its `value` without labels, its label and how sure the engine is."""

    control: Control
    value: Mapping[str, Any]
    label: str
    score: float
    replaces: str | None = None
    """Id of the region that this one is shown instead of."""
    parent: str | None = None
    choice: tuple[Control, str] | None = None
    """A control for single regions (`perRegion`), and what is chosen there for this one."""


def regions(ask: Ask, drawn: Sequence[Drawn], size: tuple[int, int] | None = None) -> list[Region]:
    """The answer's regions; `size` is the width and height of the image that the page shows."""
    # Clicks add up to one object, which the first of them names; of all else the newest is what is answered.
    begun = ask.drawn[0] if ask.mode is Mode.MASK else ask.newest
    ids = new_ids(key_of(ask.task.id, ask.control.name, begun.get("id")), ask.known_ids)
    return list(_regions(drawn, ids, size))


def checked(xml: str, answer: list[Region]) -> list[Region]:
    """The answer, without regions that Label Studio would refuse; each that is left out is said in the log."""
    if not answer:
        return []
    config = LabellingConfig(xml, ())
    if not config.validate({"result": answer, "score": 0.5}):
        return answer
    good = []
    for region in answer:
        faults = config.validate({"result": [region], "score": 0.5})
        if faults:
            log.warning("Label Studio would refuse a region of an interactive answer: %s", "; ".join(faults))
        else:
            good.append(region)
    return good


def _regions(drawn: Sequence[Drawn], ids: Iterator[str], size: tuple[int, int] | None) -> Iterator[Region]:
    for one, identifier in zip(drawn, _named(drawn, ids), strict=False):
        kind = one.control.tag.lower()
        value = dict(one.value) if kind == "textarea" else {**one.value, kind: [one.label]}
        region: Region = {
            "id": identifier,
            "from_name": one.control.name,
            "to_name": one.control.to_name,
            "type": kind,
            "value": value,
            "score": min(max(float(one.score), 0.0), 1.0),
        }
        if size is not None:
            region |= {"original_width": size[0], "original_height": size[1], "image_rotation": 0}
        if one.parent is not None:
            region["parentID"] = one.parent
        yield region
        if one.choice is not None:
            control, chosen = one.choice
            yield region | {
                "from_name": control.name,
                "type": "choices",
                "value": {**one.value, "choices": [chosen]},
            }


def _named(drawn: Sequence[Drawn], ids: Iterator[str]) -> Iterator[str]:
    """An id for each; those that replace a region have its."""
    for one in drawn:
        if one.replaces is not None:
            yield one.replaces
            continue
        identifier = next(ids, None)
        if identifier is None:
            return
        yield identifier
