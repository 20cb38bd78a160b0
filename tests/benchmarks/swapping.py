"""`/predict` under load: before, while trainings run, during a hundred swaps, and after."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from backend.serving.swap import announce
from backend.store.manifest import Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from tests.benchmarks.figures import Figure
from tests.benchmarks.pressure import Pressure, settle
from tests.benchmarks.projects import Known
from tests.benchmarks.stage import Stage
from tests.benchmarks.traffic import Answer, Answers, Call, traffic

RATE = 8.0
"""Requests a second, one task each: more than 20 people labelling at once cause."""
RATIO = 1.5
KINDS = ("text", "image")


def measure(stage: Stage) -> list[Figure]:
    """95th percentiles of requests for one text and one image in turn."""
    calls = _calls(stage)
    with traffic(stage.backend.url) as requests:
        settle(stage)
        requests.send(calls, RATE, 2.0).result()
        seconds = stage.sizes.seconds
        before = requests.send(calls, RATE, seconds).result()
        with Pressure(stage) as pressure:
            training = requests.send(calls, RATE, seconds).result()
        settle(stage)
        load = requests.send(calls, RATE, seconds)
        slowest, missing = _swap(stage, seconds)
        during = load.result()
        after = requests.send(calls, RATE, seconds).result()
    return [
        *_compared("training", before, training, f"work to do {pressure.share:.0%} of the time"),
        *_compared("swaps", before, during, f"{stage.sizes.swaps} swaps, simulated: published without training"),
        Figure("during swaps", "versions seen in answers", len({answer.version for answer in during}), ""),
        Figure("during swaps", "slowest acknowledged swap", slowest, "s", 1.0),
        Figure("during swaps", "swaps that a server did not acknowledge", missing, "", 0),
        *_compared("afterwards", before, after, ""),
    ]


def _calls(stage: Stage) -> list[Call]:
    """Tasks that have a prediction now: an empty one during the measurement is a failure."""
    calls = []
    for kind, known in zip(KINDS, (stage.texts, stage.images), strict=True):
        chosen: list[Call] = []
        for task in known.unlabelled(40):
            body = known.predict_body(task)
            if stage.backend.post("/predict", body)["results"][0]["result"]:
                chosen.append(Call(kind, "/predict", body))
        calls.append(chosen[:8])
    return [call for pair in zip(*calls, strict=False) for call in pair]


def _swap(stage: Stage, seconds: float) -> tuple[float, int]:
    """Publish as the training job does, the projects in turn; the slowest acknowledgement and how many lacked one."""
    versions = Versions(ObjectStore(stage.backend.data_dir / "store"))
    pairs = {known.uid: _last_two(versions, known) for known in (stage.texts, stage.images)}
    slowest, missing = 0.0, 0
    begun = time.monotonic()
    with closing(stage.backend.redis) as connection:
        for number in range(stage.sizes.swaps):
            time.sleep(max(0.0, begun + number * seconds / stage.sizes.swaps - time.monotonic()))
            uid = list(pairs)[number % len(pairs)]
            pattern = pairs[uid][number // len(pairs) % 2]
            name = versions.next_name(uid)
            versions.publish(replace(pattern, name=name, created=time.time(), fence=versions.fence(uid)))
            published = time.monotonic()
            missing += bool(announce(connection, uid, name))
            slowest = max(slowest, time.monotonic() - published)
    return slowest, missing


def _last_two(versions: Versions, known: Known) -> list[Manifest]:
    """The project's two newest versions: their models differ, so that each swap loads one."""
    newest = versions.names(known.uid)[-2:]
    return [versions.get(known.uid, name) for name in newest]


def _compared(when: str, before: Sequence[Answer], now: Sequence[Answer], note: str) -> list[Figure]:
    part = "/predict"
    figures = []
    for kind in KINDS:
        base, value = (Answers.of(answers, kind).percentile(0.95) for answers in (before, now))
        if when == "training":
            figures.append(Figure(part, f"{kind} p95 before", base, "ms", None, f"{RATE:g} requests/s of one task"))
        figures += [
            Figure(part, f"{kind} p95, {when}", value, "ms", None, note),
            Figure(part, f"{kind} p95, {when} to before", value / base, "times", RATIO),
        ]
    failed = sum(answer.failed for answer in now)
    return [*figures, Figure(part, f"failed, {when}", failed, "", 0, f"of {len(now)}")]
