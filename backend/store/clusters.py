"""The clusters of a project's tasks, with ids that mean the same in every version."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from backend.store import paths
from backend.store.objects import ObjectMissing, ObjectStore
from backend.store.vectors import Arrays, pack, unpack
from model_zoo.types import FloatArray


def _no_ids() -> npt.NDArray[np.int64]:
    return np.empty(0, np.int64)


def _no_centroids() -> FloatArray:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Clusters:
    """`ids`: shape (clusters,), each greater than 0; `centroids`: shape (clusters, dimensions), of length 1.

    Centroids are added and never moved or dropped, so an id once written to Label Studio keeps its meaning.
    """

    ids: npt.NDArray[np.int64] = field(default_factory=_no_ids)
    centroids: FloatArray = field(default_factory=_no_centroids)
    fitted_on: int = 0
    """How many tasks there were when centroids were last added."""

    def __len__(self) -> int:
        return len(self.ids)


class ClusterStore:
    """One small object per project and encoder, replaced as a whole."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def get(self, uid: str, encoder: str) -> Clusters:
        """The clusters; empty before the first were put."""
        name = _name(uid, encoder)
        try:
            arrays = unpack(self._store.read(name), name)
        except ObjectMissing:
            return Clusters()
        return Clusters(arrays["ids"], arrays["centroids"], int(arrays["fitted_on"][0]))

    def put(self, uid: str, encoder: str, clusters: Clusters) -> None:
        fitted_on = np.array([clusters.fitted_on], np.int64)
        arrays: Arrays = {"ids": clusters.ids, "centroids": clusters.centroids, "fitted_on": fitted_on}
        self._store.write(_name(uid, encoder), pack(arrays))


def _name(uid: str, encoder: str) -> str:
    return paths.within(uid, "clusters", f"{encoder}.safetensors")
