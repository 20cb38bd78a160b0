"""A table with the columns `text` and `label`; where there are two columns, the other is the label."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from backend.simulation.labelled import Found, LabelledSet
from backend.simulation.readers.files import text_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import choice

TEXT, LABEL = "text", "label"


def read(path: Path, options: Options) -> LabelledSet:
    found = Found(options.kind, path.parent)
    text = text_of(found, path)
    if text is not None:
        _rows(found, path, text)
    return found.close()


def _rows(found: Found, path: Path, text: str) -> None:
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        columns = _columns(header)
        if columns is None:
            found.problem(path, f"wanted the columns text and label, got {', '.join(header) or 'none'}.", 1)
            return
        for row in rows:
            _row(found, path, row, columns, rows.line_num)
    except csv.Error as error:
        found.problem(path, f"the rest is left out: {error}.", rows.line_num)


def _row(found: Found, path: Path, row: Sequence[str], columns: tuple[int, int], line: int) -> None:
    if not row:
        return
    if len(row) <= max(columns):
        found.problem(path, f"wanted {max(columns) + 1} columns or more, got {len(row)}.", line)
        return
    text, label = (row[column].strip() for column in columns)
    if not text or not label:
        found.problem(path, f"the {LABEL if text else TEXT} is empty.", line)
        return
    found.add(text, choice(found.name(label)))


def _columns(header: Sequence[str]) -> tuple[int, int] | None:
    """Where text and label are."""
    if TEXT not in header:
        return None
    text = header.index(TEXT)
    if LABEL in header:
        return text, header.index(LABEL)
    return (text, 1 - text) if len(header) == 2 else None
