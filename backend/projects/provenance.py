"""Where an annotation came from: a pure function of what Label Studio recorded about it.

Label Studio says so nowhere directly; these are the marks that each way leaves (1.23.2). Saving through the
API, as the labelling page does, sets `updated_by`. Importing and "Create annotations from predictions" insert
rows in bulk and leave it null: the former with `import_id` where the file gave an id and with `ground_truth`
true unless the file denies it, the latter with `parent_prediction` and without `lead_time`, its regions copied from
the prediction with their `score`. `parent_prediction` becomes null once that prediction is deleted. Deleting a
person's account nulls `completed_by` and `updated_by`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any


class Provenance(str, Enum):
    """Who vouches for an annotation."""

    HUMAN = "human"
    ACCEPTED = "accepted"
    """A prediction that a run turned into an annotation; nobody has saved it since."""
    IMPORTED = "imported"

    @property
    def is_human(self) -> bool:
        return self is Provenance.HUMAN


def provenance(annotation: Mapping[str, Any], accepted: Collection[int] = ()) -> Provenance:
    """The provenance of an annotation as the API gives it.

    `accepted` are ids of annotations that runs of ours created through the API, from the ledger. One that a
    person has saved again, and so timed, is theirs.
    """
    if annotation.get("id") in accepted and annotation.get("lead_time") is None:
        return Provenance.ACCEPTED
    if annotation.get("updated_by") is not None or _account_deleted(annotation):
        return Provenance.HUMAN
    if annotation.get("import_id") is not None:
        return Provenance.IMPORTED
    if annotation.get("lead_time") is None and (annotation.get("parent_prediction") is not None or _copied(annotation)):
        return Provenance.ACCEPTED
    return Provenance.IMPORTED if "updated_by" in annotation else Provenance.HUMAN


def _account_deleted(annotation: Mapping[str, Any]) -> bool:
    """Whether a saved annotation lost its people; an import always names somebody."""
    return "completed_by" in annotation and annotation["completed_by"] is None and annotation.get("import_id") is None


def _copied(annotation: Mapping[str, Any]) -> bool:
    """Whether the regions are a prediction's own, untouched, the prediction itself being gone."""
    regions = annotation.get("result") or []
    return (
        not annotation.get("ground_truth")
        and bool(regions)
        and all(
            isinstance(region, Mapping) and region.get("score") is not None and region.get("origin") is None
            for region in regions
        )
    )
