"""What few sentences teach a tagger: `python -m tests.benchmarks.zoo --only entities`

F1 over whole spans on the test set of WNUT17 (`ner_wnut17`) after 50, 200 and 1,000 sentences of its training set.
Beside it spaCy's small tagger (`spacy.blank("en")` with an `ner` of its defaults) on the same sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from backend.evaluation.entities import EntityEvaluation, compare_spans
from backend.simulation.readers import read_set
from model_zoo.postprocess import EntityPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import EntityExample, Item, LabelSpace, Span, TaskKind
from tests.benchmarks import peers
from tests.benchmarks.forms import serving_costs
from tests.benchmarks.shared_data import shared
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

BUDGETS = (50, 200, 1000)
EPOCHS = 10
"""How often spaCy sees each sentence, in batches of 4 to 32. More did not help on one draw: F1 at 200 sentences was
0.042 after ten and twenty, 0.029 after thirty, at 1,000 it was 0.069, 0.090 and 0.071."""
SPACY = "spaCy"

Sentences = list[EntityExample]


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


def trial(budget: int, seed: int, quick: bool, interpreter: Path | None) -> Trial:
    kind = family(default_family(TaskKind.NAMED_ENTITIES))
    train, test, labels = _split(quick)
    known = drawn(train, budget, seed)
    with costing() as cost:
        trained = kind.train(known, labels, Recipe(), seed=seed)
        postprocess = EntityPostprocess.fit(trained.out_of_fold, [example.spans for example in known], labels)
    outputs = trained.model.predict([example.item for example in test])
    found = EntityEvaluation().measure(outputs, [example.spans for example in test], postprocess, labels)
    usual = {} if interpreter is None else {SPACY: spacy(interpreter, known, test, seed)}
    return Trial({**found, "seconds": cost.seconds}, usual, cost.peak, on_disk(trained.model))


def spacy(interpreter: Path, train: Sentences, test: Sentences, seed: int) -> dict[str, float]:
    """What spaCy's tagger reaches, and its seconds."""
    sets = [[(e.item.input, [(s.start, s.end, s.label) for s in e.spans]) for e in part] for part in (train, test)]
    given = {"train": sets[0], "test": sets[1], "seed": seed, "epochs": EPOCHS}
    said = peers.told(interpreter, "spacy_tagger.py", given)
    right = shown = true = 0
    for spans, example in zip(said["found"], test, strict=True):
        answer = tuple(Span(*span) for span in spans)
        right += len(compare_spans(answer, example.spans).kept)
        shown, true = shown + len(answer), true + len(example.spans)
    return {"f1": 2 * right / max(shown + true, 1), "seconds": float(said["seconds"])}


def measure(quick: bool, seeds: int) -> list[Row]:
    interpreter = peers.python("spacy")
    budgets = BUDGETS[:2] if quick else BUDGETS
    jobs = [(budget, seed, quick, interpreter) for budget in reversed(budgets) for seed in range(seeds)]
    found = dict(zip(jobs, tried(trial, jobs), strict=True))
    kind = family(default_family(TaskKind.NAMED_ENTITIES))
    train, test, labels = _split(quick)
    model = kind.train(drawn(train, budgets[0], 0), labels, Recipe(overrides={"folds": 1})).model
    speed, how = serving_costs(model, [one.item for one in test[:160]])
    return [
        Row(
            f"wnut17, {budget} sentences", "f1", [found[job] for job in jobs if job[0] == budget], speed,
            network_on_disk(kind), note=how,
        )
        for budget in budgets
    ]  # fmt: skip


@cache
def _split(quick: bool) -> tuple[Sentences, Sentences, LabelSpace]:
    train, test = read("wnut17train.conll"), read("emerging.test.annotated")
    labels = LabelSpace(tuple(sorted({span.label for example in train for span in example.spans})))
    return train, test[: 300 if quick else None], labels
