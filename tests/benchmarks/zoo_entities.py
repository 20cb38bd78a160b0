"""What few sentences teach a tagger: `python -m tests.benchmarks.zoo_entities [--quick] [--seeds N]`

F1 over whole spans on the test set of WNUT17 (`ner_wnut17`) after 50, 200 and 1,000 sentences of its training set:
median and worst of several draws. Beside it spaCy's small tagger (`spacy.blank("en")` with an `ner` of its defaults) on
the same sentences, where an interpreter that has spaCy is named in PRELABEL_SPACY_PYTHON: it is no dependency. Then
seconds to train, milliseconds a sentence, memory and bytes on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from backend.evaluation.entities import EntityEvaluation, compare_spans
from backend.simulation.readers import read_set
from model_zoo.base import Family, Model
from model_zoo.errors import NotCompilable
from model_zoo.named_entities.family import MiniLMTagger
from model_zoo.postprocess import EntityPostprocess
from model_zoo.programs import openvino
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import EntityExample, Item, LabelSpace, Span, TaskKind
from tests.benchmarks.figures import Figure, text_table
from tests.benchmarks.shared_data import shared

BUDGETS = (50, 200, 1000)
SPACY = "PRELABEL_SPACY_PYTHON"
EPOCHS = 30
"""How often spaCy sees each sentence, in batches of 4 to 32: as its examples of training code do. More made it worse at
200 and at 1,000 sentences (0.042 and 0.090 after ten or twenty, 0.029 and 0.071 after thirty)."""
PART = "named entities"
MOST_DISK, MOST_MILLISECONDS = 100.0, 30.0
BATCH = 8

Sentences = list[EntityExample]


@dataclass(frozen=True)
class Trial:
    """One training: F1 on the test set, of what spaCy found on the same sentences, and what it took."""

    f1: float
    precision: float
    recall: float
    seconds: float
    theirs: float | None
    their_seconds: float


def read(name: str) -> Sentences:
    """The sentences of one file of the set."""
    found = []
    for task in read_set(shared("ner_wnut17") / name, "conll").tasks:
        regions = task["annotations"][0]["result"]
        spans = tuple(Span(r["value"]["start"], r["value"]["end"], r["value"]["labels"][0]) for r in regions)
        found.append(EntityExample(Item(task["data"]["text"]), spans))
    return found


def drawn(sentences: Sequence[EntityExample], count: int, seed: int) -> Sentences:
    return [sentences[at] for at in np.random.default_rng(seed).permutation(len(sentences))[:count]]


def trial(kind: Family, train: Sentences, test: Sentences, labels: LabelSpace, seed: int) -> tuple[Trial, Model]:
    started = time.perf_counter()
    trained = kind.train(train, labels, Recipe(), seed=seed)
    postprocess = EntityPostprocess.fit(trained.out_of_fold, [example.spans for example in train], labels)
    seconds = time.perf_counter() - started
    outputs = trained.model.predict([example.item for example in test])
    found = EntityEvaluation().measure(outputs, [example.spans for example in test], postprocess, labels)
    theirs, their_seconds = spacy_f1(train, test, seed)
    return Trial(found["f1"], found["precision"], found["recall"], seconds, theirs, their_seconds), trained.model


def spacy_f1(train: Sentences, test: Sentences, seed: int) -> tuple[float | None, float]:
    """What spaCy's tagger reaches, and its seconds; None where there is no spaCy."""
    python = os.environ.get(SPACY)
    if not python:
        return None, float("nan")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sets.json"
        sets = [[(e.item.input, [(s.start, s.end, s.label) for s in e.spans]) for e in part] for part in (train, test)]
        file.write_text(json.dumps({"train": sets[0], "test": sets[1], "seed": seed, "epochs": EPOCHS}), "utf-8")
        program = Path(__file__).with_name("spacy_tagger.py")
        done = subprocess.run([python, str(program), str(file)], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    right = shown = true = 0
    for spans, example in zip(said["found"], test, strict=True):
        answer = tuple(Span(*span) for span in spans)
        right += len(compare_spans(answer, example.spans).kept)
        shown, true = shown + len(answer), true + len(example.spans)
    return 2 * right / max(shown + true, 1), float(said["seconds"])


def milliseconds(model: Model, test: Sentences, run: str) -> float:
    """Of one sentence in batches of `BATCH`. `run` is part of the texts: what was read before would cost nothing."""
    batches = [test[at : at + BATCH] for at in range(0, min(len(test), 160), BATCH)]
    model.predict([Item("Something to begin with.")])
    started = time.perf_counter()
    for number, batch in enumerate(batches):
        model.predict([Item(f"{example.item.input} {run}{number}") for example in batch])
    return (time.perf_counter() - started) * 1000 / sum(map(len, batches))


def compiled(kind: Family) -> bool:
    """Have the reader run in OpenVINO, as serving does once that is ready; whether there is one."""
    if not openvino.available() or not isinstance(kind, MiniLMTagger):
        return False
    program = kind.reader().program
    with tempfile.TemporaryDirectory() as folder:
        try:
            openvino.export(program, Path(folder) / "form")
            program.adopt(openvino.load(Path(folder) / "form", threads=1))
        except NotCompilable as error:
            print(error)
            return False
    return True


def on_disk(model: Model) -> float:
    """Megabytes of what a version keeps."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        return sum(file.stat().st_size for file in (Path(folder) / "model").iterdir()) / 1e6


def measure(quick: bool, seeds: int) -> list[Figure]:
    train, test = read("wnut17train.conll"), read("emerging.test.annotated")
    if quick:
        test = test[:300]
    labels = LabelSpace(tuple(sorted({span.label for example in train for span in example.spans})))
    kind = family(default_family(TaskKind.NAMED_ENTITIES))
    figures: list[Figure] = []
    model: Model | None = None
    for budget in BUDGETS[: 2 if quick else 3]:
        trials = []
        for seed in range(seeds):
            found, model = trial(kind, drawn(train, budget, seed), test, labels, seed)
            trials.append(found)
        figures += _scores(budget, trials)
    assert model is not None
    figures.append(Figure(PART, "a version on disk", on_disk(model), "MB", MOST_DISK, "the network apart: 91 MB"))
    figures.append(Figure(PART, f"PyTorch, batch {BATCH}", milliseconds(model, test, "a"), "ms a sentence"))
    if compiled(kind):
        figures.append(
            Figure(PART, f"compiled, batch {BATCH}", milliseconds(model, test, "b"), "ms a sentence", MOST_MILLISECONDS)
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.append(Figure(PART, "peak memory of the process", peak, "MB"))
    return figures


def _scores(budget: int, trials: Sequence[Trial]) -> list[Figure]:
    """Errors, 1 - F1, so that less is better: ours must be at most spaCy's in the same run."""
    theirs = [found.theirs for found in trials if found.theirs is not None]
    shares: Mapping[str, float] = {
        "precision": median(found.precision for found in trials),
        "recall": median(found.recall for found in trials),
    }
    note = ", ".join(f"{name} {value:.3f}" for name, value in shares.items())
    worst = 1 - min(found.f1 for found in trials)
    figures = [
        Figure(
            PART, f"1 - F1 at {budget} sentences", 1 - median(found.f1 for found in trials), "",
            1 - median(theirs) if theirs else None, f"{len(trials)} draws, the worst {worst:.3f}; {note}",
        ),
        Figure(PART, f"training on {budget} sentences", median(found.seconds for found in trials), "s"),
    ]  # fmt: skip
    if theirs:
        seconds = median(found.their_seconds for found in trials)
        figures.append(Figure(PART, f"1 - F1 of spaCy at {budget}", 1 - median(theirs), "", None, f"{seconds:.0f} s"))
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without 1,000 sentences, on a part of the test set")
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    print(text_table(measure(chosen.quick, chosen.seeds)))
