"""The schema stays, sums over seeds are right, and every drawing says that it is simulated."""

from __future__ import annotations

import io
import json
import random
from math import log
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from backend.errors import InvalidRequest
from backend.simulation.costs import Costs, default_costs, read_costs
from backend.simulation.display import curves, show_report
from backend.simulation.labelled import Kind
from backend.simulation.plot import check_plot, draw
from backend.simulation.report import Interval, Report, Run, certainty, spread, summarise

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


@pytest.mark.parametrize(("seeds", "sure"), [(1, 0.0), (2, 0.5), (3, 0.75), (5, 0.9375), (6, 0.96875), (9, 0.9609375)])
def test_intervals_say_how_sure_they_are(seeds: int, sure: float) -> None:
    """As often as they say, they hold the median of what the seeds are drawn from."""
    assert certainty(seeds) == sure
    chance = random.Random(seeds)
    drawn = (Interval.of(chance.expovariate(1.0) for _ in range(seeds)) for _ in range(2000))
    held = sum(one.low <= log(2) <= one.high for one in drawn) / 2000
    assert held == pytest.approx(sure, abs=0.03)


def test_intervals_leave_out_what_they_can() -> None:
    assert Interval.of([5.0, 1.0, 9.0]) == Interval(5.0, 1.0, 9.0)
    assert Interval.of(map(float, range(10))) == Interval(4.5, 1.0, 8.0)
    assert spread(1) == ""
    assert spread(3) == "75% interval of the median, from the lowest to the highest seed"
    assert "leaving out 1 of the seeds at either end" in spread(10)


def test_the_terminal_says_that_it_is_simulated() -> None:
    written = io.StringIO()
    show_report(REPORT, Console(file=written, width=120))
    text = written.getvalue()
    assert text.count("imulated") >= 3
    assert "0.40 (0.30 to 0.50)" in text
    assert "10 → 5" in text
    assert "75% interval of the median" in " ".join(text.split())


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
