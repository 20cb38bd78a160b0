"""What a model's life has to stand: a thousand swaps under load, a refresh that is killed again and again, and a sync
of few changes among many tasks."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from backend.embedded_redis import EmbeddedRedis
from backend.jobs.collaborators import build_collaborators
from backend.jobs.shown import ShownLog
from backend.jobs.sync import Sync
from backend.labelstudio.changes import OVERLAP
from backend.labelstudio.config import parse_config
from backend.serving.swap import announce
from backend.settings import Settings
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from tests.benchmarks.backend import Backend, until
from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import descendants
from tests.benchmarks.projects import Known, text_project
from tests.benchmarks.traffic import Call, traffic
from tests.label_studio import LabelStudioInstance, start_instance

LABELLED = 12
RATE = 8.0
"""Requests a second, one task each."""
SWAPS_A_SECOND = 10.0
KILLS = 3


@contextmanager
def _studio(folder: Path) -> Iterator[LabelStudioInstance]:
    studio = start_instance(folder / "label-studio", folder)
    try:
        yield studio
    finally:
        studio.close()


def _train(backend: Backend, known: Known, version: str) -> None:
    backend.post("/train", {"project": known.uid})
    until(lambda: backend.version(known.uid) == version, f"{version} of {known.uid}", 300.0, 0.1)


def swaps(folder: Path, quick: bool) -> list[Figure]:
    """Publish as the training job does, again and again, while people's pages ask for predictions."""
    count = 20 if quick else 1000
    with _studio(folder) as studio, Backend(folder / "backend") as backend:
        known = text_project(studio, 60, LABELLED)
        backend.connect(studio, known.id)
        _train(backend, known, "v1")
        known.submit(known.unlabelled(1)[0])
        until(lambda: backend.version(known.uid) == "v2", "the second version", 120.0, 0.1)
        backend.rest(2.0)
        tasks = known.unlabelled(60)
        shown = [task for task in tasks if backend.post("/predict", known.predict_body(task))["results"][0]["result"]]
        calls = [Call("predict", "/predict", known.predict_body(task)) for task in shown[:8]]
        seconds = count / SWAPS_A_SECOND
        with traffic(backend.url) as requests:
            load = requests.send(calls, RATE, seconds)
            slowest, missing = _swap(backend, known, count)
            answers = load.result()
    failed = sum(answer.failed for answer in answers)
    part, note = "swaps", f"{count} versions published without training, {len(answers)} requests"
    return [
        Figure(part, "failed requests", failed, "", 0, note),
        Figure(part, "versions seen in answers", len({answer.version for answer in answers}), "", None, note),
        Figure(part, "swaps that the server did not acknowledge", missing, "", 0, note),
        Figure(part, "slowest acknowledged swap", slowest, "s", 1.0, note),
    ]


def _swap(backend: Backend, known: Known, count: int) -> tuple[float, int]:
    """The slowest acknowledgement in seconds, and how many lacked one."""
    versions = Versions(ObjectStore(backend.data_dir / "store"))
    patterns = [versions.get(known.uid, name) for name in versions.names(known.uid)[-2:]]
    slowest, missing, begun = 0.0, 0, time.monotonic()
    with closing(backend.redis) as connection:
        for number in range(count):
            time.sleep(max(0.0, begun + number / SWAPS_A_SECOND - time.monotonic()))
            name, fence = versions.next_name(known.uid), versions.fence(known.uid)
            versions.publish(replace(patterns[number % 2], name=name, created=time.time(), fence=fence))
            published = time.monotonic()
            missing += bool(announce(connection, known.uid, name))
            slowest = max(slowest, time.monotonic() - published)
    return slowest, missing


