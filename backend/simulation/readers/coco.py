"""COCO's JSON: boxes, masks (polygons and run lengths), keypoints with visibility. Crowds are left out, as COCO's own
evaluation does."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.converters.base import Region
from backend.simulation.labelled import Found, Kind, LabelledSet
from backend.simulation.masks import Mask, polygon_mask, run_length_mask
from backend.simulation.readers.files import address, first_of, text_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import Instance, Point, Size, boxes, keypoints, masks
from model_zoo.types import Box

Json = dict[str, Any]


def read(path: Path, options: Options) -> LabelledSet:
    file = path if path.is_file() else _only_file(path)
    found = Found(options.kind, _root(file or path))
    if file is None:
        found.problem(path, "wanted one JSON file. Give the path of the one that is meant.")
        return found.close()
    text = text_of(found, file)
    try:
        content = json.loads(text or "null")
    except ValueError as error:
        found.problem(file, "it is no JSON.", getattr(error, "lineno", None))
        return found.close()
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        found.problem(file, "wanted an object with lists of images, annotations and categories.")
        return found.close()
    _Reading(found, file, content, text or "").run()
    return found.close(in_order=True)


class _Reading:
    """One file's images and annotations."""

    def __init__(self, found: Found, file: Path, content: Json, text: str) -> None:
        self._found = found
        self._file = file
        self._content = content
        self._text = text
        self._lines: dict[str, list[int]] = {}
        self._categories: dict[Any, Json] = {
            entry["id"]: entry
            for entry in content.get("categories") or ()
            if isinstance(entry, dict) and _is_id(entry.get("id")) and "name" in entry
        }
        self._folders = [found.root, *sorted(entry for entry in found.root.iterdir() if entry.is_dir())]

    def run(self) -> None:
        by_image: dict[Any, list[tuple[int, Json]]] = defaultdict(list)
        for at, entry in enumerate(self._content["annotations"]):
            ids = [entry.get(key) for key in ("category_id", "image_id")] if isinstance(entry, dict) else [None]
            if not all(map(_is_id, ids)) or ids[0] not in self._categories:
                message = f"annotation {_number(entry, at)} has no category or no image; it is left out."
                self._problem(message, "annotations", at)
            elif not entry.get("iscrowd"):
                by_image[entry.get("image_id")].append((at, entry))
        for category in self._categories.values():
            names = category.get("keypoints") or () if self._found.kind is Kind.KEYPOINTS else (category["name"],)
            for name in names:
                self._found.name(str(name))
        for at, image in enumerate(self._content["images"]):
            if isinstance(image, dict) and _is_id(image.get("id")):
                self._image(image, at, by_image.pop(image.get("id"), []))
            else:
                self._problem(f"image {at + 1} is no object with an id; it is left out.", "images", at)
        for missing, entries in by_image.items():
            message = f"image {missing} has annotations and is not listed; they are left out."
            self._problem(message, "annotations", entries[0][0])

    def _image(self, image: Json, place: int, entries: list[tuple[int, Json]]) -> None:
        name = str(image.get("file_name", ""))
        path = first_of(folder / part for folder in self._folders for part in (name, Path(name).name))
        try:
            size = int(image["width"]), int(image["height"])
        except (KeyError, TypeError, ValueError):
            self._problem(f'image "{name}" says no width and height; it is left out.', "images", place)
            return
        if not name or path is None or not path.resolve().is_relative_to(self._found.root) or min(size) < 1:
            self._problem(f'image "{name}" is not there; it is left out.', "images", place)
            return
        read_ones: list[Any] = []
        for at, entry in entries:
            try:
                one = self._entry(entry, size)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                message = f"annotation {_number(entry, at)} cannot be read ({error}); it is left out."
                self._problem(message, "annotations", at)
            else:
                read_ones += [one] if one is not None else []
        self._found.add(address(self._found, path), self._regions(read_ones, size))

    def _regions(self, read_ones: list[Any], size: Size) -> list[Region]:
        if self._found.kind is Kind.INSTANCE_SEGMENTATION:
            return masks(read_ones, size)
        return keypoints(read_ones, size) if self._found.kind is Kind.KEYPOINTS else boxes(read_ones, size)

    def _entry(self, entry: Json, size: Size) -> Box | tuple[Mask, str] | Instance | None:
        category = self._categories[entry["category_id"]]
        if self._found.kind is Kind.KEYPOINTS:
            return _instance(entry, category)
        if self._found.kind is Kind.INSTANCE_SEGMENTATION:
            return _mask(entry["segmentation"], size), str(category["name"])
        return _box(entry, str(category["name"]))

    def _problem(self, message: str, key: str, at: int) -> None:
        """Something wrong with an entry of the list under `key`. Lines are counted once something is."""
        if key not in self._lines:
            self._lines[key] = _lines(self._text, key)
        known = self._lines[key]
        self._found.problem(self._file, message, known[at] if at < len(known) else None)


def _box(entry: Json, name: str) -> Box:
    left, top, width, height = (float(number) for number in entry["bbox"])
    if not (width > 0 and height > 0):
        raise ValueError("its box has no area")
    return Box(left, top, left + width, top + height, name)


def _mask(segmentation: Any, size: Size) -> Mask:
    if isinstance(segmentation, Mapping):
        height, width = (int(number) for number in segmentation["size"])
        if (width, height) != size:
            raise ValueError("its mask has another size than the image")
        return run_length_mask(segmentation["counts"], height, width)
    return polygon_mask([[float(number) for number in corners] for corners in segmentation], size)


def _instance(entry: Json, category: Json) -> Instance | None:
    """None for an instance of which no point is labelled."""
    values = [float(number) for number in entry.get("keypoints") or ()]
    names = [str(name) for name in category.get("keypoints") or ()]
    if len(values) != 3 * len(names):
        raise ValueError(f"it has {len(values)} numbers for {len(names)} keypoints")
    points: list[Point] = [
        (name, *values[3 * at : 3 * at + 2], values[3 * at + 2] == 2)  # type: ignore[misc]  # two numbers
        for at, name in enumerate(names)
        if values[3 * at + 2] > 0
    ]
    return (points, _box(entry, str(category["name"])) if "bbox" in entry else None) if points else None


def _number(entry: Any, at: int) -> Any:
    return entry.get("id", at + 1) if isinstance(entry, dict) else at + 1


def _lines(text: str, key: str) -> list[int]:
    """The line on which each entry of the list under `key` begins, of a text that is JSON."""
    begun = re.search(rf'"{key}"\s*:\s*\[', text)
    decoder, found, line, counted = json.JSONDecoder(), [], 1, 0
    place = begun.end() if begun else len(text)
    while place < len(text):
        gap = _GAP.match(text, place)
        place = gap.end() if gap else place
        if text[place : place + 1] in ("", "]"):
            break
        line, counted = line + text.count("\n", counted, place), place
        found.append(line)
        try:
            _, place = decoder.raw_decode(text, place)
        except ValueError:  # the key stood within another text
            return []
    return found


_GAP = re.compile(r"[\s,]*")


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str)


def _only_file(folder: Path) -> Path | None:
    files = sorted([*folder.glob("*.json"), *(folder / "annotations").glob("*.json")])
    return files[0] if len(files) == 1 else None


def _root(file: Path) -> Path:
    """The folder that holds the images' folder: where `annotations/` lies, or the file's own."""
    if file.is_dir():
        return file
    return file.parent.parent if file.parent.name == "annotations" else file.parent
