"""Programs that tests start as processes, to be killed or to race: `python processes.py NAME ARGUMENTS`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from backend.errors import Superseded
from backend.store.artifacts import Artifacts
from backend.store.ledger import Event, Ledger
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions

BYTES = 300_000


def model(folder: Path, number: int) -> Path:
    """A model's folder whose files all say the same number, large enough to be met half-written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes(number.to_bytes(4, "big") * (BYTES // 4))
    return folder


def manifest(uid: str, name: str, fence: int, artifact: str) -> Manifest:
    """A manifest with one control."""
    control = ControlVersion("text_classification/minilm_linear.v1", artifact, ("a", "b"))
    return Manifest(uid, name, time.time(), fence, {"topic": control})


def publish_for_ever(url: str, uid: str, scratch: str) -> None:
    """Put a model and publish it, again and again; says each published name on a line."""
    store = ObjectStore(url)
    versions, artifacts = Versions(store), Artifacts(store)
    while True:
        name = versions.next_name(uid)
        digest = artifacts.put(model(Path(scratch), int(name[1:])))
        versions.publish(manifest(uid, name, versions.fence(uid), digest))
        print(name, flush=True)


def publish_under(url: str, uid: str, digest: str, fence: str, rounds: str, start_at: str) -> None:
    """From a given moment on, publish `rounds` times under one fence; says what came of each."""
    versions = Versions(ObjectStore(url))
    time.sleep(max(0.0, float(start_at) - time.time()))
    for _ in range(int(rounds)):
        name = versions.next_name(uid)
        try:
            versions.publish(manifest(uid, name, int(fence), digest))
        except Superseded:
            print("superseded", flush=True)
        else:
            print(name, flush=True)


def overwrite_for_ever(url: str, name: str) -> None:
    """Replace one object by another of the same kind, again and again."""
    store, number = ObjectStore(url), 0
    print("ready", flush=True)
    while True:
        number = (number + 1) % 256
        store.write(name, bytes([number]) * BYTES)


def claim(url: str, name: str, content: str, start_at: str) -> None:
    """Try at a given moment to be the one who creates an object; says whether it was."""
    store = ObjectStore(url)
    time.sleep(max(0.0, float(start_at) - time.time()))
    print(store.create(name, content.encode() * 50_000), flush=True)


def record_events(url: str, uid: str, kind: str, count: str) -> None:
    """Append events one by one."""
    ledger = Ledger(ObjectStore(url))
    for number in range(int(count)):
        ledger.append(uid, [Event(kind, time.time(), {"number": number})])


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
