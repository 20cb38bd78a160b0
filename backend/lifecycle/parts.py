"""What an exported model needs of the zoo, copied beside it as a package of its own.

So it reads and decides with the very code that did so here, and with that alone: nothing is written twice, and a later
release of Prelabel changes nothing about it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import model_zoo

ZOO = model_zoo.__name__
PARTS = "parts"
"""The package's name, beside the loader."""

_ROOT = Path(model_zoo.__file__).parent
_IMPORT = re.compile(rf"^(\s*)from {ZOO}\b\.?((?:\w+\.)*\w+)? import ", re.MULTILINE)


def copy_parts(modules: Iterable[str], folder: Path) -> None:
    """Copy `modules` of the zoo, and what they import of it, into `folder`, where they import each other alone."""
    for file in sorted(_behind(modules)):
        place = file.relative_to(_ROOT)
        (folder / place.parent).mkdir(parents=True, exist_ok=True)
        relative = rf"\1from {'.' * len(place.parts)}\2 import "
        text = _IMPORT.sub(relative, file.read_text("utf-8"))
        (folder / place).write_text(text, "utf-8")


def _behind(modules: Iterable[str]) -> set[Path]:
    """The files of these modules, of the packages that they are in, and of all that these import."""
    waiting, known, files = list(modules), set[str](), set[Path]()
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        place = _ROOT.joinpath(*name.split(".")[1:])
        file = next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)
        if file is None:  # a name within a module
            continue
        files.add(file)
        waiting += [name.rpartition(".")[0] or name, *_imported(ast.parse(file.read_text("utf-8")))]
    return files


def _imported(node: ast.AST) -> Iterator[str]:
    """Modules of the zoo, and names in them, that are imported somewhere, but for the sake of types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and (child.module or "").partition(".")[0] == ZOO:
            yield from (str(child.module), *(f"{child.module}.{name.name}" for name in child.names))
        yield from _imported(child)
