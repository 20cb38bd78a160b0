"""Files that every reader meets: folders of images, texts in UTF-8."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from backend.labelstudio.media.folder import SUFFIXES
from backend.simulation.labelled import Found
from backend.simulation.regions import Size
from model_zoo.errors import UnreadableInput
from model_zoo.images import image_size


def images_below(folder: Path) -> list[Path]:
    """Image files, sorted by path; hidden ones are left out."""
    found = (path for path in folder.rglob("*") if is_image(path))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES["Image"] and path.is_file()


def size_of(found: Found, image: Path) -> Size | None:
    """Width and height of an image; None with a problem where it cannot be read."""
    try:
        return image_size(image)
    except UnreadableInput as error:
        found.problem(image, str(error))
        return None


def text_of(found: Found, file: Path) -> str | None:
    """The file's text; None with a problem where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        found.problem(file, f"it cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        found.problem(file, "it is no text in UTF-8.", line)
    return None


def address(found: Found, image: Path) -> str:
    """What a task says of its image: the path below the set's root."""
    return image.relative_to(found.root).as_posix()


def first_of(candidates: Iterable[Path]) -> Path | None:
    """The first that is a file."""
    return next((path for path in candidates if path.is_file()), None)
