"""What was labelled at a moment: immutable, and cheap to change a little.

Records lie in chunks by task id, each named by its content's digest, so that two snapshots share what did not
change between them: ten changes among 20,000 tasks rewrite at most ten chunks of 128 records.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from backend.errors import StoreDamaged, StoreError
from backend.store import paths
from backend.store.objects import ObjectMissing, ObjectStore, to_json
from backend.store.records import Record

_TASKS_A_CHUNK = 128
_FORMAT, _READ = 2, (1, 2)
"""What is written, and what is read: in format 1, records had annotations with their regions within."""
_ID = re.compile(r"[0-9a-f]{64}")

_Chunk = dict[int, Record]


@dataclass(frozen=True)
class SnapshotIndex:
    """A snapshot's own object: its chunks by bucket, how many records each holds, and the sync's cursor."""

    chunks: dict[int, tuple[str, int]] = field(default_factory=dict)
    cursor: Any = None

    @property
    def tasks(self) -> int:
        """How many tasks the snapshot records."""
        return sum(count for _, count in self.chunks.values())

    def to_bytes(self) -> bytes:
        chunks = {str(bucket): list(entry) for bucket, entry in self.chunks.items()}
        return to_json({"format": _FORMAT, "cursor": self.cursor, "chunks": chunks})


@dataclass(frozen=True)
class Change:
    """One task that differs between two snapshots; None on the side that does not have it."""

    task: int
    before: Record | None
    after: Record | None


class Snapshots:
    """The snapshots of all projects in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(
        self,
        uid: str,
        base: str | None,
        changed: Iterable[Record],
        deleted: Iterable[int] = (),
        cursor: Any = None,
    ) -> str:
        """A new snapshot: `base` (None: nothing) with tasks changed or added, and tasks deleted; its id.

        `cursor` is any JSON that says up to where Label Studio was read; it is part of the snapshot.
        """
        changes: dict[int, dict[int, Record | None]] = defaultdict(dict)
        for task in deleted:
            changes[_bucket(task)][task] = None
        for record in changed:
            changes[_bucket(record.task)][record.task] = record
        chunks = dict(self.index(uid, base).chunks) if base else {}
        for bucket, tasks in changes.items():
            before = self._chunk(uid, chunks[bucket][0]) if bucket in chunks else {}
            after = {task: record for task, record in {**before, **tasks}.items() if record is not None}
            chunks.pop(bucket, None)
            if after:
                chunks[bucket] = (self._put_chunk(uid, after), len(after))
        index = SnapshotIndex(chunks, cursor).to_bytes()
        snapshot = _sha256(index)
        self._store.write(_index_name(uid, snapshot), index)  # the same again, or in the place of a damaged one
        return snapshot

    def read(self, uid: str, snapshot: str) -> Iterator[Record]:
        """Every record, by task id."""
        for _, (digest, _) in sorted(self.index(uid, snapshot).chunks.items()):
            chunk = self._chunk(uid, digest)
            yield from (chunk[task] for task in sorted(chunk))

    def pick(self, uid: str, snapshot: str, tasks: Collection[int]) -> dict[int, Record]:
        """The records of some tasks; those that the snapshot does not have are left out."""
        chunks = self.index(uid, snapshot).chunks
        buckets = sorted({_bucket(task) for task in tasks} & chunks.keys())
        loaded = (self._chunk(uid, chunks[bucket][0]) for bucket in buckets)
        return {task: record for chunk in loaded for task, record in chunk.items() if task in tasks}

    def diff(self, uid: str, old: str, new: str) -> Iterator[Change]:
        """What differs between two snapshots, by task id; only chunks that differ are read."""
        before, after = self.index(uid, old).chunks, self.index(uid, new).chunks
        for bucket in sorted(before.keys() | after.keys()):
            if before.get(bucket) == after.get(bucket):
                continue
            were = self._chunk(uid, before[bucket][0]) if bucket in before else {}
            are = self._chunk(uid, after[bucket][0]) if bucket in after else {}
            for task in sorted(were.keys() | are.keys()):
                if were.get(task) != are.get(task):
                    yield Change(task, were.get(task), are.get(task))

    def names(self, uid: str) -> list[str]:
        """Ids of the snapshots there are, sorted."""
        listed = self._store.list(paths.within(uid, "snapshots"))
        return [name.rpartition("/")[2].removesuffix(".json") for name in listed]

    def prune(self, uid: str, kept: Collection[str]) -> None:
        """Delete all snapshots but those `kept`, and chunks that none of these has. Nobody may write one meanwhile."""
        needed = {digest for snapshot in kept for digest, _ in self.index(uid, snapshot).chunks.values()}
        for snapshot in self.names(uid):
            if snapshot not in kept:
                self._store.delete(_index_name(uid, snapshot))
        for name in self._store.list(paths.within(uid, "chunks")):
            if name.rpartition("/")[2].removesuffix(".jsonl.gz") not in needed:
                self._store.delete(name)

    def index(self, uid: str, snapshot: str) -> SnapshotIndex:
        """The snapshot's cursor and number of tasks, without reading records.

        Raises `StoreDamaged` where it is not what was written, as all that reads a snapshot does.
        """
        value = json.loads(_intact(self._store.read(_index_name(uid, snapshot)), snapshot))
        if value.get("format") not in _READ:
            raise StoreError(f"Got a snapshot of format {value.get('format')}, wanted {_FORMAT}. Update Prelabel.")
        return SnapshotIndex(
            {int(bucket): (digest, count) for bucket, (digest, count) in value["chunks"].items()}, value["cursor"]
        )

    def head(self, uid: str) -> str | None:
        """The newest snapshot that a sync took, whether or not a version has learnt from it yet."""
        try:
            return str(self._store.read_json(paths.within(uid, "snapshot.json"))["id"])
        except ObjectMissing:
            return None

    def set_head(self, uid: str, snapshot: str) -> None:
        """Remember where the next sync begins. An older head is harmless: more is read again."""
        self._store.write(paths.within(uid, "snapshot.json"), to_json({"id": snapshot}))

    def _chunk(self, uid: str, digest: str) -> _Chunk:
        packed = self._store.read(_chunk_name(uid, digest))
        try:
            lines = _intact(gzip.decompress(packed), digest).splitlines()
        except (OSError, EOFError) as error:
            raise StoreDamaged(f"Chunk {digest} of project {uid}'s snapshots is damaged: {error}.") from None
        return {record.task: record for record in map(Record.from_json, map(json.loads, lines))}

    def _put_chunk(self, uid: str, chunk: _Chunk) -> str:
        data = b"".join(to_json(chunk[task].to_json(), finite=False) + b"\n" for task in sorted(chunk))
        digest = _sha256(data)
        self._store.write(_chunk_name(uid, digest), gzip.compress(data, 5, mtime=0))
        return digest


def _bucket(task: int) -> int:
    return task // _TASKS_A_CHUNK


def _intact(data: bytes, digest: str) -> bytes:
    if _sha256(data) != digest:
        raise StoreDamaged(f"Snapshot object {digest} is damaged: its content is another. Restore it, or sync anew.")
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _index_name(uid: str, snapshot: str) -> str:
    if not _ID.fullmatch(snapshot):
        raise StoreError(f"Got {snapshot!r} as a snapshot's id, wanted 64 hexadecimal digits.")
    return paths.within(uid, "snapshots", f"{snapshot}.json")


def _chunk_name(uid: str, digest: str) -> str:
    return paths.within(uid, "chunks", f"{digest}.jsonl.gz")
