"""A version of a project as an immutable manifest: which artifact answers for which control, learnt from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from backend.errors import StoreError
from backend.projects.identity import Uid, version_number
from backend.store.objects import to_json

FORMAT = 1
"""Raised when older manifests can no longer be read as they are."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class ControlVersion:
    """One control's part of a version. An unchanged one is shared with the parent version, artifact and all."""

    family: str
    artifact: str
    """Digest of the trained model's folder."""
    labels: tuple[str, ...]
    multiple: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)
    postprocess: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    trained_in: str = ""
    """The version that this part was trained for; differs from the manifest's where it was carried over."""

    def to_json(self) -> dict[str, Any]:
        return {**_plain(self), "labels": list(self.labels)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ControlVersion:
        return _build(cls, {**value, "labels": tuple(value.get("labels", ()))})


@dataclass(frozen=True)
class Manifest:
    """A version. `created` is in Unix seconds; `parent` and `snapshot` are None where there is none."""

    project: str
    name: str
    created: float
    fence: int
    """The fencing token under which it was trained: the higher one wins."""
    controls: Mapping[str, ControlVersion]
    parent: str | None = None
    snapshot: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Hardware, system and releases of packages."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """`seconds` of one machine, from the lease to the publish; `money` where an hour of it has a price."""
    notes: tuple[str, ...] = ()
    """Sentences for people: a gate's reason, weights that were not found."""

    def __post_init__(self) -> None:
        Uid(self.project)
        if version_number(self.name) < 1 or self.fence < 0:
            raise StoreError(f"Got {self.name} with fence {self.fence}, wanted v1 or later and a fence from 0 up.")

    def to_bytes(self) -> bytes:
        controls = {name: control.to_json() for name, control in self.controls.items()}
        return to_json({**_plain(self), "controls": controls, "notes": list(self.notes), "format": FORMAT})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Manifest:
        """The manifest that `to_bytes` wrote. Raises `StoreError` for one of a newer format or an incomplete one."""
        if value.get("format") != FORMAT:
            raise StoreError(f"Got a manifest of format {value.get('format')}, wanted {FORMAT}. Update Prelabel.")
        controls = {name: ControlVersion.from_json(control) for name, control in value.get("controls", {}).items()}
        return _build(cls, {**value, "controls": controls, "notes": tuple(value.get("notes", ()))})


def _plain(value: Any) -> dict[str, Any]:
    return {item.name: getattr(value, item.name) for item in fields(value)}


def _build(cls: type[_T], value: Mapping[str, Any]) -> _T:
    known = {item.name for item in fields(cls)}  # type: ignore[arg-type]  # both callers are dataclasses
    try:
        return cls(**{key: item for key, item in value.items() if key in known})
    except TypeError as error:
        raise StoreError(f"A version manifest is incomplete: {error}. Select another version or train again.") from None
