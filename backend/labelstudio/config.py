"""The labelling config: which controls of a project can be learnt, and what their labels are called.

A config is other people's input. It is parsed without DTDs or entities of its own, within bounds, and nothing
in it makes this process open a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from defusedxml.common import DTDForbidden
from defusedxml.ElementTree import fromstring

from backend.errors import InvalidConfig
from backend.labelstudio.controls import (
    CANONICAL,
    LABELLED_APART,
    PARENTS,
    REMARKS,
    UNLABELLED,
    Control,
    Label,
    shorten,
)
from backend.labelstudio.labels import READERS, label_of, lowered
from backend.labelstudio.obstacles import LABEL_TAGS, label_obstacle, obstacle

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.interface import LabelInterface

MAX_LENGTH = 5_000_000
"""Characters. A config of 10,000 labels has about 400,000."""
MAX_DEPTH = 200
"""Nested tags. Label Studio's own parser gives up at 256."""

EXAMPLE = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="topic" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)

_NOT_CONTROLS = frozenset({"filter"})

__all__ = ["Control", "Label", "LabellingConfig", "parse_config", "shorten"]


@dataclass(frozen=True)
class LabellingConfig:
    """A parsed labelling config: what can be learnt, and one sentence for each control that cannot."""

    xml: str
    controls: tuple[Control, ...]
    skipped: tuple[str, ...] = ()

    def control(self, name: str) -> Control | None:
        """The trainable control called `name`."""
        return next((control for control in self.controls if control.name == name), None)

    def validate(self, prediction: Mapping[str, Any]) -> list[str]:
        """Whatever Label Studio's own validator has against `prediction`; empty when it would be taken.

        The first call in a process imports the SDK's validator (0.35 s, 31 MB); later ones take about 0.02 ms.
        """
        validator: Any = _interface(self.xml)
        return list(validator.validate_prediction(dict(prediction), return_errors=True))


@lru_cache(maxsize=128)
def parse_config(xml: str) -> LabellingConfig:
    """Parse a labelling config. Raises `InvalidConfig` when it is no XML or holds nothing that can be learnt."""
    elements = list(_walk(_root(xml)))
    objects = {element.attrib["name"]: element for element in elements if _is_object(element)}
    namers = _namers(elements)
    companions = _companions(elements)
    apart = [*namers.values(), *(part for parts in companions.values() for part in parts)]
    controls: list[Control] = []
    skipped: list[str] = []
    for element in elements:
        if _is_control(element) and element not in apart:
            found = _read_control(element, objects, namers.get(element.attrib["name"]))
            if isinstance(found, Control) and found.name in companions:
                found = _accompanied(found, companions[found.name], namers)
            if isinstance(found, Control):
                controls.append(found)
            else:
                skipped.append(found)
    controls, lost = _attached(controls)
    skipped += lost
    if not controls:
        reasons = " ".join(skipped) or "It has no control tag with a name and a toName."
        raise InvalidConfig(f"The labelling config has nothing that can be learnt. {reasons} This would do: {EXAMPLE}")
    _check(controls)
    return LabellingConfig(xml, tuple(controls), tuple(skipped))


@lru_cache(maxsize=128)
def every_control(xml: str) -> tuple[Control, ...]:
    """All controls on a single object with a single variable, learnable or not, by their tags as written: what people
    work with while they annotate. Raises `InvalidConfig` when it is no XML."""
    elements = list(_walk(_root(xml)))
    objects = {element.attrib["name"]: element for element in elements if _is_object(element)}
    found = []
    for element in elements:
        target = objects.get(element.attrib["toName"]) if _is_control(element) else None
        if target is not None and re.fullmatch(r"\$[^, ]+", target.get("value", "")):
            fetched = target.tag.lower() == "image" or lowered(target).get("valuetype") == "url"
            found.append(
                Control(
                    name=element.attrib["name"],
                    tag=CANONICAL.get(element.tag.lower(), element.tag),
                    to_name=element.attrib["toName"],
                    object_tag=CANONICAL.get(target.tag.lower(), target.tag),
                    data_key=target.attrib["value"][1:],
                    labels=_labels(element),
                    attributes=lowered(element),
                    fetched=fetched,
                    object_attributes=lowered(target),
                )
            )
    return tuple(found)


