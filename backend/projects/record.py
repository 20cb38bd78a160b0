"""What is remembered of a project: enough to predict and train for it when Label Studio does not say again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from backend.errors import StoreError
from backend.projects.identity import Uid


@dataclass(frozen=True)
class ProjectRecord:
    """One project as last seen.

    Only `/setup`, `/webhook` and `connect` write it: what jobs find out is kept elsewhere, so that no job puts an
    older config back.
    """

    uid: str
    title: str
    label_config: str
    set_up_at: float = 0.0
    """Unix seconds when Label Studio last called `/setup`, or `connect` recorded the project."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """How to train, from the backend's extra params in Label Studio: hyperparameters, or objects of them by control."""

    def __post_init__(self) -> None:
        Uid(self.uid)

    @property
    def id(self) -> int:
        """Label Studio's id of the project."""
        return Uid(self.uid).project_id

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ProjectRecord:
        """The record that `to_json` wrote; keys that a newer Prelabel added are ignored. Raises `StoreError`."""
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{key: item for key, item in value.items() if key in known})
        except (TypeError, AttributeError) as error:
            raise StoreError(f"A project record is incomplete ({error}). Set the project up again.") from None
