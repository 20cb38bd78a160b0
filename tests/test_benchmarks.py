"""The benchmark's own instruments: what they report must be what happened."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.simulation.readers import read_set
from model_zoo.types import Box
from tests.backend.simulation import sets
from tests.benchmarks import loop, simulate, zoo
from tests.benchmarks.backend import until
from tests.benchmarks.figures import Figure, append_results, percentile, text_table
from tests.benchmarks.machine import descendants, describe, memory_of
from tests.benchmarks.stage import Sizes
from tests.benchmarks.traffic import Answers, Call, drive
from tests.benchmarks.zoo_rows import Row, Trial, table
from tests.label_studio import LabelStudioInstance

TINY = Sizes(
    starts=1, settled=(20,), submissions=2, served=1, texts=40, images=40, seconds=2.0, swaps=4, repeats=2
)  # fmt: skip


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(reversed(range(1, 101)), share) == expected


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_results_are_appended_with_their_verdicts(tmp_path: Path) -> None:
    figures = [
        Figure("submit", "added", 21.04, "ms", 20.0, "a | b"),
        Figure("submit", "failed", 0, "", 0),
        Figure("start", "memory", math.nan, "MB"),
    ]
    file = tmp_path / "RESULTS.md"
    append_results(file, "first", ["a machine"], figures)
    append_results(file, "second", [], figures)
    text = file.read_text()
    assert text.index("## first") < text.index("- a machine") < text.index("## second")
    assert "| submit: added | 21.0 ms | at most 20 ms | MISSED | a \\| b |" in text
    assert "| submit: failed | 0 | at most 0 | reached |  |" in text
    assert "| start: memory | - |  |  |  |" in text
    assert text_table(figures).splitlines()[1].split() == ["submit:", "added", "21.0", "ms", "at", "most", "20", "ms", "MISSED"]  # fmt: skip  # noqa: E501


def test_a_row_of_the_zoo_says_what_it_missed() -> None:
    fast, slow = {"seconds": 1.0, "accuracy": 0.6}, {"seconds": 15.0, "accuracy": 0.8}
    trials = [Trial({"accuracy": own, "seconds": 2.0}, {"SetFit": slow, "LR": fast}, 900, 1) for own in (0.7, 0.9, 0.8)]
    row = Row("texts, 8 a class", "accuracy", trials, 12.0, 50.0, fast="SetFit", note="a | b")
    assert row.missed == ["more than a tenth of SetFit's seconds"]
    assert row.cells[2:4] == ("0.800, 0.700", "SetFit 0.800, 0.800; LR 0.600, 0.600")
    assert Row("texts", "accuracy", trials, 31.0, 99.5, 0.81).missed == ["below 0.81", "over 30 ms", "over 100 MB"]
    line = table([row]).splitlines()[2]
    assert "| MISSED: more than a tenth of SetFit's seconds | 2 " in line
    assert "draws: 3; a \\| b" in line
    assert Row("texts", "accuracy", [Trial({"accuracy": 0.7, "seconds": 2.0}, {}, 1, 1)]).cells[5] == ""


@pytest.mark.soak
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [name for name, part in zoo.PARTS.items() if not part.asked])
def test_a_part_of_the_zoo_can_be_measured(name: str) -> None:
    """In small, for minutes: with the shared data, and peers that are installed on the spot."""
    rows = zoo.PARTS[name].measure(True, 1)
    print(f"\n{table(rows)}")
    assert all(row.trials for row in rows)
    assert all(trial.own["seconds"] > 0 and trial.peak > 100 for row in rows for trial in row.trials)


class Slow(BaseHTTPRequestHandler):
    """Answers one request at a time; `/slow` takes half a second, `/broken` fails, `/predict` finds nothing."""

    one = threading.Lock()

    def do_GET(self) -> None:
        with self.one:
            time.sleep(0.5 if self.path == "/slow" else 0.0)
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"results":[{"result":[]}],"model_version":"v7"}')

    def log_message(self, *arguments: object) -> None:
        """Tests' output is for tests."""


