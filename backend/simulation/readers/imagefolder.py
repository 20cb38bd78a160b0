"""One folder a class, images in it. A single folder above the classes is looked through."""

from __future__ import annotations

from pathlib import Path

from backend.simulation.labelled import Found, LabelledSet
from backend.simulation.readers.files import address, images_below, size_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import choice


def read(path: Path, options: Options) -> LabelledSet:
    found = Found(options.kind, path)
    for folder in _classes(path):
        for image in images_below(folder):
            if size_of(found, image) is not None:
                found.add(address(found, image), choice(found.name(folder.name)))
    return found.close()


def _classes(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(folders) == 1 and any(entry.is_dir() for entry in folders[0].iterdir()):
        return _classes(folders[0])
    return folders
