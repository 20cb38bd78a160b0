"""The refresh job as the queue runs it."""

from __future__ import annotations

import pytest

from model_zoo.registry import family
from model_zoo.text_classification.minilm_linear import MiniLMLinear
from tests.backend.jobs.laboratory import SAMPLES, Laboratory

pytestmark = pytest.mark.label_studio


def test_every_task_that_is_to_be_labelled_gets_a_prediction(laboratory: Laboratory) -> None:
    laboratory.label(0, 1)
    laboratory.train()
    laboratory.refresh()
    assert sorted(laboratory.rows()) == laboratory.tasks[2:]
    new = laboratory.project.import_texts(["My card was charged twice.", "The app crashes."])
    said = laboratory.refresh()
    assert said.startswith("2 predictions of v1 written")
    assert set(new) <= set(laboratory.rows())
    assert laboratory.refresh().startswith("0 predictions of v1 written")


def test_before_the_first_version_features_are_made_ready(laboratory: Laboratory) -> None:
    said = laboratory.refresh("v0")
    assert f"features of {len(SAMPLES)} tasks" in said
    assert laboratory.rows() == {}
    encoder = family(MiniLMLinear.name).encoder()
    assert encoder is not None
    laboratory.label(0)
    laboratory.train()
    assert laboratory.version == "v1"


def test_version_that_serves_no_more_writes_nothing(laboratory: Laboratory) -> None:
    laboratory.label(0)
    laboratory.train()
    before = laboratory.rows()
    assert "serves no more" in laboratory.refresh("v7")
    assert laboratory.rows() == before


def test_forgotten_project_is_no_failure(laboratory: Laboratory) -> None:
    laboratory.parts.records.delete(laboratory.uid)
    assert "was never set up here" in laboratory.refresh("v0")


def test_project_that_is_gone_from_label_studio_is_no_failure(laboratory: Laboratory) -> None:
    laboratory.label(0)
    laboratory.train()
    laboratory.project.studio.call("DELETE", f"/api/projects/{laboratory.project.id}/")
    assert "gone from Label Studio" in laboratory.refresh("v1")