@pytest.fixture
def slow_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_stall_counts_for_the_requests_behind_it(slow_server: str) -> None:
    """20 requests in one second, the first of which holds up the others for half of it."""
    calls = [Call("stall", "/slow"), *[Call("quick", "/quick")] * 19]
    answers = drive(slow_server, calls, 20.0, 1.0)
    assert len(answers) == 20
    quick = Answers.of(answers, "quick")
    assert quick.percentile(1.0) > 300  # due 0.05 s after the one that takes 0.5 s
    assert Answers.of(answers, "stall").percentile(0.5) >= 500


def test_failures_are_counted(slow_server: str) -> None:
    calls = [Call("broken", "/broken"), Call("fine", "/fine"), Call("empty", "/predict", {"tasks": []})]
    answers = drive(slow_server, calls, 100.0, 0.09)
    assert [Answers.of(answers, name).failed for name in ("broken", "fine", "empty")] == [3, 0, 3]
    assert {answer.version for answer in answers if answer.name == "empty"} == {"v7"}


def test_nobody_there_is_a_failure() -> None:
    answers = drive("http://127.0.0.1:1", [Call("health", "/health")], 50.0, 0.1)
    assert Answers.of(answers, "health").failed == 5


def test_memory_is_that_of_the_process() -> None:
    """Of one that has just begun: a long-lived one may find room in what it freed."""
    program = "ballast = bytearray(b'x') * 50_000_000; print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        held = memory_of(child.pid)
        child.communicate(b"\n")
    assert 50_000_000 < held.rss < 100_000_000
    assert 0 < held.pss <= held.rss
    assert memory_of(2**22 + 1).rss == 0


def test_descendants_are_found_at_any_depth() -> None:
    child = subprocess.Popen(["sh", "-c", "sh -c 'sleep 30; true' & wait; true"])
    found: list[int] = []
    try:
        until(lambda: len(descendants(child.pid)) == 2, "two descendants", 10.0)
        found = descendants(child.pid)
        assert child.pid in descendants(os.getpid())
    finally:
        for pid in reversed(found):
            os.kill(pid, 9)
        child.wait()


def test_the_machine_is_described() -> None:
    assert "cores of" in describe()[0]


def test_a_set_can_be_simulated(tmp_path: Path) -> None:
    trial = simulate.Trial(lambda folder: read_set(sets.texts(tmp_path / "tickets.csv", 30), "csv"), (5,), (5, 10))
    figures, sentence = simulate.measure("video of texts", trial, quick=True)
    assert sentence.startswith("video of texts: 30 tasks, 30 labels or regions, 0 problems, simulated in")
    named = [figure.what for figure in figures]
    assert named[0] == "random, 5 labelled, accuracy"
    assert named[-1] == "random, 10 labelled, right as shown in the last step"


def test_who_stands_behind_somebody_nearer_is_counted_as_hidden() -> None:
    near, behind, aside = Box(10, 10, 30, 60, "a"), Box(12, 20, 28, 50, "a"), Box(25, 20, 45, 50, "a")
    assert simulate.covered([near, behind, aside]) == pytest.approx([0.0, 1.0, 0.25])


@pytest.mark.label_studio
def test_the_loop_can_be_measured(label_studio: LabelStudioInstance, tmp_path: Path) -> None:
    """One part in small: what it stands on is what the others stand on, too."""
    said: list[str] = []
    figures = loop.measure(label_studio, tmp_path, TINY, ("swapping",), said.append)
    values = {f"{figure.part}: {figure.what}": figure.value for figure in figures}
    assert values["/predict: failed, swaps"] == 0
    assert values["during swaps: swaps that a server did not acknowledge"] == 0
    assert values["during swaps: versions seen in answers"] > 1
    assert len(said) == 1
