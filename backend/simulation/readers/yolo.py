"""YOLO: a text file an image, a line an object; `labels/` stands where the images' path says `images/`.

A line is a class and either centre, width and height, or the corners of a polygon, in shares of the image: of a
rectangle that is turned, too. The classes' names are in a YAML file under `names`, or in `classes.txt`, one a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.simulation.labelled import Found, Kind, LabelledSet
from backend.simulation.masks import polygon_mask
from backend.simulation.readers.files import address, images_below, size_of, text_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import Size, boxes, masks, whole_box
from model_zoo.oriented import oriented, rectangle_of
from model_zoo.types import Box


def read(path: Path, options: Options) -> LabelledSet:
    root = path if path.is_dir() else path.parent
    found = Found(options.kind, root)
    names = _names(found, path)
    for name in names.values():
        found.name(name)
    for image in images_below(root):
        size = size_of(found, image)
        if size is None:
            continue
        shapes = _shapes(found, _label_file(root, image), names)
        if options.kind is Kind.INSTANCE_SEGMENTATION:
            painted = [(polygon_mask([_pixels(corners, size)], size), name) for name, corners in shapes]
            found.add(address(found, image), masks(painted, size))
        else:
            found.add(address(found, image), boxes([_around(name, corners, size) for name, corners in shapes], size))
    return found.close(in_order=True)


Shape = tuple[str, list[float]]
"""A class's name, and the corners of a polygon, x and y in turn, in shares of the image."""


def _shapes(found: Found, file: Path, names: Mapping[int, str]) -> list[Shape]:
    """None for an image without file: it shows no object."""
    shapes = []
    text = text_of(found, file) if file.is_file() else ""
    for line, row in enumerate((text or "").splitlines(), 1):
        if not row.strip():
            continue
        try:
            first, *numbers = row.split()
            corners = _corners([float(number) for number in numbers])
            number = int(first)
        except ValueError:
            found.problem(file, f'wanted a class and four numbers, or a polygon, from 0 to 1, got "{row[:80]}".', line)
            continue
        if names and number not in names:
            found.problem(file, f"there is no class {number} among {len(names)} names.", line)
            continue
        shapes.append((names.get(number) or found.name(str(number)), corners))
    return shapes


def _corners(numbers: list[float]) -> list[float]:
    """Raises ValueError."""
    if not all(-0.01 <= number <= 1.01 for number in numbers):
        raise ValueError("outside of the image")
    if len(numbers) == 4:
        x, y, width, height = numbers
        if width <= 0 or height <= 0:
            raise ValueError("no area")
        left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        return [left, top, right, top, right, bottom, left, bottom]
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError("no polygon")
    return numbers


def _around(name: str, corners: list[float], size: Size) -> Box:
    xs, ys = corners[::2], corners[1::2]
    points = rectangle_of(_pixels(corners, size))
    turned = oriented(points, name, *map(float, size)) if points is not None else None
    if turned is not None:
        return turned
    return whole_box(Box(min(xs), min(ys), max(xs), max(ys), name), size)


def _pixels(corners: list[float], size: Size) -> list[float]:
    return [number * size[at % 2] for at, number in enumerate(corners)]


def _label_file(root: Path, image: Path) -> Path:
    parts = list(image.relative_to(root).parts)
    for at in reversed(range(len(parts) - 1)):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return (root.joinpath(*parts)).with_suffix(".txt")


def _names(found: Found, path: Path) -> dict[int, str]:
    """The classes' names by number; empty where no file says them."""
    import yaml

    if path.is_file():
        files = [path]
    else:
        files = [file for pattern in ("*.yaml", "*.yml", "classes.txt", "*/classes.txt") for file in path.glob(pattern)]
    for file in sorted(files, key=lambda one: (one.suffix == ".txt", one.name)):
        text = text_of(found, file) or ""
        if file.suffix == ".txt":
            return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
        try:
            content: Any = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            found.problem(file, "it is no YAML.", mark.line + 1 if mark else None)
            continue
        names = content.get("names") if isinstance(content, Mapping) else None
        if isinstance(names, list):
            return {number: str(name) for number, name in enumerate(names)}
        if isinstance(names, Mapping):
            return {int(number): str(name) for number, name in names.items() if str(number).isdecimal()}
    return {}
