"""Versions moved by hand, on a real Label Studio, Redis and store."""

from __future__ import annotations

import pytest

from backend.errors import UnknownVersion
from backend.evaluation.gate import Verdict
from backend.jobs.steering import MOVED, Steering
from backend.jobs.train import Training
from backend.jobs.verdicts import challengers, record
from backend.jobs.view import JobState
from tests.backend.jobs.laboratory import Laboratory

pytestmark = pytest.mark.label_studio


@pytest.fixture
def two_versions(laboratory: Laboratory) -> Laboratory:
    """v2 serves, and knows a label more than v1."""
    for positions in ((0, 1, 2), (3,)):
        laboratory.label(*positions)
        laboratory.train()
    assert laboratory.version == "v2"
    return laboratory


def steer(laboratory: Laboratory) -> Steering:
    return Steering(laboratory.parts, laboratory.uid)


def refreshes(laboratory: Laboratory) -> list[str | None]:
    return [job.version for job in laboratory.parts.queue.jobs(laboratory.uid) if job.state is JobState.QUEUED]


def test_a_rollback_writes_the_older_predictions_back(two_versions: Laboratory) -> None:
    two_versions.refresh()
    moved = steer(two_versions).rollback()
    assert (moved.before, moved.version, moved.pinned, moved.behind) == ("v2", "v1", False, ())
    assert two_versions.version == "v1"
    assert refreshes(two_versions) == ["v1"]
    two_versions.refresh()
    assert {row["model_version"] for row in two_versions.rows().values()} == {"v1"}
    assert two_versions.project.get()["model_version"] == "v1"
    (event,) = two_versions.parts.ledger.events(two_versions.uid, MOVED)
    assert (event.detail["action"], event.detail["from"], event.detail["to"]) == ("rollback", "v2", "v1")


def test_what_was_left_is_not_trained_again_until_something_changes(two_versions: Laboratory) -> None:
    steer(two_versions).rollback()
    assert "Nothing to learn since v1" in two_versions.train()
    assert two_versions.version == "v1"
    two_versions.label(4)
    two_versions.train()
    assert (two_versions.version, two_versions.manifest.parent) == ("v3", "v1")


def test_a_pinned_project_trains_and_goes_on_serving(two_versions: Laboratory) -> None:
    steering = steer(two_versions)
    assert steering.pin("v1").message == "v1 serves, after v2; it is pinned until `prelabel unpin`."
    two_versions.label(4)
    assert "v3 is ready, and v1 goes on serving" in two_versions.train()
    assert (two_versions.version, refreshes(two_versions)) == ("v1", ["v1"])
    assert two_versions.parts.versions.get(two_versions.uid, "v3").parent == "v2"
    assert "Nothing to learn since v3" in two_versions.train()
    assert steering.promote("v3").pinned
    assert two_versions.version == "v3"
    steering.unpin()
    two_versions.label(5)
    two_versions.train()
    assert two_versions.version == "v4"


def test_a_held_back_challenger_can_be_promoted_by_hand(two_versions: Laboratory) -> None:
    uid, ledger = two_versions.uid, two_versions.parts.ledger
    with pytest.raises(UnknownVersion, match="held no model"):
        steer(two_versions).promote()
    older = two_versions.parts.versions.get(uid, "v1").controls["topic"]
    record(ledger, uid, "topic", older, Verdict(False, "Held back: the new model is clearly worse."))
    moved = steer(two_versions).promote()
    assert (moved.before, moved.version) == ("v2", "v3")
    assert two_versions.manifest.controls["topic"] == older
    assert "promoted by hand. Held back" in two_versions.manifest.notes[0]


def test_every_challenger_keeps_its_numbers_and_its_reason(two_versions: Laboratory) -> None:
    first, second = challengers(two_versions.parts.ledger, two_versions.uid)
    assert (first.part.trained_in, second.part.trained_in) == ("v1", "v2")
    assert second.part == two_versions.manifest.controls["topic"]
    assert second.verdict.promote
    assert "too little to compare on" in second.verdict.reason


def test_a_training_that_a_hand_overtook_publishes_nothing(
    two_versions: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_versions.label(4)
    training, steering = Training(two_versions.parts, two_versions.uid), steer(two_versions)
    teach = training._teach

    def overtaken(*arguments: object) -> object:
        steering.rollback("v1")
        return teach(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "_teach", overtaken)
    assert "somebody left" in training.run()
    assert two_versions.version == "v1"
    assert two_versions.uid in two_versions.parts.queue.due()


def test_versions_say_what_they_were_made_with_and_what_that_cost(laboratory: Laboratory) -> None:
    settings = laboratory.parts.settings.model_copy(update={"machine_rate": 3600.0})
    priced = laboratory.with_parts(settings=settings)
    priced.label(0, 1)
    Training(priced.parts, priced.uid).run()
    manifest = priced.manifest
    assert {"python", "processor", "cores", "torch", "numpy"} <= manifest.environment.keys()
    assert manifest.cost["seconds"] > 0
    assert manifest.cost["money"] == pytest.approx(manifest.cost["seconds"], abs=1e-3)
    recipe = manifest.controls["topic"].recipe
    assert {"name", "seed", "strength", "folds", "learnt_from"} <= recipe.keys()


def test_moves_that_are_impossible_are_said(laboratory: Laboratory) -> None:
    steering = steer(laboratory)
    for move in (steering.rollback, steering.pin, steering.unpin, steering.promote):
        with pytest.raises(UnknownVersion):
            move()
    laboratory.label(0)
    laboratory.train()
    with pytest.raises(UnknownVersion, match="no version before it"):
        steering.rollback()
    with pytest.raises(UnknownVersion, match="It has: v1"):
        steering.promote("v7")