def _root(xml: str) -> ElementTree.Element:
    if not xml.strip():
        raise InvalidConfig(f"The labelling config is empty. Give it an object and a control: {EXAMPLE}")
    if len(xml) > MAX_LENGTH:
        raise InvalidConfig(
            f"The labelling config has {len(xml)} characters, at most {MAX_LENGTH} are read. Shorten it."
        )
    try:
        # Label Studio refuses DTDs as well; without one there are no entities to expand and no files to include.
        root: ElementTree.Element = fromstring(_without_declaration(xml), forbid_dtd=True)
    except DTDForbidden:
        raise InvalidConfig("The labelling config declares a DTD, which is never read. Remove the DOCTYPE.") from None
    except (ElementTree.ParseError, ValueError) as error:
        raise InvalidConfig(
            f"The labelling config is not XML: {error}. Correct it, or start from this: {EXAMPLE}"
        ) from None
    return root


def _without_declaration(xml: str) -> str:
    """lxml, which the SDK uses, refuses text that declares an encoding."""
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", xml, count=1)


def _walk(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    stack = [(root, 1)]
    while stack:
        element, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise InvalidConfig(f"The labelling config nests tags more than {MAX_DEPTH} deep. Flatten it.")
        yield element
        stack.extend((child, depth + 1) for child in reversed(element))


def _is_control(element: ElementTree.Element) -> bool:
    return bool(element.get("name") and element.get("toName")) and element.tag.lower() not in _NOT_CONTROLS


def _is_object(element: ElementTree.Element) -> bool:
    return bool(element.get("name") and (element.get("value") or element.get("valueList"))) and not _is_control(element)


def _namers(elements: Sequence[ElementTree.Element]) -> dict[str, ElementTree.Element]:
    """For each shape without labels of its own, by its name, the first `Labels` on the same object."""
    labels: dict[str, ElementTree.Element] = {}
    for element in elements:
        if _is_control(element) and element.tag.lower() == "labels":
            labels.setdefault(element.attrib["toName"], element)
    return {
        element.attrib["name"]: labels[element.attrib["toName"]]
        for element in elements
        if _is_control(element)
        and CANONICAL.get(element.tag.lower()) in LABELLED_APART
        and element.attrib["toName"] in labels
    }


def _companions(elements: Sequence[ElementTree.Element]) -> dict[str, list[ElementTree.Element]]:
    """For each control of points, by its name, the shapes that hold them and the choices that say whether they can be
    seen: the first of each on the same object that is not another one's already."""
    found: dict[str, list[ElementTree.Element]] = {}
    taken: list[ElementTree.Element] = []
    for element in filter(_is_points, elements):
        others = [
            other
            for other in elements
            if _is_control(other) and other not in taken and other.attrib["toName"] == element.attrib["toName"]
        ]
        parents = [other for other in others if CANONICAL.get(other.tag.lower()) in PARENTS]
        choices = [other for other in others if _is_visibility(other, element.attrib["name"])]
        found[element.attrib["name"]] = parts = [*parents[:1], *choices[:1]]
        taken += parts
    return found


def _is_points(element: ElementTree.Element) -> bool:
    """Points that prompt a smart tool are not labels of anything."""
    return _is_control(element) and element.tag.lower() == "keypointlabels" and lowered(element).get("smart") != "true"


def _is_visibility(element: ElementTree.Element, points: str) -> bool:
    attributes = lowered(element)
    if element.tag.lower() != "choices" or attributes.get("perregion") != "true":
        return False
    asked = {name.strip() for name in attributes.get("whentagname", points).split(",")}
    return points in asked and any(label.visibility is not None for label in _labels(element))


def _accompanied(
    control: Control, parts: Sequence[ElementTree.Element], namers: Mapping[str, ElementTree.Element]
) -> Control:
    """`control` with the controls that its answers are made of beside it."""
    parent = visibility = None
    for element in parts:
        namer = namers.get(element.attrib["name"])
        other = replace(
            control,
            name=element.attrib["name"],
            tag=CANONICAL[element.tag.lower()],
            labels=_labels(element if namer is None else namer),
            attributes=lowered(element),
            labels_name=namer.attrib["name"] if namer is not None else None,
        )
        if other.tag == "Choices":
            visibility = other
        else:
            parent = other
    return replace(control, parent=parent, visibility=visibility)


def _attached(controls: Sequence[Control]) -> tuple[list[Control], list[str]]:
    """The controls, those about single regions last and with the ones that mark these; and a sentence for each of them
    without any."""
    apart = [control for control in controls if control.attributes.get("perregion") == "true"]
    found, lost = [control for control in controls if control not in apart], []
    marking = [control for control in found if control.tag not in REMARKS | UNLABELLED]
    for control in apart:
        named = {name.strip() for name in control.attributes.get("whentagname", "").split(",")} - {""}
        about = tuple(
            other
            for other in marking
            if other.to_name == control.to_name and (not named or named & {other.name, other.labels_name})
        )
        if about:
            found.append(replace(control, about=about))
        else:
            lost.append(
                f'{control.tag} "{shorten(control.name)}" is skipped: it is about single regions (perRegion), and no '
                "control that can be learnt marks those."
            )
    return found, lost


def _read_control(
    element: ElementTree.Element, objects: Mapping[str, ElementTree.Element], namer: ElementTree.Element | None
) -> Control | str:
    """The control, or a sentence that says why it is skipped. `namer` holds its labels where it has none itself."""
    target = objects.get(element.attrib["toName"])
    attributes = lowered(element) if namer is None else {**lowered(namer), **lowered(element)}
    labels = _labels(element if namer is None else namer)
    reason = obstacle(element, attributes, target) or label_obstacle(element, attributes, labels)
    if reason or target is None:
        return f'{element.tag} "{shorten(element.attrib["name"])}" is skipped: {reason}'
    object_tag = CANONICAL[target.tag.lower()]
    return Control(
        name=element.attrib["name"],
        tag=CANONICAL[element.tag.lower()],
        to_name=element.attrib["toName"],
        object_tag=object_tag,
        data_key=target.attrib["value"][1:],
        labels=labels,
        attributes=attributes,
        fetched=object_tag == "Image" or lowered(target).get("valuetype") == "url",
        object_attributes=lowered(target),
        labels_name=namer.attrib["name"] if namer is not None else None,
    )


def _labels(element: ElementTree.Element) -> tuple[Label, ...]:
    """Labels below `element`, whatever lies between, but not below another label: the editor leaves those out."""
    tag = CANONICAL.get(element.tag.lower(), "")
    if tag in READERS:
        return READERS[tag](element)
    found: dict[str, Label] = {}
    wanted = LABEL_TAGS.get(tag, "Label").lower()
    stack = list(reversed(element))
    while stack:
        child = stack.pop()
        if child.tag.lower() != wanted:
            stack.extend(reversed(child))
            continue
        label = label_of(lowered(child))
        if label.name:
            found.setdefault(label.name, label)
    return tuple(found.values())


def _check(controls: list[Control]) -> None:
    """Raise `InvalidConfig` for what would only fail later."""
    names = [control.name for control in controls]
    for control in controls:
        if names.count(control.name) > 1:
            raise InvalidConfig(f'Two controls are called "{shorten(control.name)}". Give each a name of its own.')
        _ = control.score_threshold, control.model_path, control.task


@lru_cache(maxsize=64)
def _interface(xml: str) -> LabelInterface:
    # Imported here: it brings jsf and faker, and only what has predictions to check needs it.
    from label_studio_sdk.label_interface.interface import LabelInterface

    return LabelInterface(_without_declaration(xml))
