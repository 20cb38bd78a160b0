"""Provenance of annotations that a real Label Studio has stored in each of its ways."""

from __future__ import annotations

from backend.projects.provenance import Provenance, provenance
from tests.label_studio import TestProject


def provenances(project: TestProject, task: int) -> list[Provenance]:
    return [provenance(annotation) for annotation in project.task(task)["annotations"]]


def test_what_people_submit_is_human(project: TestProject) -> None:
    plain, shown, untimed = project.import_texts(["one", "two", "three"])
    project.annotate(plain, "billing")
    prediction = project.predict(shown, "billing", "v1")
    project.annotate(shown, "billing", parent_prediction=prediction)
    project.annotate(untimed, "other", lead_time=None)
    for task in (plain, shown, untimed):
        assert provenances(project, task) == [Provenance.HUMAN]


def test_annotations_created_from_predictions_are_accepted_until_somebody_saves_them(project: TestProject) -> None:
    kept, saved = tasks = project.import_texts(["one", "two"])
    predictions = {task: project.predict(task, "billing", "v1") for task in tasks}
    project.act("predictions_to_annotations", model_version="v1")
    for task in tasks:
        assert project.task(task)["annotations"][0]["parent_prediction"] == predictions[task]
        assert provenances(project, task) == [Provenance.ACCEPTED]
    project.update_annotation(project.task(saved)["annotations"][0]["id"], "other")
    assert provenances(project, saved) == [Provenance.HUMAN]
    assert provenances(project, kept) == [Provenance.ACCEPTED]


def test_imported_annotations_are_imported_until_somebody_saves_them(project: TestProject) -> None:
    result = project.regions("billing")
    with_id, without, saved = project.import_tasks(
        [
            {"data": {"text": "one"}, "annotations": [{"id": 5, "result": result, "lead_time": 3.0}]},
            {"data": {"text": "two"}, "annotations": [{"result": result}]},
            {"data": {"text": "three"}, "annotations": [{"result": result, "ground_truth": False}]},
        ]
    )
    for task in (with_id, without, saved):
        assert provenances(project, task) == [Provenance.IMPORTED]
    project.update_annotation(project.task(saved)["annotations"][0]["id"], "other")
    assert provenances(project, saved) == [Provenance.HUMAN]


def test_an_accepted_one_stays_accepted_when_its_prediction_is_deleted(project: TestProject) -> None:
    (task,) = project.import_texts(["one"])
    region = {**project.regions("billing")[0], "score": 0.9}
    del region["origin"]  # as this backend writes regions
    body = {"task": task, "result": [region], "score": 0.5, "model_version": "v1"}
    prediction = project.studio.call("POST", "/api/predictions/", json=body)["id"]
    project.act("predictions_to_annotations", model_version="v1")
    project.studio.call("DELETE", f"/api/predictions/{prediction}/")
    assert project.task(task)["annotations"][0]["parent_prediction"] is None
    assert provenances(project, task) == [Provenance.ACCEPTED]
