"""The loop replayed: it learns from what the annotator submitted, never from the test set, and the same each time."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.errors import InvalidConfig, InvalidRequest
from backend.labelstudio.client import NewPrediction
from backend.settings import Settings
from backend.simulation.costs import default_costs
from backend.simulation.labelled import Kind, LabelledSet
from backend.simulation.loop import Plan, simulate, split
from backend.simulation.readers import FORMATS, MaskValues, read_set
from backend.simulation.report import Run
from backend.simulation.strategies import Dealing, deal, read_strategies
from tests.backend.simulation import sets
from tests.model_zoo.semantic_segmentation.landscapes import TINY


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> LabelledSet:
    return read_set(sets.texts(tmp_path_factory.mktemp("texts") / "tickets.csv"), "csv")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, torch_threads=1)


PLAN = Plan((Dealing.RANDOM,), (5, 20), 1, 0.3, default_costs(Kind.TEXT_CLASSIFICATION))


@pytest.fixture(scope="module")
def runs(texts: LabelledSet, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three strategies over the same texts."""
    plan = replace(PLAN, dealings=(Dealing.RANDOM, Dealing.LEAST_CONFIDENCE, Dealing.DEFAULT))
    return list(simulate(Settings(data_dir=tmp_path_factory.mktemp("data"), torch_threads=1), texts, plan))


def test_labels_make_it_better_and_save_actions(runs: list[Run]) -> None:
    for few, more in zip(runs[::2], runs[1::2], strict=True):
        assert (few.strategy, few.budget, more.budget) == (more.strategy, 5, 20)
        assert few.metrics["items"] == 18
        assert more.metric > 0.5
        assert more.metric == more.metrics["accuracy"]
        assert (more.actions_manual, more.metrics["labels_count"]) == (20, 20)
        assert more.actions_assisted < 20
        assert more.actions_assisted == 20 - more.metrics["accept_count"]
        assert more.label_efficiency == more.metrics["accept_count"] / 20
        assert more.seconds_manual == 40.0
        assert more.train_seconds > 0


def test_the_ledger_judges_as_the_annotator_counts(runs: list[Run]) -> None:
    for run in runs:
        if run.metrics["add_count"] == 0:  # everything was shown with a prediction
            assert run.metrics["step_running_accuracy"] == pytest.approx(run.metrics["step_label_efficiency"])


def test_strategies_begin_alike_and_part(runs: list[Run]) -> None:
    first, second = runs[::2], runs[1::2]
    assert len({run.metric for run in first}) == 1
    assert len({(run.metric, run.label_efficiency) for run in second}) > 1


def test_the_same_seed_gives_the_same_figures(texts: LabelledSet, settings: Settings, runs: list[Run]) -> None:
    again = list(simulate(settings, texts, PLAN))
    assert [replace(run, train_seconds=0) for run in again] == [replace(run, train_seconds=0) for run in runs[:2]]


def test_a_network_of_its_own_is_trained_served_and_kept(texts: LabelledSet, settings: Settings) -> None:
    """Its features stand beside those of the shared one, and it goes on until there are clearly more labels."""
    wish = {"recipe": "few_shot", "epochs": 1, "parts": 2}
    plan = replace(PLAN, budgets=(20, 22), parameters=wish, dealings=(Dealing.DEFAULT,))
    first, second = simulate(settings, texts, plan)
    assert min(first.metric, second.metric) > 0.5
    assert second.metrics["items"] == 18
    assert second.train_seconds < first.train_seconds


def test_test_tasks_are_no_tasks_of_the_project(texts: LabelledSet) -> None:
    pool, test = split(texts, PLAN, 0)
    assert (len(pool), len(test)) == (42, 18)
    assert not any(task in pool.values() for task in test)
    assert split(texts, PLAN, 0) == (pool, test)
    assert split(texts, PLAN, 1)[1] != test


def test_the_end_of_a_video_is_for_testing(texts: LabelledSet) -> None:
    pool, test = split(replace(texts, sequential=True), PLAN, 0)
    assert list(pool.values()) == list(texts.tasks[:42])
    assert list(test) == list(texts.tasks[42:])


def test_budgets_beyond_the_set_end_with_it(texts: LabelledSet, settings: Settings) -> None:
    found = list(simulate(settings, texts, replace(PLAN, budgets=(40, 60, 80))))
    assert [run.budget for run in found] == [40, 42]


def test_every_kind_that_is_read_is_simulated() -> None:
    assert {kind for form in FORMATS.values() for kind in form.kinds} == set(Kind)


CROWD = default_costs(Kind.CROWD)


