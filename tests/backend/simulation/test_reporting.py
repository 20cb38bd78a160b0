"""The schema stays, sums over seeds are right, and every drawing says that it is simulated."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from backend.errors import InvalidRequest
from backend.simulation.costs import Costs, default_costs, read_costs
from backend.simulation.display import curves, show_report
from backend.simulation.labelled import Kind
from backend.simulation.plot import check_plot, draw
from backend.simulation.report import Interval, Report, Run, summarise

COSTS = Costs(1.0, 5.0, 3.0, 7.0, 2.0)


def run(strategy: str = "random", seed: int = 0, budget: int = 5, metric: float = 0.5, seconds: float = 20.0) -> Run:
    metrics = {"accuracy": metric, "step_label_efficiency": metric}
    return Run(strategy, seed, budget, "accuracy", metric, metrics, metric, 10, 5, 40.0, seconds, 0.5, ("a note",))


RUNS = [
    run(strategy, seed, budget, metric + seed / 10)
    for strategy in ("random", "default")
    for seed in range(3)
    for budget, metric in ((5, 0.3), (10, 0.6))
]
REPORT = Report("animals", "imagefolder", "image_classification", COSTS, RUNS)


def test_schema() -> None:
    said = json.loads(REPORT.to_text())
    assert list(said) == ["dataset", "format", "task", "simulated", "note", "costs", "runs"]
    assert said["simulated"] is True
    assert said["runs"][0] == {
        "strategy": "random", "seed": 0, "budget": 5, "metric_name": "accuracy", "metric": 0.3,
        "metrics": {"accuracy": 0.3, "step_label_efficiency": 0.3}, "label_efficiency": 0.3, "actions_manual": 10,
        "actions_assisted": 5, "seconds_manual": 40.0, "seconds_assisted": 20.0, "train_seconds": 0.5,
    }  # fmt: skip


def test_summaries_are_over_seeds() -> None:
    summaries = summarise(RUNS)
    assert [(one.strategy, one.budget, one.seeds) for one in summaries] == [
        ("random", 5, 3), ("random", 10, 3), ("default", 5, 3), ("default", 10, 3),
    ]  # fmt: skip
    assert summaries[0].metric == Interval(0.4, 0.3, 0.5)
    assert summaries[0].saved == 0.5


def test_the_terminal_says_that_it_is_simulated() -> None:
    written = io.StringIO()
    show_report(REPORT, Console(file=written, width=120))
    text = written.getvalue()
    assert text.count("imulated") >= 3
    assert "0.40 (0.30 to 0.50)" in text
    assert "10 → 5" in text


def test_curves_are_higher_where_the_metric_is() -> None:
    lines = list(curves(summarise(RUNS)))
    rows = [at for at, line in enumerate(lines) if "●" in line and "random" not in line]
    first, second = (next(at for at in rows if "●" in half(lines[at], side)) for side in (0, 1))
    assert first > second
    assert lines[-1].split() == ["●", "random", "▲", "default"]


def half(line: str, side: int) -> str:
    return line[6:36] if side == 0 else line[36:]


def test_the_plot_is_an_image(tmp_path: Path) -> None:
    check_plot(tmp_path / "curves.png")
    draw(REPORT, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.width > 1000
        assert len(image.convert("RGB").getcolors(1_000_000) or ()) > 50


def test_a_plot_needs_a_known_ending() -> None:
    with pytest.raises(InvalidRequest, match=r"ends in \.png"):
        check_plot(Path("curves.txt"))


def test_costs_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_text('{"add": 25.5, "accept": 0}')
    costs = read_costs(file, Kind.OBJECT_DETECTION)
    assert costs.to_json() == {**default_costs(Kind.OBJECT_DETECTION).to_json(), "add": 25.5, "accept": 0}


@pytest.mark.parametrize("content", ['{"draw": 3}', '{"add": -1}', '{"add": true}', "[3]", "{"])
def test_wrong_costs_are_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "costs.json"
    file.write_text(content)
    with pytest.raises(InvalidRequest, match="--costs"):
        read_costs(file, Kind.OBJECT_DETECTION)
