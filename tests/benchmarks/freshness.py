"""Seconds from the submission of an annotation to the moment in which what it taught is served and shown."""

from __future__ import annotations

import time
from collections.abc import Callable

from backend.projects.identity import version_number
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from tests.benchmarks.backend import Backend, until
from tests.benchmarks.figures import Figure, median
from tests.benchmarks.projects import Known, image_project, text_project
from tests.benchmarks.stage import Stage

LABELLED = 12
"""Labelled tasks to begin with: below 25, when the holdout begins, every label is learnt from."""
LOOK = 0.1
TIMEOUT = 120.0


def measure(stage: Stage) -> list[Figure]:
    """Submit, wait until served, submit the next: the refresh of the version before still runs meanwhile.

    In projects that no other part labels in: with many labels it is the retraining policy's wait that is measured.
    """
    sizes = stage.sizes
    texts = text_project(stage.studio, sizes.texts, LABELLED, title="Tickets, submit to served")
    images = image_project(stage.studio, sizes.images, LABELLED, title="Digits, submit to served")
    stage.backend.connect(stage.studio, texts.id, images.id)
    for known in (texts, images):
        stage.backend.learn(known.uid)
    often = stage.sizes.served
    return [*served(stage.backend, "text", texts, often, 5.0), *served(stage.backend, "images", images, often, 10.0)]


def served(backend: Backend, kind: str, known: Known, often: int, limit: float) -> list[Figure]:
    """Of a connected project that has a version: submissions one after the other, so many."""
    rounds = [_served(backend, known) for _ in range(often)]
    answered = [first for first, _ in rounds]
    shown = [last for _, last in rounds]
    part = f"submit to served, {kind}"
    how = "/predict answers with a version that learnt from it, the project's model_version names that or a later one"
    return [
        Figure(part, "/predict answers with it, median", median(answered), "s"),
        Figure(
            part,
            "served and shown, median",
            median(shown),
            "s",
            limit,
            f"{how}, and the next task opens with its stored prediction; {len(rounds)} submissions",
        ),
        Figure(part, "served and shown, slowest", max(shown), "s", limit),
    ]


def _served(backend: Backend, known: Known) -> tuple[float, float]:
    """Seconds until `/predict` answers with what the submission taught, and until the next task is shown with it.

    What is submitted is the task that Label Studio opened: it goes on opening that one until it is.
    """
    task = known.project.next_task()
    body = known.predict_body(*(other for other in known.unlabelled(2) if other["id"] != task["id"]))
    enough = _with_one_more(backend, known)
    known.submit(task)
    begun = time.perf_counter()
    until(lambda: enough(backend.post("/predict", body)["model_version"]), "a version with the label", TIMEOUT, LOOK)
    answered = time.perf_counter() - begun

    def shown() -> bool:
        version = known.project.get()["model_version"]
        if not enough(version):
            return False
        opened = known.project.next_task()
        return any(row["model_version"] == version for row in opened["predictions"])

    until(shown, "the next task to open with its prediction", TIMEOUT, LOOK)
    return answered, time.perf_counter() - begun


def _with_one_more(backend: Backend, known: Known) -> Callable[[str], bool]:
    """Whether a version of this name learnt from more labelled tasks than the one that is current now. Label Studio's
    own count is no measure: it lacks labels that were imported with their tasks."""
    versions = Versions(ObjectStore(backend.data_dir / "store"))
    now = versions.current(known.uid)
    labelled = now.metrics["labelled"] if now else 0.0

    def enough(name: str) -> bool:
        is_ours = name[:1] == "v" and version_number(name) > 0
        return is_ours and versions.get(known.uid, name).metrics["labelled"] > labelled

    return enough
