"""Versions in the terminal, and commands that move them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from backend.cli import app
from backend.evaluation.comparison import Comparison
from backend.evaluation.gate import Verdict
from backend.jobs.verdicts import record
from backend.lifecycle.versions import read_lineage, render_lineage
from backend.projects.judgement import Outcome
from backend.projects.record import ProjectRecord
from backend.projects.roles import Role
from backend.settings import Settings
from backend.store.ledger import Judged, Ledger
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions
from tests.backend.serving.conftest import Shelf

UID = "7.1795149789"
REASON = "Held back: the new model is clearly worse, -0.120."
METRICS = {"answers": 40.0, "holdout_items": 60.0, "holdout_accuracy": 0.9, "holdout_oks_map50": 0.876}
INTERVAL = {
    "holdout_accuracy_low": 0.82,
    "holdout_accuracy_high": 0.97,
    "holdout_oks_map50_low": 0.81,
    "holdout_oks_map50_high": 0.92,
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a store with v1, v2 and a challenger that was held back."""
    made = Settings(data_dir=tmp_path)
    store = ObjectStore(made.store_address)
    ProjectRecords(store).put(ProjectRecord(UID, "Tickets", "<View/>"))
    artifact = Shelf(store).model(1)
    part = ControlVersion("text_classification/minilm_linear.v1", artifact, ("a", "b"), metrics=METRICS | INTERVAL)
    first = Manifest(UID, "v1", 1.8e9, 1, {"topic": part}, cost={"seconds": 12.0, "money": 0.004})
    Versions(store).publish(first)
    Versions(store).publish(replace(first, name="v2", parent="v1", fence=2))
    comparison = Comparison(60, -0.12, -0.2, -0.05, 0.99, 0.1)
    record(Ledger(store), UID, "topic", part, Verdict(False, REASON, comparison))
    judged = [Judged(at, at, "topic", Outcome.ACCEPTED, at, "v2", at, 0, 4.0) for at in (1, 2)]
    alone = Judged(3, 3, "topic", Outcome.UNSEEN, 3, lead_time=8.0, role=Role.CONTROL)
    Ledger(store).append(UID, [*judged, alone])
    return made


def test_the_table_says_what_serves_and_how_good_it_is(settings: Settings) -> None:
    console = Console(file=io.StringIO(), width=200)
    Versions(ObjectStore(settings.store_address)).pin(UID, "v2")
    render_lineage(read_lineage(settings, 7), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for part in ("v2 (pinned)", "v1", "90% [82%-97%] of 60", "100% of 2, 0.0 edits, 4 s", "12 s, 0.0040", REASON):
        assert part in text
    assert "OKS mAP50 0.88 [0.81-0.92]" in text
    assert "4 s a task with predictions, 8 s without: 50% saved" in text


def test_programs_get_everything_that_is_recorded(settings: Settings) -> None:
    result = CliRunner().invoke(app, ["versions", "--project", "7", "--json", "--data-dir", str(settings.data_dir)])
    found = json.loads(result.output)
    assert (found["current"], found["pinned"], [one["name"] for one in found["versions"]]) == (
        "v2",
        False,
        ["v1", "v2"],
    )
    assert found["versions"][1]["measures"]["topic"]["accepted"] == 1.0
    assert {"recipe", "artifact", "family", "metrics", "postprocess"} <= found["versions"][0]["controls"][
        "topic"
    ].keys()
    assert found["held_back"][0]["reason"] == REASON
    assert found["time_saved"]["saved"] == 0.5


def test_a_damaged_version_does_not_hide_the_others(settings: Settings) -> None:
    (settings.data_dir / "store" / "projects" / UID / "versions" / "v1.json").write_text("{")
    first, second = read_lineage(settings, 7)["versions"]
    assert "damaged" in first
    assert second["name"] == "v2"
    render_lineage(read_lineage(settings, 7), Console(file=io.StringIO()))


def test_commands_move_the_pointer(settings: Settings, redis_url: str) -> None:
    def run(*arguments: str) -> str:
        environment = {"PRELABEL_REDIS_URL": redis_url}
        given = [*arguments, "--project", "7", "--data-dir", str(settings.data_dir)]
        result = CliRunner().invoke(app, given, env=environment)
        assert result.exit_code == 0, result.output
        return result.output.strip()

    versions = Versions(ObjectStore(settings.store_address))
    assert run("rollback") == "v1 serves, after v2."
    assert run("pin", "v2") == "v2 serves, after v1; it is pinned until `prelabel unpin`."
    assert run("unpin") == "v2 serves."
    assert run("promote", "v1") == "v1 serves, after v2."
    assert versions.pointer(UID).current == "v1"


def test_an_unknown_project_or_version_is_a_sentence(settings: Settings, redis_url: str) -> None:
    for arguments, said in (
        (["versions", "--project", "8"], "Project 8 was never set up here"),
        (["pin", "v9", "--project", "7"], "has no version 'v9'"),
    ):
        given = [*arguments, "--data-dir", str(settings.data_dir)]
        result = CliRunner().invoke(app, given, env={"PRELABEL_REDIS_URL": redis_url})
        assert result.exit_code == 1
        assert said in result.output
