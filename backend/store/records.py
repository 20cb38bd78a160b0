"""One task with its annotations, as a snapshot keeps it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backend.errors import StoreError
from backend.projects.provenance import Provenance, provenance
from backend.projects.roles import Role


@dataclass(frozen=True)
class Annotation:
    """One annotation. Times are Label Studio's ISO 8601 texts, `lead_time` is in seconds."""

    id: int
    result: tuple[Mapping[str, Any], ...]
    """Label Studio's regions, as they came."""
    completed_by: int | None = None
    created_at: str = ""
    updated_at: str = ""
    lead_time: float | None = None
    parent_prediction: int | None = None
    """Label Studio's id of the prediction it was made from, while that row exists."""
    provenance: Provenance = Provenance.HUMAN
    was_cancelled: bool = False

    @classmethod
    def from_label_studio(cls, value: Mapping[str, Any], accepted: Collection[int] = ()) -> Annotation:
        """From an annotation as API or webhook give it; `accepted` are ids that runs of ours created."""
        person = value.get("completed_by")
        return cls(
            id=int(value["id"]),
            result=tuple(region for region in value.get("result") or () if isinstance(region, Mapping)),
            completed_by=person.get("id") if isinstance(person, Mapping) else person,
            created_at=str(value.get("created_at") or ""),
            updated_at=str(value.get("updated_at") or ""),
            lead_time=value.get("lead_time"),
            parent_prediction=value.get("parent_prediction"),
            provenance=provenance(value, accepted),
            was_cancelled=bool(value.get("was_cancelled")),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Annotation:
        return cls(**{**value, "result": tuple(value["result"]), "provenance": Provenance(value["provenance"])})


@dataclass(frozen=True)
class Record:
    """A task, its data and annotations, and the role it was given when it was first labelled."""

    task: int
    data: Mapping[str, Any]
    annotations: tuple[Annotation, ...] = ()
    role: Role = Role.TRAIN
    updated_at: str = ""

    @property
    def submitted(self) -> tuple[Annotation, ...]:
        """Annotations that answer the task; skips do not."""
        return tuple(annotation for annotation in self.annotations if not annotation.was_cancelled)

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "data": self.data,
            "annotations": [annotation.to_json() for annotation in self.annotations],
            "role": self.role.value,
            "updated_at": self.updated_at,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """The record that `to_json` wrote. Raises `StoreError` when it is incomplete."""
        try:
            annotations = tuple(map(Annotation.from_json, value["annotations"]))
            return cls(value["task"], value["data"], annotations, Role(value["role"]), value["updated_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"A snapshot's record is incomplete: {error!r}. Sync the project anew.") from None
