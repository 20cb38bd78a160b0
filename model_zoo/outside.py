"""Families that live outside of this package. Whoever runs it names them by dotted path; nobody else can."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module

from model_zoo.base import Family
from model_zoo.errors import UnknownFamily
from model_zoo.types import TaskKind

log = logging.getLogger(__name__)


@cache
def outside_family(path: str) -> type[Family]:
    """The class at `package.module.Class`, imported once. Raises `UnknownFamily` for what is no complete family."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    # Importing runs somebody's code, which may raise anything; what it raised is what its author wants to know.
    except Exception as error:
        raise UnknownFamily(
            f"The family {path} cannot be imported ({type(error).__name__}: {error}). Install its package where "
            "Prelabel runs, or take it out of PRELABEL_FAMILIES."
        ) from error
    if not isinstance(found, type) or not issubclass(found, Family):
        raise UnknownFamily(f"{path} is no family; wanted a class that inherits from model_zoo.base.Family.")
    missing = sorted(found.__abstractmethods__) + [
        each for each in ("name", "task", "licence", "weights") if not hasattr(found, each)
    ]
    if missing:
        raise UnknownFamily(f"{path} lacks {', '.join(missing)}. Write what it lacks; the README says how.")
    kinds = "|".join(kind.value for kind in TaskKind)
    if not re.fullmatch(rf"({kinds})/[a-z0-9_]+\.v[1-9]\d*", found.name) or found.name.split("/")[0] != found.task:
        raise UnknownFamily(f'{path} is called {found.name!r}, wanted "{found.task.value}/<architecture>.v<number>".')
    return found


def outside_families(paths: Iterable[str]) -> tuple[type[Family], ...]:
    """Those of `paths` that can be had; the others are named in the log, and cost only themselves."""
    found = []
    for path in paths:
        try:
            found.append(outside_family(path))
        except UnknownFamily as error:
            log.warning("%s", error)
    return tuple(found)
