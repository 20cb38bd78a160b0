"""What serving adds to a model, in PyTorch and compiled: `python -m tests.benchmarks.serving`

With `--quick`, `--only KIND` and `--form FORM` for a part of it.

One task of a 1280 x 720 photograph, 32 tasks in a request, and 8 clients of one task each, against the bare model that
reads the same files from disk. The models are real; no Label Studio is needed, and none of its time is in the figures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from backend.serving.compiling import Forms
from backend.store.artifacts import Artifacts
from backend.store.compiled import CompiledForms
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from model_zoo.base import Family, Model
from model_zoo.postprocess import postprocess_of
from model_zoo.programs.program import PYTORCH
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import ClassificationExample, Input, Item, LabelSpace, TaskKind
from tests.benchmarks.backend import Backend
from tests.benchmarks.figures import Figure, append_results, median, text_table
from tests.benchmarks.machine import describe
from tests.benchmarks.shared_data import banking77, shared

RESULTS = Path(__file__).with_name("RESULTS.md")
UID = "1.1700000000"
SIZE = (1280, 720)
FORMS = (PYTORCH, "compiled")
MANY = 32
CLIENTS = 8
LABELS = {
    "detection": ("person", "car", "dog", "chair", "bottle"),
    "images": ("indoors", "outdoors"),
    "texts": ("card_arrival", "exchange_rate", "lost_or_stolen_card"),
}
CONFIGS = {
    "detection": '<View><Image name="o" value="$o"/><RectangleLabels name="c" toName="o">{}</RectangleLabels></View>',
    "images": '<View><Image name="o" value="$o"/><Choices name="c" toName="o">{}</Choices></View>',
    "texts": '<View><Text name="o" value="$o"/><Choices name="c" toName="o">{}</Choices></View>',
}
KINDS = {
    "detection": TaskKind.OBJECT_DETECTION,
    "images": TaskKind.IMAGE_CLASSIFICATION,
    "texts": TaskKind.TEXT_CLASSIFICATION,
}
REFERENCE = {"one": 65.0, "many": 23.0, "clients": 23.0}
"""The reference backend with YOLO11n on two cores: ms for one task (bare 39), images/s at 32, requests/s of 8 clients,
of which the better end of what was measured is taken."""


@dataclass(frozen=True)
class Sizes:
    repeats: int = 40
    rounds: int = 6
    seconds: float = 10.0


QUICK = Sizes(repeats=4, rounds=1, seconds=2.0)


@dataclass(frozen=True)
class Known:
    """A model with what it is asked: `inputs` as the bare model reads them, `values` as tasks name them."""

    kind: str
    model: Model
    weights_dir: Path | None
    inputs: Sequence[Input]
    values: Sequence[str]

    @property
    def config(self) -> str:
        tag = "Label" if self.kind == "detection" else "Choice"
        return CONFIGS[self.kind].format("".join(f'<{tag} value="{name}"/>' for name in LABELS[self.kind]))

    def body(self, indices: Sequence[int]) -> dict[str, Any]:
        tasks = [{"id": index + 1, "data": {"o": self.values[index % len(self.values)]}} for index in indices]
        return {"project": UID, "label_config": self.config, "tasks": tasks, "params": {}}

    def items(self, indices: Sequence[int]) -> list[Item]:
        return [Item(self.inputs[index % len(self.inputs)]) for index in indices]


def measure(known: Known, folder: Path, sizes: Sizes, chosen: Sequence[str]) -> list[Figure]:
    """Bare and served, in PyTorch and then compiled."""
    figures: list[Figure] = []
    for compiled in [form != PYTORCH for form in FORMS if form in chosen]:
        data = folder / f"{known.kind}-{'compiled' if compiled else 'pytorch'}"
        forms = publish(known, data)
        if compiled:
            for program in known.model.programs():
                forms.make(program)
        settings = {"PRELABEL_ALLOWED_HOSTS": "127.0.0.1", "PRELABEL_COMPILED": str(compiled).lower()}
        if known.weights_dir:
            settings["PRELABEL_WEIGHTS_DIR"] = str(known.weights_dir)
        with Backend(data, settings) as backend:
            found = _measure(known, backend, compiled, sizes)
        print(f"\n{text_table(found)}", flush=True)
        figures += found
    return figures


def publish(known: Known, data: Path) -> Forms:
    """A version of the model in a new data folder, as a training leaves it."""
    store = ObjectStore(data / "store")
    artifacts = Artifacts(store)
    known.model.save(data / "model")
    postprocess = postprocess_of(KINDS[known.kind]).uncalibrated(known.model.labels, 0.25)
    part = ControlVersion(
        known.model.family.name,
        artifacts.put(data / "model"),
        known.model.labels.names,
        postprocess=postprocess.to_json(),
    )
    Versions(store).publish(Manifest(UID, "v1", time.time(), 1, {"c": part}))
    return Forms(CompiledForms(store, artifacts), data / "cache" / "compiled")


def _measure(known: Known, backend: Backend, compiled: bool, sizes: Sizes) -> list[Figure]:
    form = "compiled" if compiled else PYTORCH
    warm_up(known, backend)
    log = backend.log.read_text()
    assert ("runs as compiled" in log) is compiled, f"The server did not run the form that is measured:\n{log[-2000:]}"
    one = _pairs(known, backend, [range(index, index + 1) for index in range(sizes.repeats)])
    many = _pairs(known, backend, [range(MANY)] * sizes.rounds)
    alone, answered, added = (1000 * median(column) for column in zip(*one, strict=True))
    bare, served, share = (median(column) for column in zip(*many, strict=True))
    rate, used = _clients(known, backend, sizes.seconds)
    part = f"{known.kind}, {form}"
    wanted = compiled and known.kind == "detection"

    figures = [
        Figure(part, "one task, bare model from the file", alone, "ms"),
        Figure(part, "one task, /predict", answered, "ms", None, f"reference {REFERENCE['one']:g} ms, bare 39"),
        Figure(part, "one task, added", added, "ms", 5.0 if compiled else None, "median of differences, in turn"),
        Figure(part, f"{MANY} tasks, bare", MANY / bare, "/s"),
        Figure(part, f"{MANY} tasks in a request", MANY / served, "/s", None, f"reference 20 to {REFERENCE['many']:g}"),
        Figure(part, f"{MANY} tasks, added", 100 * share / bare, "%", 10.0 if compiled else None),
        Figure(part, f"{CLIENTS} clients of one task", rate, "/s", None, f"reference 15 to {REFERENCE['clients']:g}"),
        Figure(part, f"{CLIENTS} clients, processor time of the server", used, "ms a task"),
    ]
    if wanted:
        figures += [
            # A figure's limit is an upper bound.
            Figure(part, f"{MANY} tasks, below 2.5 x reference", 57.5 - MANY / served, "/s", 0.0),
            Figure(part, f"{CLIENTS} clients, below 2.5 x reference", 57.5 - rate, "/s", 0.0),
        ]
    return figures


def warm_up(known: Known, backend: Backend) -> None:
    """Models loaded, media cached, both forms' kernels made."""
    for indices in (range(1), range(len(known.values)), range(MANY), range(1)):
        backend.post("/predict", known.body(indices))
        known.model.predict(known.items(indices))


