"""The labels of a control tag, as its elements in a labelling config spell them: one reader a way of spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from xml.etree.ElementTree import Element

from backend.labelstudio.controls import Label

DEFAULT_RATING = "5"
HIGHEST_RATING = 100
"""Stars. Label Studio sets no bound, and nobody tells a hundred of them apart."""
DEFAULT_SEPARATOR = " / "


def lowered(element: Element) -> dict[str, str]:
    """An element's attributes by their names in lower case, as Label Studio's editor reads them."""
    return {name.lower(): value for name, value in element.attrib.items()}


def label_of(attributes: Mapping[str, str]) -> Label:
    """The label that an element with these attributes is."""
    predicted = (word.strip() for word in attributes.get("predicted_values", "").split(","))
    return Label(
        value=attributes.get("value", ""),
        alias=attributes.get("alias") or None,
        hint=attributes.get("hint") or None,
        predicted_values=tuple(word for word in predicted if word),
    )


def stars(element: Element) -> tuple[Label, ...]:
    """The steps of a `Rating`, from 1 to its `maxRating`; none where that is no number of stars."""
    text = lowered(element).get("maxrating", DEFAULT_RATING).strip()
    highest = int(text) if re.fullmatch(r"[0-9]{1,3}", text) else 0
    return tuple(Label(str(step)) for step in range(1, highest + 1)) if highest <= HIGHEST_RATING else ()


def paths(element: Element) -> tuple[Label, ...]:
    """The choices of a `Taxonomy`: every node that can be chosen, by its path from the root.

    A label is called by its path, joined as people see it. Of siblings with one value the editor shows the first.
    """
    attributes = lowered(element)
    separator = attributes.get("pathseparator", DEFAULT_SEPARATOR)
    leaves_only = attributes.get("leafsonly") == "true"
    found: dict[str, Label] = {}
    for nodes in _nodes(element, (), leaves_only):
        stored = tuple(node.name for node in nodes)
        shown, name = (separator.join(words) for words in ((node.value for node in nodes), stored))
        if name in found:  # a separator inside a name makes two paths look alike
            name = json.dumps(stored, ensure_ascii=False)
        last = nodes[-1]
        alias = name if name != shown else None
        found[name] = Label(shown, alias, last.hint, last.predicted_values, path=stored, leaf=last.value)
    return tuple(found.values())


def _nodes(element: Element, above: tuple[Label, ...], leaves_only: bool) -> Iterator[tuple[Label, ...]]:
    """The labels on the way to each node that can be chosen. The config's parser bounds how deep they nest."""
    seen: set[str] = set()
    for child in element:
        node = label_of(lowered(child))
        if child.tag.lower() != "choice" or not node.value or node.value in seen:
            continue
        seen.add(node.value)
        nodes = (*above, node)
        below = list(_nodes(child, nodes, leaves_only))
        if not (leaves_only and below):
            yield nodes
        yield from below


READERS: Mapping[str, Callable[[Element], tuple[Label, ...]]] = {"Rating": stars, "Taxonomy": paths}
"""How control tags spell their labels that have no plain list of them."""
