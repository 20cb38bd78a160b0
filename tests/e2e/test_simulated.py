"""The simulated loop is the real one: the same labels and seed give the same versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.jobs.collaborators import build_collaborators
from backend.jobs.learn import LEARNT_FROM
from backend.settings import Settings
from backend.simulation.costs import default_costs
from backend.simulation.project import SimulatedProject
from backend.simulation.readers import read_set
from backend.simulation.strategies import Dealing
from backend.store.manifest import ControlVersion
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from tests.backend.simulation import sets
from tests.e2e.installation import Installation, uid_of
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = pytest.mark.label_studio


def served(installation: Installation, project: TestProject, labels: int) -> ControlVersion:
    """The real project's model once it has learnt so many labels."""
    installation.await_version(project, labels)
    manifest = Versions(ObjectStore(installation.settings.store_address)).current(uid_of(project))
    assert manifest is not None
    return manifest.controls["label"]


def test_same_labels_and_seed_give_the_same_versions(
    installation: Installation, label_studio: LabelStudioInstance, tmp_path: Path
) -> None:
    """Up to 48 labels, so that there is a holdout, too, whose tasks are drawn from their ids and their order: among 23
    there is none one time in two hundred, and then the rest is compared all the same."""
    found = read_set(sets.texts(tmp_path / "tickets.csv", 52), "csv")
    real = label_studio.new_project(found.config, "Simulated")
    ids = real.import_tasks([{"data": task["data"]} for task in found.tasks])
    installation.connect(label_studio, real)

    nowhere = SecretStr("redis://127.0.0.1:1/0")
    parts = build_collaborators(Settings(data_dir=tmp_path / "simulated", redis_url=nowhere))
    tasks = dict(zip(ids, found.tasks, strict=True))
    simulated = SimulatedProject(parts, found.config, tasks, Dealing.IN_ORDER, default_costs(found.kind))
    for count in (10, 48):
        for task in ids[simulated.labelled : count]:
            real.annotate(task, *tasks[task]["annotations"][0]["result"][0]["value"]["choices"], control="label")
        simulated.label(count - simulated.labelled)
        simulated.learn()
        manifest = simulated.version.manifest
        assert manifest is not None
        ours, theirs = manifest.controls["label"], served(installation, real, count)
        assert ours.recipe[LEARNT_FROM] == theirs.recipe[LEARNT_FROM]
        assert ours.metrics == pytest.approx(theirs.metrics, abs=1e-4)
    parts.close()