def _pairs(known: Known, backend: Backend, rounds: Sequence[range]) -> list[tuple[float, float, float]]:
    """Seconds of the bare model, of the server, and the difference; in turn, so that both meet the same machine."""
    pairs = []
    for indices in rounds:
        body, items = known.body(indices), known.items(indices)
        bare = _timed(partial(known.model.predict, items))
        served = _timed(partial(_ask, backend, body))
        pairs.append((bare, served, served - bare))
    return pairs


def _ask(backend: Backend, body: dict[str, Any]) -> None:
    answer = backend.post("/predict", body)
    assert answer["model_version"] == "v1"
    assert len(answer["results"]) == len(body["tasks"])


def _clients(known: Known, backend: Backend, seconds: float) -> tuple[float, float]:
    """Answers a second to clients that each wait for theirs, and the server's processor time for one in ms."""
    server = backend.processes.server
    used, begun = _cpu_seconds(server), time.perf_counter()
    end = begun + seconds

    def client(number: int) -> int:
        count = 0
        with httpx.Client(base_url=backend.url, timeout=60) as http:
            while time.perf_counter() < end:
                http.post("/predict", json=known.body([number + CLIENTS * count])).raise_for_status()
                count += 1
        return count

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = sum(pool.map(client, range(CLIENTS)))
    took = time.perf_counter() - begun
    return answers / took, 1000 * (_cpu_seconds(server) - used) / answers


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def photographs(folder: Path, count: int = 40) -> list[Path]:
    """Photographs of the benchmark's size, as a camera writes them."""
    folder.mkdir(parents=True)
    paths = []
    for number, source in enumerate(sorted(shared("coco_mini").rglob("*.jpg"))[:count]):
        paths.append(folder / f"{number}.jpg")
        with Image.open(source) as image:
            image.convert("RGB").resize(SIZE).save(paths[-1], quality=90)
    return paths


@contextmanager
def served_folder(folder: Path) -> Iterator[str]:
    """The folder over HTTP; the address it begins with."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def known_of(kind: str, folder: Path, address: str, files: Sequence[Path]) -> Known:
    weights = shared("coco_mini").parents[1] / "weights"
    weights_dir = weights if kind == "detection" and weights.is_dir() else None
    chosen = family(default_family(KINDS[kind]), weights_dir)
    labels = LabelSpace(LABELS[kind])
    if kind == "texts":
        texts = [text for text, _ in banking77("test")[:40]]
        return Known(kind, _taught(chosen, labels, texts), None, texts, texts)
    model = chosen.untrained(labels) if kind == "detection" else _taught(chosen, labels, files)
    assert model is not None, "The detector's COCO weights were not found."
    return Known(kind, model, weights_dir, list(files), [f"{address}/{file.name}" for file in files])


def _taught(chosen: Family, labels: LabelSpace, inputs: Sequence[Input]) -> Model:
    """A head of the right shape; what it has learnt makes no difference to the time."""
    names = labels.names
    examples = [
        ClassificationExample(Item(value), frozenset([names[number % len(names)]]))
        for number, value in enumerate(inputs[:6])
    ]
    return chosen.train(examples, labels, Recipe()).model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look at whether it works; its figures mean little")
    parser.add_argument("--only", action="append", choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--form", action="append", choices=FORMS, help="one of the two forms alone")
    parser.add_argument("--no-results", action="store_true", help="print alone, and leave RESULTS.md as it is")
    arguments = parser.parse_args()
    machine, figures = describe(), []
    with tempfile.TemporaryDirectory(prefix="prelabel-serving-") as temporary:
        folder = Path(temporary)
        files = photographs(folder / "photographs")
        with served_folder(folder / "photographs") as address:
            for kind in arguments.only or KINDS:
                known = known_of(kind, folder, address, files)
                sizes = QUICK if arguments.quick else Sizes()
                figures += measure(known, folder, sizes, arguments.form or FORMS)
    if not arguments.no_results:
        facts = ["Command: `python -m tests.benchmarks.serving`.", *machine]
        append_results(RESULTS, f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, serving", facts, figures)


if __name__ == "__main__":
    main()
