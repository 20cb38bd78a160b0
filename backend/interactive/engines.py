"""The engines that this process has weights for, loaded when they are first asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from model_zoo.errors import ZooError
from model_zoo.interactive.grabcut import GrabCut
from model_zoo.interactive.instances import Instances, Proposer
from model_zoo.interactive.poses import COCO_POSER, Poser
from model_zoo.interactive.prompts import Engine
from model_zoo.interactive.proposals import COCO_SEGMENTER, Segmenter
from model_zoo.interactive.sam import MOBILE_SAM, SAM_B, SegmentAnything
from model_zoo.object_detection.upstream import require
from model_zoo.weights import Weights, locate

log = logging.getLogger(__name__)

Made = TypeVar("Made")


@dataclass(frozen=True)
class Engines:
    """What the weights folder has. Nothing is looked for before it is needed, and nothing on the network."""

    weights_dir: Path | None = None

    @cached_property
    def segmenter(self) -> Segmenter | None:
        """Sees the objects of COCO with masks; None without its weights."""
        return self._found(COCO_SEGMENTER, Segmenter)

    @cached_property
    def poser(self) -> Poser | None:
        """Sees people's points; None without its weights."""
        return self._found(COCO_POSER, Poser)

    @cached_property
    def maskers(self) -> Sequence[Engine]:
        """What turns a click into a mask, the best first; the last needs no weights."""
        sam = self._found(MOBILE_SAM, SegmentAnything) or self._found(SAM_B, SegmentAnything)
        found: list[Engine] = [sam] if sam is not None else []
        if self.segmenter is not None:
            found.append(Instances(self.segmenter))
        return (*found, GrabCut())

    def with_own(self, own: Proposer | None) -> Sequence[Engine]:
        """`maskers`, before the objects of COCO those that a project's own segmenter sees."""
        if own is None:
            return self.maskers
        at = next((at for at, one in enumerate(self.maskers) if isinstance(one, Instances | GrabCut)), 0)
        return (*self.maskers[:at], Instances(own), *self.maskers[at:])

    def _found(self, weights: Weights, make: Callable[[Path], Made]) -> Made | None:
        try:
            require()
            return make(locate(weights, self.weights_dir, hub=False).main)
        except ZooError as error:
            log.info("No engine %s: %s", weights.name, error)
            return None
