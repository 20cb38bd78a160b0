"""Which family answers for a control: the one its config names, the one it had before, or the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.converters import CONVERTERS
from backend.converters.maps import as_before
from backend.errors import InvalidConfig
from backend.labelstudio.config import Control
from backend.labelstudio.controls import MAPPED
from backend.settings import Settings
from backend.store.manifest import ControlVersion

if TYPE_CHECKING:
    from model_zoo.base import Family
    from model_zoo.types import Target

WEIGHTS_FILE = "weights_file"
"""Key in a part's recipe: the file inside the weights folder that the config named."""


@dataclass(frozen=True)
class Families:
    """The zoo as this process sees it. Families that share a weights folder share their encoders. `outside` are the
    dotted paths of those that the operator has added: a config may name them, and nothing else that can be imported."""

    weights_dir: Path | None = None
    outside: tuple[str, ...] = ()

    @classmethod
    def of_settings(cls, settings: Settings) -> Families:
        return cls(settings.weights_dir, settings.families)

    def of(self, control: Control, before: ControlVersion | None = None) -> Family:
        """The control's family. `before` is its part of the version that serves now: a default, once chosen, never
        changes under people. Raises `InvalidConfig` for a name that the zoo does not have, or that is of another kind
        of task."""
        # Imported here: the server must not load the zoo before a model is needed.
        from model_zoo.errors import UnknownFamily
        from model_zoo.registry import default_family

        control = as_before(control, before)
        kind = CONVERTERS[control.tag].kind(control)
        if kind is None:
            raise InvalidConfig(f'No model fits {control.tag} "{control.name}" on {control.object_tag}.')
        if before is not None and control.tag in MAPPED and not before.family.startswith(f"{kind.value}/"):
            before = None  # the config, or what people paint, asks for the other kind by now
        name = control.model or (before.family if before else default_family(kind))
        try:
            chosen = self.named(name, control.model_path)
        except UnknownFamily as error:
            raise InvalidConfig(f'prelabel_model of {control.tag} "{control.name}": {error}') from None
        if chosen.task is not kind:
            raise InvalidConfig(
                f'prelabel_model of {control.tag} "{control.name}": {chosen.name} solves {chosen.task.value}, wanted '
                f"a family for {kind.value}. `prelabel models` lists them."
            )
        return chosen

    def named(self, name: str, weights_file: str | None) -> Family:
        """The family of that name, or of that dotted path, with weights from that file of the weights folder. Raises
        the zoo's `UnknownFamily`."""
        from model_zoo.outside import outside_family

        return self._family(outside_family(name).name if name in self.outside else name, weights_file)

    def suited(self, control: Control, chosen: Family, truths: Sequence[Target]) -> Family:
        """`chosen`, or the family that people's answers ask for in its place; what a config names stays."""
        name = None if control.model else chosen.instead(truths)
        return chosen if name is None else self._family(name, control.model_path)

    def comparing(self, control: Control, chosen: Family) -> Family | None:
        """Whose features tell how alike the control's tasks are: `chosen`, or where that learns from raw inputs, the
        default for classifying such objects. None where there is none."""
        from model_zoo.registry import default_family, family
        from model_zoo.types import TaskKind

        if chosen.encoder() is not None:
            return chosen
        classifying = TaskKind.IMAGE_CLASSIFICATION if control.object_tag == "Image" else TaskKind.TEXT_CLASSIFICATION
        return family(default_family(classifying), self.weights_dir)

    def behind(self, part: ControlVersion) -> Family:
        """The family that trained `part`. Raises the zoo's `UnknownFamily`."""
        weights_file = part.recipe.get(WEIGHTS_FILE)
        return self._family(part.family, str(weights_file) if weights_file else None)

    def _family(self, name: str, weights_file: str | None) -> Family:
        from model_zoo.outside import outside_families
        from model_zoo.registry import family

        return family(name, self.weights_dir, weights_file, outside_families(self.outside))
