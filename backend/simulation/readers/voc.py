"""Pascal VOC: one XML file an image."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from backend.simulation.labelled import Found, LabelledSet
from backend.simulation.readers.files import address, first_of, size_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import Size, boxes
from model_zoo.types import Box

_IMAGES = ("", "JPEGImages", "images", "Images", "PNGImages")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_OBJECT = re.compile(rb"<object[\s>]")


def read(path: Path, options: Options) -> LabelledSet:
    found = Found(options.kind, path)
    for file in sorted(path.rglob("*.xml")):
        _file(found, file)
    return found.close()


def _file(found: Found, file: Path) -> None:
    try:
        # Bytes, since a file may declare another encoding than UTF-8.
        content = file.read_bytes()
        root: Element = fromstring(content)
    except OSError as error:
        found.problem(file, f"it cannot be read: {error.strerror}.")
        return
    except ParseError as error:
        found.problem(file, f"it is no XML: {error.msg}.", error.position[0])
        return
    except (DefusedXmlException, ValueError) as error:
        found.problem(file, f"it is no XML that can be trusted: {error}.")
        return
    image = _image(found, file, root)
    if image is None:
        found.problem(file, f'its image "{root.findtext("filename", "")}" is not there.')
        return
    size = _size(root) or size_of(found, image)
    if size is not None:
        found.add(address(found, image), boxes(_boxes(found, file, root, content), size))


def _boxes(found: Found, file: Path, root: Element, content: bytes) -> list[Box]:
    lines = [content.count(b"\n", 0, begun.start()) + 1 for begun in _OBJECT.finditer(content)]
    read_ones = []
    for number, entry in enumerate(root.iter("object"), 1):
        name = (entry.findtext("name") or "").strip()
        edges = [_number(entry.findtext(f"bndbox/{edge}")) for edge in _EDGES]
        left, top, right, bottom = edges
        if not name or left is None or top is None or right is None or bottom is None or left >= right or top >= bottom:
            line = lines[number - 1] if number <= len(lines) else None
            found.problem(file, f"object {number} is no box with a name; it is left out.", line)
        else:
            read_ones.append(Box(left, top, right, bottom, found.name(name)))
    return read_ones


def _image(found: Found, file: Path, root: Element) -> Path | None:
    """Beside the file, or in one of the usual folders near it. Its name is no path, and leads nowhere else."""
    name = Path((root.findtext("filename") or "").replace("\\", "/")).name
    names = [name] if name else []
    names += [f"{file.stem}{ending}" for ending in (".jpg", ".jpeg", ".png")]
    folders = [parent / folder for parent in (file.parent, file.parent.parent) for folder in _IMAGES]
    return first_of(folder / one for one in names for folder in folders if (folder / one).is_relative_to(found.root))


def _size(root: Element) -> Size | None:
    """As the file says it, which is what its boxes are measured on."""
    width, height = _number(root.findtext("size/width")), _number(root.findtext("size/height"))
    return (int(width), int(height)) if width and height and min(width, height) >= 1 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
