"""One task with its annotations, and the line of a manifest that a snapshot keeps of it.

Lines have the shape of SageMaker Ground Truth's augmented manifest
(https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html): `source-ref` names media, `source` is a text;
`labels` has the regions of each annotation as Label Studio has them, and `labels-metadata` says who answered, when, and
whether that was a person. Regions are not decoded here: a config may change, and what was said stays. What each control
makes of them is what `prelabel snapshot export` writes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
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

    @property
    def metadata(self) -> dict[str, Any]:
        """All but the regions, as JSON."""
        return {
            **{name: value for name, value in vars(self).items() if name != "result"},
            "provenance": self.provenance.value,
        }

    @classmethod
    def from_json(cls, result: Iterable[Mapping[str, Any]], metadata: Mapping[str, Any]) -> Annotation:
        return cls(**{**metadata, "result": tuple(result), "provenance": Provenance(metadata["provenance"])})


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
        """The manifest's line."""
        return {
            **_with_source(self.data),
            "task": self.task,
            "role": self.role.value,
            "updated_at": self.updated_at,
            "labels": [list(annotation.result) for annotation in self.annotations],
            "labels-metadata": {
                "type": "groundtruth/custom",
                "job-name": "prelabel",
                "human-annotated": "yes" if any(one.provenance.is_human for one in self.submitted) else "no",
                "creation-date": max((one.updated_at or one.created_at for one in self.annotations), default=""),
                "annotations": [annotation.metadata for annotation in self.annotations],
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """The record that `to_json` wrote, here or in an earlier release. Raises `StoreError` when it is incomplete."""
        try:
            if "annotations" in value:  # earlier releases had the regions within
                pairs = [(one["result"], one) for one in value["annotations"]]
            else:
                pairs = list(zip(value["labels"], value["labels-metadata"]["annotations"], strict=True))
            annotations = tuple(Annotation.from_json(result, metadata) for result, metadata in pairs)
            return cls(value["task"], _without_source(value), annotations, Role(value["role"]), value["updated_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"A snapshot's record is incomplete: {error!r}. Sync the project anew.") from None


MEDIA = re.compile(r"(?:[a-z][a-z0-9+.-]*://|data:|/)\S*", re.IGNORECASE)
"""What may be an address of media: with a scheme, or on Label Studio itself."""


def _with_source(data: Mapping[str, Any]) -> dict[str, Any]:
    """The task's data, of which one value stands as the format wants it: the first that may be an address of media,
    else the first text. `source-key` is its key."""
    texts = [(key, value) for key, value in sorted(data.items()) if isinstance(value, str)]
    media = [(key, value) for key, value in texts if MEDIA.fullmatch(value)]
    for name, found in (("source-ref", media), ("source", texts)):
        if found:
            key, value = found[0]
            return {name: value, "source-key": key, "data": {one: data[one] for one in data if one != key}}
    return {"data": dict(data)}


def _without_source(value: Mapping[str, Any]) -> Mapping[str, Any]:
    data: dict[str, Any] = dict(value["data"])
    if "source-key" in value:
        data[value["source-key"]] = value["source-ref"] if "source-ref" in value else value["source"]
    return data