def refresh(folder: Path, quick: bool) -> list[Figure]:
    """Kill the worker with all below it while it writes predictions; it starts again and goes on."""
    count = 400 if quick else 10_000
    with _studio(folder) as studio, Backend(folder / "backend") as backend:
        known = text_project(studio, count, LABELLED)
        backend.connect(studio, known.id)
        _train(backend, known, "v1")
        begun, rows = time.monotonic(), []
        for number in range(KILLS):
            wanted = (number + 1) * count // (KILLS + 2)
            with suppress(TimeoutError):  # it was done before
                until(lambda wanted=wanted: len(_rows(known)) >= wanted, f"{wanted} predictions", 600.0, 1.0)  # type: ignore[misc]
            rows.append(len(_rows(known)))
            worker = backend.processes.worker
            for pid in (worker, *descendants(worker)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        backend.rest(2.0, 1800.0)
        seconds = time.monotonic() - begun
        tally = Counter(_rows(known))
        unlabelled = {int(task["id"]) for task in known.unlabelled(count)}
    part, note = "refresh", f"{count} tasks, worker killed at {', '.join(map(str, rows))} predictions"
    return [
        Figure(part, "tasks with two predictions", sum(number > 1 for number in tally.values()), "", 0, note),
        Figure(part, "tasks without a prediction", len(unlabelled - tally.keys()), "", 0, note),
        Figure(part, "from the training to the last prediction", seconds, "s", None, note),
    ]


def _rows(known: Known) -> list[int]:
    """The task of each stored prediction."""
    return [int(row["task"]) for row in known.project.predictions()]


def sync(folder: Path, quick: bool) -> list[Figure]:
    """The sync that begins each training: all of a labelled project at first, and then ten changes."""
    count, changed = (400, 10) if quick else (20_000, 10)
    redis = EmbeddedRedis(folder / "redis")
    redis.start()
    try:
        with _studio(folder) as studio:
            known = text_project(studio, count, count)
            settings = Settings(
                label_studio_url=studio.url,
                label_studio_api_key=SecretStr(studio.api_key),
                data_dir=folder / "data",
                redis_url=SecretStr(redis.url),
            )
            full, few, found = _synced(settings, known, changed, 0.0 if quick else OVERLAP.total_seconds())
    finally:
        redis.stop()
    part, note = "sync", f"{count} labelled tasks on SQLite"
    return [
        Figure(part, "full read", full, "s", None, note),
        Figure(part, f"{changed} changes", few, "s", None, f"{note}; the slower of two"),
        # A figure's limit is the highest value that reaches the target.
        Figure(part, f"{changed} changes to full read", few / full, "times", 1 / 20, note),
        Figure(part, "changes that were missed", changed - found, "", 0, note),
    ]


def _synced(settings: Settings, known: Known, changed: int, rest: float) -> tuple[float, float, int]:
    """Seconds of a full read and of the slower of two reads of a few changes, and how many of those were found."""
    config = parse_config(known.config)
    tasks = known.project.task_ids()[:: max(1, len(known.answers) // changed)][:changed]
    with closing(build_collaborators(settings)) as parts, parts.label_studio() as client:
        job, shown = Sync(parts.snapshots, parts.ledger, parts.roles), ShownLog(parts.redis, known.uid)

        def run() -> tuple[float, int]:
            begun = time.monotonic()
            records = job.run(known.uid, config, client, shown).records
            return time.monotonic() - begun, sum(len(records[task].annotations) for task in tasks)

        full, _ = run()
        # Each sync looks back a minute, and all these labels were made in one: a project whose labels are older, and
        # one change that takes the cursor past them.
        time.sleep(rest)
        known.submit(known.open(tasks[0]))
        _, before = run()
        slowest = 0.0
        for _ in range(2):
            for task in tasks:
                known.submit(known.open(task))
            took, after = run()
            slowest, found, before = max(slowest, took), after - before, after
    return full, slowest, found


PARTS: Mapping[str, Callable[[Path, bool], list[Figure]]] = {"swaps": swaps, "refresh": refresh, "sync": sync}
"""What each part is measured by, given an empty folder and whether to be quick."""