def test_votes_of_a_crowd_are_taken_as_a_project_takes_them(tmp_path: Path, settings: Settings) -> None:
    """Ten of eleven people are right on nine items of ten, each wrong on one of their own: the more, the righter."""
    said = {worker: {item: (worker + item) % 10 != 0 for item in range(20)} for worker in range(11)}
    (tmp_path / "labels.yaml").write_text(json.dumps(said))
    (tmp_path / "gt.yaml").write_text(json.dumps(dict.fromkeys(range(20), True)))
    found = read_set(tmp_path, "crowd")
    plan = Plan((Dealing.IN_ORDER,), (20, 60, 300), 2, 0.3, CROWD)
    runs = list(simulate(settings, found, plan))
    assert [run.budget for run in runs] == 2 * [20, 60, 220]  # annotations, of which there are no more
    for first, second, last in (runs[:3], runs[3:]):
        assert first.metric_name == "answer_accuracy"
        assert first.metrics["annotations_an_answer"] == 1.0
        assert first.metrics["answered"] == 1.0  # one each before a second
        assert (first.metrics["answer_macro_f1"] == 1.0) == (first.metric == 1.0)
        assert first.metric <= second.metric <= last.metric == 1.0
        assert last.metrics["answer_accuracy_low"] < 1.0
        assert (last.actions_manual, last.actions_assisted, last.train_seconds) == (220, 220, 0.0)
        assert any("nothing in them that a model can learn from" in note for note in last.notes)


def test_a_crowd_that_judges_texts_teaches_a_model(tmp_path: Path, settings: Settings) -> None:
    folder = sets.crowd_of_texts(tmp_path / "crowd", 40)
    found = read_set(folder, "crowd")
    assert not found.is_bare
    plan = Plan((Dealing.RANDOM, Dealing.LEAST_CONFIDENCE), (20, 84), 1, 0.3, CROWD)
    for few, more in zip(*[iter(simulate(settings, found, plan))] * 2, strict=True):
        assert (few.metric_name, few.budget, more.budget) == ("accuracy", 20, 84)
        assert more.metrics["items"] == 12  # of which the project never sees one
        assert more.metric == more.metrics["accuracy"] > 0.5
        assert more.metrics["annotations_an_answer"] == 3.0
        assert more.metrics["answer_accuracy"] > 0.9  # by two of three, one of whom errs
        assert more.actions_assisted < more.actions_manual == 84


def test_a_crowd_without_gold_is_not_simulated(tmp_path: Path, settings: Settings) -> None:
    folder = sets.crowd(tmp_path / "crowd")
    (folder / "gt.yaml").unlink()
    with pytest.raises(InvalidRequest, match=r"judged by gold.*gt\.yaml"):
        next(simulate(settings, read_set(folder, "crowd"), PLAN))


def test_a_model_of_another_kind_is_refused(texts: LabelledSet, settings: Settings) -> None:
    with pytest.raises(InvalidConfig, match="wanted a family for text_classification"):
        next(simulate(settings, texts, replace(PLAN, model="image_classification/efficientnet_lite0_linear.v1")))


@pytest.mark.parametrize(
    "wrong", [{"budgets": ()}, {"budgets": (5, 5)}, {"budgets": (0, 5)}, {"seeds": 0}, {"test_fraction": 1.0}]
)
def test_plans_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="--"):
        replace(PLAN, **wrong)  # type: ignore[arg-type]  # on purpose


def test_strategies_by_name() -> None:
    assert read_strategies("least_confidence, random,random") == [Dealing.LEAST_CONFIDENCE, Dealing.RANDOM]
    with pytest.raises(InvalidRequest, match=r"one of those that come later.*Not there yet: margin"):
        read_strategies("random,margin")
    with pytest.raises(InvalidRequest, match="got 'nothing'"):
        read_strategies(",")


def test_label_studio_deals_from_the_cluster_that_is_solved_least() -> None:
    rows = [(1, 0.1, 1), (2, 0.2, 1), (3, 0.3, 2), (4, 0.9, 2)]
    predictions = [NewPrediction(task, [], score, cluster) for task, score, cluster in rows]
    solved = Counter({1: 1})
    assert [one.task for one in deal(predictions, Dealing.DEFAULT, solved, 3)] == [3, 1, 4]
    assert solved == {1: 2, 2: 2}
    assert [one.task for one in deal(predictions, Dealing.LEAST_CONFIDENCE, solved, 3)] == [1, 2, 3]


@pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is missing")
def test_boxes_are_proposed_corrected_and_measured(tmp_path: Path, settings: Settings) -> None:
    found = read_set(sets.streets(tmp_path / "streets", 8), "yolo")
    quick = {"epochs": 1, "image_size": 64, "views": 1, "folds": 0}
    costs = default_costs(Kind.OBJECT_DETECTION)
    plan = Plan((Dealing.IN_ORDER,), (2, 5), 1, 0.4, costs, "object_detection/yolo.v1", quick)
    runs = list(simulate(settings, found, plan))
    assert [(run.metric_name, run.budget) for run in runs] == [("map50", 2), ("map50", 5)]
    for run in runs:
        assert run.metrics["items"] == 3
        assert 0 <= run.metrics["map50_95"] <= run.metric <= 1
        assert run.actions_manual == run.metrics["labels_count"] > 0
        untouched, drawn = run.metrics["accept_count"], run.metrics["add_count"]
        changes = run.metrics["move_count"] + run.metrics["relabel_count"]
        assert untouched + drawn <= run.actions_manual <= untouched + drawn + changes
        assert run.seconds_manual == costs.add * run.actions_manual


