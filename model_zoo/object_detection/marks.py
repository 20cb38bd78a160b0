"""The points of the objects in a training image, which go with it when it is scaled, turned and mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_zoo.oriented import hull
from model_zoo.poses import SEEN, UNKNOWN, States, around
from model_zoo.types import FloatArray


@dataclass(frozen=True)
class Marks:
    """Places (n, k, 2) in pixels, states (n, k), and which objects' boxes follow from their points (n,)."""

    places: FloatArray
    states: States
    derived: npt.NDArray[np.bool_]

    def moved(self, matrix: npt.NDArray[np.floating]) -> Marks:
        """After an affine movement (2, 3)."""
        return replace(self, places=(self.places @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))

    def frames(self, boxes: FloatArray) -> FloatArray:
        """`boxes` (n, 4), with what holds the points now where they follow from these."""
        made = boxes.copy()
        for at in np.flatnonzero(self.derived & (self.states > UNKNOWN).any(axis=1)):
            made[at] = around(self.places[at][self.states[at] > UNKNOWN], np.inf, np.inf)
        return made

    def within(self, width: int, height: int) -> Marks:
        """What a frame of that size shows: nothing is known of points outside."""
        inside = ((self.places >= 0) & (self.places <= [width, height])).all(axis=2)
        return replace(self, states=np.where(inside, self.states, UNKNOWN))

    def mirrored(self, width: int, pairs: tuple[int, ...]) -> Marks:
        """In a mirror, where each point is taken for its partner's."""
        order = list(pairs) or list(range(self.states.shape[1]))
        places = self.places[:, order] * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32)
        return replace(self, places=places, states=self.states[:, order])

    def of(self, kept: npt.NDArray[np.bool_]) -> Marks:
        """Those of some objects."""
        return replace(self, places=self.places[kept], states=self.states[kept], derived=self.derived[kept])

    @staticmethod
    def join(parts: Sequence[Marks]) -> Marks:
        """Those of several images, at least one, of one kind."""
        return replace(
            parts[0],
            places=np.concatenate([part.places for part in parts]),
            states=np.concatenate([part.states for part in parts]),
            derived=np.concatenate([part.derived for part in parts]),
        )


@dataclass(frozen=True)
class Quads(Marks):
    """The corners (n, 4, 2) of turned boxes, clockwise: the boxes around them follow from them, and what lies beyond an
    edge counts."""

    @classmethod
    def of_corners(cls, places: FloatArray) -> Quads:
        return cls(places, np.full(places.shape[:2], SEEN, np.int64), np.ones(len(places), np.bool_))

    def frames(self, boxes: FloatArray) -> FloatArray:
        return hull(self.places).astype(np.float32)

    def within(self, width: int, height: int) -> Marks:
        return self

    def mirrored(self, width: int, pairs: tuple[int, ...]) -> Marks:
        return super().mirrored(width, (1, 0, 3, 2))
