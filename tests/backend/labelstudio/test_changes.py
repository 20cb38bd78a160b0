"""Everything that people do to annotations, found again without webhooks."""

from __future__ import annotations

import pytest

from backend.labelstudio.changes import Changes, TaskMark, changes_since
from backend.labelstudio.client import LabelStudio, NewPrediction
from tests.label_studio import TestProject


class Mirror:
    """What a sync job keeps between two looks."""

    def __init__(self, client: LabelStudio, project: TestProject) -> None:
        self.client = client
        self.project = project
        self.cursor: str | None = None
        self.known: dict[int, TaskMark] = {}

    def look(self, *, thorough: bool = False) -> Changes:
        changes = changes_since(self.client, self.project.id, self.cursor, self.known, thorough=thorough)
        for task in changes.changed:
            self.known[task.id] = task.mark
        for deleted in changes.deleted:
            del self.known[deleted]
        self.cursor = changes.cursor
        return changes

    def changed(self) -> dict[int, list[list[str]]]:
        """The choices of each changed task's annotations."""
        return {
            task.id: [region["value"]["choices"] for one in task.annotations for region in one["result"]]
            for task in self.look().changed
        }


@pytest.fixture
def mirror(client: LabelStudio, project: TestProject) -> Mirror:
    return Mirror(client, project)


def test_an_empty_project_has_no_changes(mirror: Mirror) -> None:
    assert mirror.look() == Changes((), frozenset(), None, True)
    mirror.project.import_texts(["a"])
    assert mirror.look().changed == ()


def test_only_what_changed_is_read(mirror: Mirror) -> None:
    project = mirror.project
    first, second, third = project.import_texts(["a", "b", "c"])
    annotation = project.annotate(first, "billing")
    project.annotate(second, "other")
    assert mirror.changed() == {first: [["billing"]], second: [["other"]]}

    assert mirror.changed() == {}
    project.annotate(third, "other")
    assert mirror.changed() == {third: [["other"]]}
    project.update_annotation(annotation["id"], "technical")
    assert mirror.changed() == {first: [["technical"]]}
    project.annotate(first, "other")
    assert mirror.changed() == {first: [["technical"], ["other"]]}
    assert not mirror.look().listed_all


def test_what_is_kept_of_a_task(mirror: Mirror) -> None:
    project = mirror.project
    (task,) = project.import_texts(["some text"])
    row = project.predict(task, "billing", "v1")
    project.annotate(task, "billing", parent_prediction=row)

    (found,) = mirror.look().changed

    assert found.data == {"text": "some text"}
    (annotation,) = found.annotations
    wanted = {"id", "result", "completed_by", "created_at", "updated_at", "lead_time", "parent_prediction"}
    assert wanted | {"was_cancelled", "ground_truth", "import_id", "updated_by"} <= annotation.keys()
    assert (annotation["parent_prediction"], annotation["lead_time"], annotation["updated_by"]) == (row, 1.5, 1)
    (prediction,) = found.predictions
    assert (prediction["id"], prediction["model_version"], prediction["result"]) == (
        row,
        "v1",
        project.regions("billing"),
    )


def test_deleted_annotations_are_found(mirror: Mirror) -> None:
    project = mirror.project
    one, two = project.import_texts(["a", "b"])
    only = project.annotate(one, "billing")
    first, _ = project.annotate(two, "billing"), project.annotate(two, "other")
    mirror.look()

    project.delete_annotation(first["id"])
    assert mirror.changed() == {two: [["other"]]}
    project.delete_annotation(only["id"])
    changes = mirror.look()
    assert changes.changed == ()
    assert changes.deleted == {one}
    assert mirror.look().deleted == frozenset()


def test_a_replaced_annotation_leaves_the_totals_and_is_found(mirror: Mirror) -> None:
    project = mirror.project
    one, two = project.import_texts(["a", "b"])
    gone = project.annotate(one, "billing")
    mirror.look()

    project.delete_annotation(gone["id"])
    project.annotate(two, "other")

    changes = mirror.look()
    assert [task.id for task in changes.changed] == [two]
    assert changes.deleted == {one}


def test_deleted_tasks_are_found(mirror: Mirror) -> None:
    project = mirror.project
    tasks = project.import_texts(["a", "b", "c"])
    for task in tasks:
        project.annotate(task, "billing")
    mirror.look()

    project.studio.call("DELETE", f"/api/tasks/{tasks[0]}/")
    assert mirror.look().deleted == {tasks[0]}
    project.act("delete_tasks", tasks[1:])
    assert mirror.look().deleted == set(tasks[1:])


def test_bulk_actions_are_found(mirror: Mirror) -> None:
    project = mirror.project
    tasks = project.import_texts(["a", "b", "c", "d"])
    source = project.annotate(tasks[0], "billing")
    mirror.look()

    project.predict(tasks[1], "other", "v1")
    project.act("predictions_to_annotations", [tasks[1]], model_version="v1")
    assert mirror.changed() == {tasks[1]: [["other"]]}

    project.act("propagate_annotations", [tasks[2]], source_annotation_id=source["id"])  # leaves `updated_at` alone
    assert mirror.changed() == {tasks[2]: [["billing"]]}

    project.act("delete_tasks_annotations", tasks[:2])
    assert mirror.look().deleted == set(tasks[:2])


def test_annotations_moved_by_removing_duplicates_are_found(mirror: Mirror) -> None:
    project = mirror.project
    kept, removed = project.import_texts(["same", "same"])
    project.annotate(kept, "billing")
    project.annotate(removed, "other")
    mirror.look()

    project.act("remove_duplicates")

    changes = mirror.look()
    assert [(task.id, task.mark.annotations) for task in changes.changed] == [(kept, 2)]
    assert changes.deleted == {removed}


def test_a_thorough_look_needs_neither_times_nor_totals(mirror: Mirror) -> None:
    project = mirror.project
    (task,) = project.import_texts(["a"])
    project.annotate(task, "billing")
    lost = 10**8
    mirror.known = {lost: TaskMark("2026-11-20T06:27:00Z", 1)}
    mirror.cursor = "2100-01-01T00:00:00Z"

    assert mirror.look() == Changes((), frozenset(), "2100-01-01T00:00:00Z", False)
    changes = mirror.look(thorough=True)

    assert [found.id for found in changes.changed] == [task]
    assert changes.deleted == {lost}


def test_imported_annotations_are_found(mirror: Mirror) -> None:
    project = mirror.project
    mirror.look()
    tasks = project.import_tasks(
        [{"data": {"text": "a"}, "annotations": [{"result": project.regions("billing")}]}, {"data": {"text": "b"}}]
    )
    assert mirror.changed() == {tasks[0]: [["billing"]]}


def test_skips_and_drafts_are_no_annotations(mirror: Mirror) -> None:
    project = mirror.project
    one, two = project.import_texts(["a", "b"])
    project.skip(one)
    project.draft(two, "billing")
    assert mirror.look().changed == ()

    project.annotate(one, "other")
    (found,) = mirror.look().changed
    assert (found.id, found.mark.annotations, len(found.annotations)) == (one, 1, 2)


def test_our_own_predictions_are_no_changes(mirror: Mirror, client: LabelStudio) -> None:
    project = mirror.project
    one, two = project.import_texts(["a", "b"])
    project.annotate(one, "billing")
    mirror.look()

    client.create_prediction(NewPrediction(two, project.regions("billing"), 0.5), "v1")

    assert mirror.look().changed == ()
