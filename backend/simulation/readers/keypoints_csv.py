"""DeepLabCut's table: three rows of heading (scorer, bodyparts, coords), then a row an image with x and y by turns.

An empty cell says that the point is not there to be seen.
https://deeplabcut.github.io/DeepLabCut/docs/standardDeepLabCut_UserGuide.html
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from backend.simulation.labelled import Found, LabelledSet
from backend.simulation.readers.files import address, first_of, is_image, size_of, text_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import Point, keypoints


def read(path: Path, options: Options) -> LabelledSet:
    files = [path] if path.is_file() else sorted(path.glob("*.csv"))
    found = Found(options.kind, path if path.is_dir() else path.parent)
    for file in files:
        text = text_of(found, file)
        if text is not None:
            _table(found, file, list(csv.reader(io.StringIO(text))))
    return found.close(in_order=True)


def _table(found: Found, file: Path, rows: list[list[str]]) -> None:
    heads = {row[0]: row for row in rows[:4] if row}
    parts, coords = heads.get("bodyparts"), heads.get("coords")
    if parts is None or coords is None or "individuals" in heads:
        found.problem(file, "wanted the rows scorer, bodyparts and coords of one animal at the top.", 1)
        return
    start = coords.index("x") if "x" in coords else len(coords)
    names = [found.name(name) for name in parts[start::2]]
    for line, row in enumerate(rows, 1):
        if row and row[0] not in ("scorer", "bodyparts", "coords"):
            _row(found, file, row, start, names, line)


def _row(found: Found, file: Path, row: Sequence[str], start: int, names: Sequence[str], line: int) -> None:
    # Newer tables have the image's path in three columns.
    path = Path("/".join(row[:start]).replace("\\", "/"))
    image = _image(file.parent, path)
    if image is None or not image.is_relative_to(found.root):
        found.problem(file, f'its image "{path}" is not there.', line)
        return
    size = size_of(found, image)
    if size is None:
        return
    if len(row) != start + 2 * len(names):
        found.problem(file, f"wanted {start + 2 * len(names)} columns, got {len(row)}.", line)
        return
    points: list[Point] = []
    for index, name in enumerate(names):
        x, y = row[start + 2 * index : start + 2 * index + 2]
        if not x.strip() or not y.strip():
            continue
        try:
            point = float(x), float(y)
        except ValueError:
            found.problem(file, f'the place of {name} is no pair of numbers: "{x}", "{y}".', line)
            return
        if all(map(math.isfinite, point)):
            points.append((name, *point, None))
    found.add(address(found, image), keypoints([(points, None)], size))


def _image(folder: Path, path: Path) -> Path | None:
    if path.is_absolute() or ".." in path.parts:
        path = Path(path.name)
    candidates = (folder / path, folder / "images" / path.name, folder / path.name)
    found = first_of(candidates)
    return found if found is not None and is_image(found) else None
