"""Features that frozen encoders computed: once per content and encoder, kept for ever.

They lie in immutable safetensors segments, found by the SHA-256 of what was encoded. The encoder's versioned name is
part of the place, so features of another encoder are never mistaken for them.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.errors import StoreError
from backend.store import paths
from backend.store.objects import ObjectMissing, ObjectStore
from backend.store.segments import SegmentLog
from backend.store.vectors import pack, unpack
from model_zoo.types import FloatArray

_MERGE_ABOVE = 32
"""Small segments that may exist before they are merged."""
_SMALL = 2048
"""Rows below which a segment counts as small."""


def feature_key(content: bytes | str) -> str:
    """The key under which the features of a text, or of a file's bytes, are kept."""
    return hashlib.sha256(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content).hexdigest()


class FeatureStore:
    """The features of all projects in a store, with about `max_bytes` of them in memory. Safe for threads."""

    def __init__(self, store: ObjectStore, max_bytes: int = 128 * 1024**2) -> None:
        self._store = store
        self._segments = _SegmentCache(store, max_bytes)
        self._indexes: dict[str, _Index] = {}
        self._lock = threading.Lock()

    def get(self, uid: str, encoder: str, keys: Iterable[str]) -> dict[str, FloatArray]:
        """Features, each of shape (dimensions,), of those `keys` that are stored."""
        index = self._index(uid, encoder)
        wanted = list(dict.fromkeys(keys))
        try:
            return self._rows(index.find(wanted))
        except ObjectMissing:
            index.refresh()  # merged away by another process between the look-up and the reading
            return self._rows(index.find(wanted))

    def missing(self, uid: str, encoder: str, keys: Iterable[str]) -> list[str]:
        """Those `keys`, in order and once each, that still have to be computed."""
        wanted = list(dict.fromkeys(keys))
        found = self._index(uid, encoder).find(wanted)
        return [key for key in wanted if key not in found]

    def add(self, uid: str, encoder: str, vectors: Mapping[str, FloatArray]) -> None:
        """Keep features by key (from `feature_key`); all of one shape (dimensions,)."""
        if vectors:
            index = self._index(uid, encoder)
            index.log.append(_encode(vectors))
            self._merge(index)

    def _merge(self, index: _Index) -> None:
        small = [name for name in index.refresh() if len(self._segments.get(name).keys) < _SMALL]
        if len(small) > _MERGE_ABOVE:
            segments = [self._segments.get(name) for name in small]
            index.log.merge(small, _encode({key: row for segment in segments for key, row in segment.by_key()}))

    def _rows(self, places: Mapping[str, tuple[str, int]]) -> dict[str, FloatArray]:
        segments = {name: self._segments.get(name) for name in {name for name, _ in places.values()}}
        return {key: segments[name].vectors[row] for key, (name, row) in places.items()}

    def _index(self, uid: str, encoder: str) -> _Index:
        folder = paths.within(uid, "features", encoder)
        with self._lock:
            if folder not in self._indexes:
                self._indexes[folder] = _Index(SegmentLog(self._store, folder, ".safetensors"), self._segments)
            return self._indexes[folder]


@dataclass(frozen=True)
class _Segment:
    """`keys`: shape (rows, 32), the digests' bytes; `vectors`: shape (rows, dimensions)."""

    keys: npt.NDArray[np.uint8]
    vectors: FloatArray

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.vectors.nbytes

    def by_key(self) -> Iterable[tuple[str, FloatArray]]:
        return zip((key.tobytes().hex() for key in self.keys), self.vectors, strict=True)


class _SegmentCache:
    """Decoded segments, the least recently used of which go first once they take too much memory."""

    def __init__(self, store: ObjectStore, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, _Segment] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> _Segment:
        """Raises `ObjectMissing` when the segment was merged away and is in memory no longer."""
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
                return self._held[name]
        segment = _decode(self._store.read(name), name)
        with self._lock:
            self._held[name] = segment
            while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > self._max_bytes:
                self._held.popitem(last=False)
        return segment


class _Index:
    """In which segment and row each key's features lie."""

    def __init__(self, log: SegmentLog, segments: _SegmentCache) -> None:
        self.log = log
        self._segments = segments
        self._places: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()

    def find(self, keys: list[str]) -> dict[str, tuple[str, int]]:
        """Places of those keys that are there. Segments of other processes are looked for when one is not."""
        found = self._look(keys)
        if len(found) < len(keys):
            self.refresh()
            found = self._look(keys)
        return found

    def refresh(self) -> list[str]:
        """Take in what was added and merged; the segments' names."""
        with self._lock:
            self._places = self.log.load(self._rows, self._places)
            return list(self._places)

    def _rows(self, name: str) -> dict[str, int]:
        return {key: row for row, (key, _) in enumerate(self._segments.get(name).by_key())}

    def _look(self, keys: list[str]) -> dict[str, tuple[str, int]]:
        places = self._places
        found = {}
        for key in keys:
            for name, rows in places.items():
                if key in rows:
                    found[key] = (name, rows[key])
                    break
        return found


def _encode(vectors: Mapping[str, FloatArray]) -> bytes:
    shapes = {np.shape(vector) for vector in vectors.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise StoreError(f"Got features of shapes {sorted(shapes)}, wanted one shape (dimensions,) for all.")
    keys = np.array([np.frombuffer(_key_bytes(key), np.uint8) for key in vectors])
    return pack({"keys": keys, "vectors": np.stack(list(vectors.values())).astype(np.float32)})


def _decode(data: bytes, name: str) -> _Segment:
    arrays = unpack(data, f"The features in {name}")
    vectors = arrays["vectors"]
    vectors.setflags(write=False)
    return _Segment(arrays["keys"], vectors)


def _key_bytes(key: str) -> bytes:
    try:
        digest = bytes.fromhex(key)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise StoreError(f"Got {key!r} as a feature's key, wanted what feature_key returns.")
    return digest
