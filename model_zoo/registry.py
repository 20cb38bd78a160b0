"""The zoo's one list. Importing it, or listing what it names, imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from model_zoo.base import Family
from model_zoo.captions.family import ShowAndTell
from model_zoo.errors import UnknownFamily, WeightsNotFound
from model_zoo.image_classification.efficientnet_lite0_linear import EfficientNetLite0Linear
from model_zoo.image_classification.mobilenet_v2_linear import MobileNetV2Linear
from model_zoo.instance_segmentation.yolo_seg import YoloSegV1
from model_zoo.keypoints.family import YoloPoseV1
from model_zoo.named_entities.family import MiniLMTagger
from model_zoo.object_detection.family import YoloV1, YoloV3Tiny
from model_zoo.oriented_detection.family import YoloObbV1
from model_zoo.region_classification.family import RegionLinearV1
from model_zoo.region_classification.spans import SpanLinearV1, SpanLinearV2
from model_zoo.runtime import shared_runtime
from model_zoo.semantic_segmentation.family import UnetLite0
from model_zoo.text_classification.minilm_linear import MiniLMLinear
from model_zoo.types import TaskKind
from model_zoo.weights import locate

FAMILIES: tuple[type[Family], ...] = (
    MiniLMLinear,
    EfficientNetLite0Linear,
    MobileNetV2Linear,
    YoloV1,
    YoloV3Tiny,
    YoloObbV1,
    YoloSegV1,
    UnetLite0,
    YoloPoseV1,
    MiniLMTagger,
    RegionLinearV1,
    SpanLinearV2,
    SpanLinearV1,
    ShowAndTell,
)
"""Every family. The first of a task's is its default for new projects; older ones keep what their versions name."""


@dataclass(frozen=True)
class FamilyCard:
    """What `prelabel models` says of a family. `found` names where its weights are, None where they are not;
    `size` is that of the weights in bytes; `missing` is the extra that has to be installed first, if any."""

    name: str
    task: TaskKind
    weights: tuple[str, ...]
    found: str | None
    licence: str
    size: int
    missing: str | None = None


def by_name(families: Sequence[type[Family]]) -> dict[str, type[Family]]:
    """Raises ValueError when two families share a name."""
    twice = [name for name, count in Counter(kind.name for kind in families).items() if count > 1]
    if twice:
        raise ValueError(f"Two families are called {twice[0]!r}; give one of them another name or version.")
    return {kind.name: kind for kind in families}


_BY_NAME = by_name(FAMILIES)


def family(
    name: str,
    weights_dir: Path | None = None,
    weights_file: str | None = None,
    outside: Sequence[type[Family]] = (),
) -> Family:
    """The family called `name`; all that share a weights folder in this process share their encoders.

    `weights_file` names a file inside that folder; `outside` are families beside those of the list. Raises
    `UnknownFamily`.
    """
    try:
        known = by_name([*FAMILIES, *outside]) if outside else _BY_NAME
    except ValueError as twice:
        raise UnknownFamily(str(twice)) from None
    kind = known.get(name)
    if kind is None:
        raise UnknownFamily(
            f"Got the model {name!r}, wanted one of: {', '.join(known)}; or a dotted path listed in PRELABEL_FAMILIES."
        )
    return kind(shared_runtime(weights_dir), weights_file)


def default_family(kind: TaskKind) -> str:
    """The name of the family that new projects of this kind start with. Raises `UnknownFamily`."""
    for candidate in FAMILIES:
        if candidate.task is kind:
            return candidate.name
    raise UnknownFamily(
        f"No family solves {kind.value}; wanted one of: {', '.join(sorted({f.task for f in FAMILIES}))}."
    )


def describe(weights_dir: Path | None = None, outside: Sequence[type[Family]] = ()) -> list[FamilyCard]:
    """A card for each family, in the list's order, and for those `outside`. Asks nothing over the network."""
    return [
        FamilyCard(
            kind.name,
            kind.task,
            tuple(weights.name for weights in kind.weights),
            _found(kind, weights_dir),
            kind.licence,
            kind.weights[0].size if kind.any_weights else sum(weights.size for weights in kind.weights),
            kind.extra if kind.package is not None and find_spec(kind.package) is None else None,
        )
        for kind in (*FAMILIES, *outside)
    ]


def _found(kind: type[Family], weights_dir: Path | None) -> str | None:
    """Where the family's weights are, or the first of them where one is enough; None where they are not."""
    if not kind.weights:
        return "none needed"
    origins = []
    for weights in kind.weights:
        try:
            origins.append(locate(weights, weights_dir, hub=False).origin)
        except WeightsNotFound:
            if not kind.any_weights:
                return None
    return ", ".join(origins[:1] if kind.any_weights else origins) or None
