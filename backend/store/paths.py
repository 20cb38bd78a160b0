"""Where each kind of object lies in the store. Projects' folders are named by checked uids."""

from __future__ import annotations

from urllib.parse import quote

from backend.projects.identity import Uid

PROJECTS = "projects"
ARTIFACTS = "artifacts"
COMPILED = "compiled"


def project(uid: str) -> str:
    return f"{PROJECTS}/{Uid(uid)}"


def within(uid: str, *parts: str) -> str:
    """A name below the project's folder. Parts may hold anything, as names of encoders do: they are escaped."""
    return "/".join((project(uid), *map(_escaped, parts)))


def _escaped(part: str) -> str:
    return quote(part, safe="") if part.strip(".") else part.replace(".", "%2E")
