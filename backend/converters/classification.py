"""What all controls that classify a whole object have in common: one region, and labels in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from backend.converters.base import Region, Report, always_asked, log, region_id, title
from backend.converters.remarks import marker_of, places_of, remarks_in, remarks_of
from backend.converters.seen import KINDS, OF_REGIONS, seen_of
from backend.labelstudio.config import Control, shorten
from backend.labelstudio.payloads import kind_of
from model_zoo.postprocess.base import ClassificationDecision, Decision, RegionDecision
from model_zoo.targets import some_of
from model_zoo.types import Item, Labels, LabelSpace, Remark, Target, TaskKind


class ClassificationConverter(ABC):
    """Label Studio stores one region a control, and none where nothing was chosen. A tag says how its labels are
    written in that region's value, under `key`, which is the region's type as well."""

    tag: ClassVar[str]
    key: ClassVar[str]
    wanted: ClassVar[str]
    """What is to be found under `key`, for messages."""
    may_be_empty: ClassVar[bool] = False

    @abstractmethod
    def read(self, control: Control, value: Any) -> list[str] | None:
        """The names in a region's value, known to the config or not; None where it is malformed."""

    @abstractmethod
    def write(self, control: Control, names: Sequence[str]) -> Any:
        """The same back, of names that the config has, at least one, the most confident first."""

    def kind(self, control: Control) -> TaskKind | None:
        kind = KINDS.get(control.object_tag)
        return OF_REGIONS.get(kind) if control.about and kind is not None else kind

    def label_space(self, control: Control) -> LabelSpace:
        return LabelSpace(
            names=control.label_names,
            multiple=control.multiple,
            descriptions=tuple(label.descriptions for label in control.labels),
            ordered=control.ordered,
        )

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        """What people see of the object; where single spans of it are asked about, the text that these are counted
        in."""
        marker = marker_of(control)
        return seen_of(control, data) if marker is None else marker.input_of(control, data)

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> Target | None:
        """The labels chosen; of a control about single regions, those chosen for each, with its place.

        Choosing nothing means that no label holds where several may, and no answer otherwise. Labels that the config no
        longer has are left out and reported; so is what would be no label at all.
        """
        if control.about:
            return remarks_of(control, result, lambda rows: self._chosen(control, rows, report))
        return self._chosen(control, result, report)

    def _chosen(self, control: Control, result: Sequence[Any], report: Report) -> Labels | None:
        chosen: list[str] = []
        complete = True
        for region in result:
            if isinstance(region, Mapping) and region.get("from_name") == control.name:
                names = self._names(control, region, report)
                known = [name for name in names if control.has_label(name)]
                chosen += known
                complete = complete and bool(names) and known == names
        labels = frozenset(chosen)
        if not labels:
            return labels if control.multiple and complete and always_asked(control) else None
        if len(labels) > 1 and not control.multiple:
            report(f"{title(control)} takes one label, and an annotation has {len(labels)}; it is not learnt from.")
            return None
        return labels

    def target(self, decoded: Target, item: Item) -> Target:
        remarks = some_of(Remark, decoded)
        return remarks_in(item, remarks) if remarks else decoded

    def encode(self, control: Control, decision: Decision, *, key: str) -> list[Region]:
        """One region with the labels decided for, as many as the control takes; its score is the confidence of the
        least certain of them. What is decided of single regions is written by `remarked`."""
        if not isinstance(decision, ClassificationDecision):
            raise TypeError(f"Got a {type(decision).__name__}, wanted a ClassificationDecision to choose labels from.")
        found = _taken(control, decision.labels)
        if not found:
            return []
        return [
            {
                "id": region_id(key, control.name),
                "from_name": control.name,
                "to_name": control.to_name,
                "type": self.key,
                "value": {self.key: self.write(control, list(found))},
                "score": min(max(min(found.values()), 0.0), 1.0),
            }
        ]

    def remarked(self, control: Control, decision: Decision, drawn: Sequence[Region]) -> list[Region]:
        """What is decided of each of the `drawn` regions that the control is about: a region of the same id and shape,
        as Label Studio stores it."""
        if not isinstance(decision, RegionDecision):
            raise TypeError(f"Got a {type(decision).__name__}, wanted a RegionDecision to say something of regions.")
        made: list[Region] = []
        marked = [region for region, _ in places_of(control, drawn)]
        for region, remark, score in zip(marked, decision.remarks, decision.scores, strict=True):
            names = list(_taken(control, [(name, score) for name in remark.labels]))
            if names:
                shape = {name: part for name, part in region["value"].items() if name != region["type"]}
                value = {**shape, self.key: self.write(control, names)}
                said = {"from_name": control.name, "type": self.key, "value": value}
                made.append({**region, **said, "score": min(max(score, 0.0), 1.0)})
        return made

    def _names(self, control: Control, region: Mapping[str, Any], report: Report) -> list[str]:
        """The names in one region, with a report of each that cannot be used. Empty where the region is malformed."""
        value = region.get("value")
        if region.get("type") != self.key or not isinstance(value, Mapping):
            report(f'{title(control)} got a region of type "{shorten(str(region.get("type")))}"; it is left out.')
            return []
        names = self.read(control, value.get(self.key))
        if names is None:
            report(f"{title(control)} wants {self.wanted}, got {kind_of(value.get(self.key))}; it is left out.")
            return []
        for name in names:
            if not control.has_label(name):
                report(f'{title(control)} no longer has the label "{shorten(name)}" of an annotation; it is left out.')
        return names


def _taken(control: Control, labels: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The names that the config has for predicted labels, as many as the control takes, with their confidence."""
    found: dict[str, float] = {}
    for predicted, confidence in labels:
        name = control.label_of(predicted)
        if name is not None and len(found) < (control.at_most or len(control.labels)):
            found.setdefault(name, float(confidence))
    return found