def test_spans_are_proposed_corrected_and_measured(tmp_path: Path, settings: Settings) -> None:
    found = read_set(sets.people(tmp_path / "people.conll"), "conll")
    plan = Plan((Dealing.RANDOM,), (5, 20), 1, 0.3, default_costs(Kind.NAMED_ENTITIES))
    first, second = simulate(settings, found, plan)
    assert (first.metric_name, second.metric_name) == ("f1", "f1")
    assert second.metric > 0.9
    assert second.metrics["f1_low"] <= second.metric <= second.metrics["f1_high"]
    assert second.actions_assisted < second.actions_manual


@pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is missing")
def test_masks_are_proposed_corrected_and_measured(tmp_path: Path, settings: Settings) -> None:
    found = read_set(sets.painted(tmp_path / "painted", 7), "masks")
    quick = {"epochs": 1, "image_size": 64, "views": 1, "folds": 0}
    costs = default_costs(Kind.INSTANCE_SEGMENTATION)
    plan = Plan((Dealing.IN_ORDER,), (2, 4), 1, 0.4, costs, "instance_segmentation/yolo_seg.v1", quick)
    runs = list(simulate(settings, found, plan))
    assert [(run.metric_name, run.budget) for run in runs] == [("map50", 2), ("map50", 4)]
    for run in runs:
        assert run.metrics["items"] == 3
        assert 0 <= run.metrics["map50_95"] <= run.metric <= 1
        assert "miou" in run.metrics
        assert run.actions_manual == run.metrics["labels_count"] > 0


@pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is missing")
def test_points_are_proposed_corrected_and_measured(tmp_path: Path, settings: Settings) -> None:
    found = read_set(sets.animals(tmp_path / "animals", 8), "keypoints-csv")
    quick = {"epochs": 1, "image_size": 64, "views": 1, "folds": 0, "width": 8}
    plan = Plan((Dealing.IN_ORDER,), (2, 5), 1, 0.4, default_costs(Kind.KEYPOINTS), "keypoints/yolo_pose.v1", quick)
    runs = list(simulate(settings, found, plan))
    assert [(run.metric_name, run.budget) for run in runs] == [("oks_map50", 2), ("oks_map50", 5)]
    for run in runs:
        assert run.metrics["items"] == 3
        assert 0 <= run.metrics["oks_map50_95"] <= run.metric <= 1
        assert run.actions_manual == run.metrics["labels_count"] == 2 * run.budget


def test_maps_are_proposed_corrected_and_measured(tmp_path: Path, settings: Settings) -> None:
    found = read_set(sets.landscapes(tmp_path / "land", 6), "masks", mask_values=MaskValues.CLASS)
    assert found.kind is Kind.SEMANTIC_SEGMENTATION
    assert 'prelabel_task="semantic"' in found.config
    costs = default_costs(Kind.SEMANTIC_SEGMENTATION)
    plan = Plan(
        (Dealing.IN_ORDER,), (2, 3), 1, 0.4, costs, "semantic_segmentation/unet_lite0.v1", {**TINY, "epochs": 2}
    )
    runs = list(simulate(settings, found, plan))
    assert [(run.metric_name, run.budget) for run in runs] == [("miou", 2), ("miou", 3)]
    for run in runs:
        assert 0 <= run.metric == run.metrics["miou"] <= 1
        assert "iou_1" in run.metrics
        assert run.actions_manual == run.metrics["labels_count"] > 0


def test_command(tmp_path: Path) -> None:
    file, output = sets.texts(tmp_path / "tickets.csv", 30), tmp_path / "out.json"
    arguments = ["--format", "csv", "--strategy", "random", "--budget", "5,10", "--seeds", "1", "--json", str(output)]
    done = CliRunner().invoke(app, ["simulate", str(file), *arguments, "--data-dir", str(tmp_path)])
    assert done.exit_code == 0, done.output
    said = json.loads(output.read_text())
    assert (said["dataset"], said["format"], said["task"]) == ("tickets.csv", "csv", "text_classification")
    assert [run["budget"] for run in said["runs"]] == [5, 10]
    assert "Simulated" in done.output


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--format", "csv", "--strategy", "badge"], "come later"),
        (["--format", "csv", "--budget", "5,a"], "--budget"),
        (["--format", "csv", "--json", "no/folder/out.json"], "no folder"),
        (["--format", "csv", "--mask-values", "x"], "--mask-values"),
        (["--format", "tsv"], "--format"),
    ],
)
def test_wrong_options_end_with_a_sentence(tmp_path: Path, more: list[str], says: str) -> None:
    file = sets.texts(tmp_path / "tickets.csv", 5)
    done = CliRunner().invoke(app, ["simulate", str(file), *more, "--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert says in done.output
