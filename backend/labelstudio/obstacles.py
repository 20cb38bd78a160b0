"""Why a control cannot be learnt, in a sentence for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from backend.labelstudio.controls import (
    CANONICAL,
    LABELLED_APART,
    MARKED_IN_PLACE,
    REMARKS,
    TRAINABLE,
    UNLABELLED,
    Label,
    shorten,
)
from backend.labelstudio.labels import HIGHEST_RATING, lowered

LABEL_TAGS = {"Choices": "Choice", "Taxonomy": "Choice"}
"""What labels are tagged as inside a control; elsewhere `Label`."""
_UNLEARNT = {
    "allownested": "nested choices (allowNested) are stored as paths, which cannot be learnt yet.",
    "labeling": "it labels spans of text (labeling), and only what it says of whole objects can be learnt yet.",
}
"""Switches of controls that cannot be learnt once they are on."""


def obstacle(
    element: ElementTree.Element, attributes: Mapping[str, str], target: ElementTree.Element | None
) -> str | None:
    """What is in the way of the control itself: its tag, what it is on, or where that has its content from."""
    tag = CANONICAL.get(element.tag.lower(), "")
    if tag not in TRAINABLE:
        return f"there is no model for {element.tag} yet."
    if target is None:
        to_name = attributes["toname"]
        several = "it labels several objects at once" if "," in to_name else "no object has that name"
        return f'its toName is "{shorten(to_name)}", and {several}.'
    if CANONICAL.get(target.tag.lower()) not in TRAINABLE[tag]:
        return f"there is no model for {tag} on {target.tag} yet."
    if prompted := _prompt_obstacle(tag, attributes):
        return prompted
    if attributes.get("perregion") == "true" and tag not in REMARKS:
        return f"{tag} about single regions (perRegion) of {target.tag} cannot be learnt yet."
    return _source_obstacle(element, target)


def _prompt_obstacle(tag: str, attributes: Mapping[str, str]) -> str | None:
    """Controls with which people only point."""
    if tag == "KeyPointLabels" and attributes.get("smart") == "true":
        return 'its points prompt a smart tool; without smart="true" they are learnt.'
    if tag == "RectangleLabels" and attributes.get("prelabel_smart") == "mask":
        return "its boxes ask for masks, and the page keeps none of them; the masks are learnt."
    return None


def _source_obstacle(element: ElementTree.Element, target: ElementTree.Element) -> str | None:
    value = target.get("value", "")
    if "{{" in element.attrib["name"] + element.attrib["toName"] + value:
        return "controls inside a Repeater cannot be learnt yet."
    if not re.fullmatch(r"\$[^, ]+", value):
        got = f'the value "{shorten(value)}"' if value else "a valueList"
        return f'its {target.tag} has {got}, and only a single variable such as "$text" can be read yet.'
    if lowered(target).get("encoding", "none") != "none":
        return f"its {target.tag} holds encoded text, which cannot be read yet."
    tags = (CANONICAL[element.tag.lower()], CANONICAL[target.tag.lower()])
    if tags in MARKED_IN_PLACE and lowered(target).get("valuetype") == "url":
        return f'its {target.tag} is fetched from an address (valueType="url"), and spans only of Text can be yet.'
    return None


def label_obstacle(
    element: ElementTree.Element, attributes: Mapping[str, str], labels: tuple[Label, ...]
) -> str | None:
    """What is in the way of its labels."""
    tag = CANONICAL[element.tag.lower()]
    if tag in UNLABELLED:
        filled = "its text comes from each task's data (value), and only what people write can be learnt yet."
        return filled if attributes.get("value") else None
    if attributes.get("value") or attributes.get("apiurl") or any(_is_variable(label.value) for label in labels):
        return "its labels come from each task's data, and only labels written into the config can be learnt yet."
    unlearnt = next((reason for name, reason in _UNLEARNT.items() if attributes.get(name) == "true"), None)
    if unlearnt is not None:
        return unlearnt
    return None if labels else _no_labels(element, attributes, tag)


def _no_labels(element: ElementTree.Element, attributes: Mapping[str, str], tag: str) -> str:
    if tag == "Rating":
        got = shorten(attributes.get("maxrating", ""))
        return f'its maxRating is "{got}", wanted a whole number from 1 to {HIGHEST_RATING}.'
    if tag in LABELLED_APART:
        return f'no Labels name its shapes. Add <Labels name="label" toName="{attributes["toname"]}"> with some.'
    return f'it has no labels. Add some, such as <{LABEL_TAGS.get(tag, "Label")} value="A"/> inside <{element.tag}>.'


def _is_variable(value: str) -> bool:
    return re.fullmatch(r"\$[A-Za-z_][\w.\[\]]*", value) is not None
