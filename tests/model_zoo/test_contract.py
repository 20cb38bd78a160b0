"""What every family of classification promises; `object_detection/test_family.py` is the same for detection.

Last, what every family promises whose kind of task has a row in `KINDS`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model_zoo.base import Family, Model, Progress, Trained, Watch
from model_zoo.distillation import Distillation
from model_zoo.errors import Cancelled, CheckpointError, TrainingImpossible
from model_zoo.recipes import Recipe
from model_zoo.registry import FAMILIES, family
from model_zoo.types import (
    ClassificationExample,
    ClassificationOutput,
    Example,
    FloatArray,
    Item,
    LabelSpace,
    Output,
    TaskKind,
)
from tests.model_zoo import figures
from tests.model_zoo.conftest import LABELS
from tests.model_zoo.named_entities import sentences
from tests.model_zoo.region_classification import moods, stickers
from tests.model_zoo.semantic_segmentation import landscapes

Examples = list[ClassificationExample]
SPACE = LabelSpace(LABELS)
SEVERAL = LabelSpace(LABELS, multiple=True)


def table(outputs: list[Output]) -> FloatArray:
    return np.stack([output.probabilities for output in outputs if isinstance(output, ClassificationOutput)])


def items(examples: Examples) -> list[Item]:
    return [example.item for example in examples]


@pytest.fixture(scope="module")
def model(some_family: Family, examples: Examples) -> Model:
    return some_family.train(examples, SPACE, Recipe()).model


def test_names_say_task_architecture_and_version(some_family: Family) -> None:
    assert re.fullmatch(rf"{some_family.task.value}/[a-z0-9_]+\.v[1-9]\d*", some_family.name)


def test_learns_its_examples(some_family: Family, examples: Examples) -> None:
    losses: list[float] = []
    watch = Watch(report=lambda progress: losses.append(progress.loss or 0.0))
    trained = some_family.train(examples, SPACE, Recipe(), watch=watch)
    assert trained.loss < 0.7 * np.log(len(LABELS)), "no better than guessing"
    assert losses[-1] == trained.loss
    best = table(trained.model.predict(items(examples))).argmax(axis=1)
    assert [LABELS[index] for index in best] == [next(iter(example.labels)) for example in examples]


def test_probabilities_are_a_distribution(model: Model, examples: Examples) -> None:
    rows = table(model.predict(items(examples)))
    assert rows.shape == (len(examples), len(LABELS))
    assert rows.dtype == np.float32
    assert (rows >= 0).all()
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_saved_and_loaded_it_answers_identically(
    some_family: Family, model: Model, examples: Examples, tmp_path: Path
) -> None:
    model.save(tmp_path / "artifact")
    loaded = some_family.load(tmp_path / "artifact", SPACE)
    np.testing.assert_array_equal(table(loaded.predict(items(examples))), table(model.predict(items(examples))))
    assert loaded.labels == SPACE
    assert loaded.family is type(some_family)
    assert loaded.nbytes == model.nbytes > 0
    assert sorted(path.suffix for path in (tmp_path / "artifact").iterdir()) == [".json", ".safetensors"]


def test_checkpoint_of_other_labels_is_refused(some_family: Family, model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    with pytest.raises(CheckpointError, match="in this order"):
        some_family.load(tmp_path, LabelSpace(LABELS[::-1]))
    with pytest.raises(CheckpointError, match="several of the labels"):
        some_family.load(tmp_path, SEVERAL)


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_damaged_checkpoint_is_refused(some_family: Family, model: Model, tmp_path: Path, name: str) -> None:
    model.save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="train again"):
        some_family.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match="train again"):
        some_family.load(tmp_path)


def test_saving_never_overwrites(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    with pytest.raises(CheckpointError, match="not empty"):
        model.save(tmp_path)


def test_batch_equals_its_items(model: Model, raw_examples: Examples) -> None:
    together = table(model.predict(items(raw_examples)))
    apart = np.concatenate([table(model.predict([item])) for item in items(raw_examples)])
    np.testing.assert_allclose(together, apart, atol=1e-4)


def test_stored_features_give_the_same_as_inputs(model: Model, raw_examples: Examples, examples: Examples) -> None:
    np.testing.assert_allclose(
        table(model.predict(items(raw_examples))), table(model.predict(items(examples))), atol=1e-4
    )


def test_empty_batch_is_legal(model: Model) -> None:
    assert model.predict([]) == []


def test_deterministic_under_a_seed(some_family: Family, examples: Examples) -> None:
    first, second = (some_family.train(examples, SPACE, Recipe(), seed=7) for _ in range(2))
    np.testing.assert_array_equal(
        table(first.model.predict(items(examples))), table(second.model.predict(items(examples)))
    )
    judged, again = ([output for output in trained.out_of_fold if output] for trained in (first, second))
    assert len(judged) == len(examples)
    np.testing.assert_array_equal(table(judged), table(again))


def test_out_of_fold_outputs_have_not_seen_their_labels(some_family: Family) -> None:
    """Labels that are pure chance cannot be predicted, except by a model that has seen them."""
    encoder = some_family.encoder()
    assert encoder is not None
    random = np.random.default_rng(1)
    features = random.normal(size=(240, encoder.dimensions)).astype(np.float32)
    drawn = [LABELS[index] for index in random.integers(0, 3, 240)]
    examples = [ClassificationExample(Item(features=f), frozenset([d])) for f, d in zip(features, drawn, strict=True)]
    trained = some_family.train(examples, SPACE, Recipe())
    honest = [LABELS[o.probabilities.argmax()] == d for o, d in zip(trained.out_of_fold, drawn, strict=True) if o]
    seen = [
        LABELS[o.probabilities.argmax()] == d
        for o, d in zip(trained.model.predict(items(examples)), drawn, strict=True)
    ]
    assert len(honest) == 240
    assert np.mean(honest) < 0.45
    assert np.mean(seen) > 0.9


def test_the_only_example_of_a_label_is_not_judged(some_family: Family, examples: Examples) -> None:
    few = examples[:5]  # four of the first label and one of the second
    trained = some_family.train(few, SPACE, Recipe())
    assert [output is None for output in trained.out_of_fold] == [False] * 4 + [True]


def test_a_single_example(some_family: Family, examples: Examples) -> None:
    trained = some_family.train(examples[:1], SPACE, Recipe())
    assert trained.out_of_fold == (None,)
    assert table(trained.model.predict(items(examples[:1]))).argmax() == 0


def test_one_label_so_far_is_likely_and_not_certain(some_family: Family, examples: Examples) -> None:
    recipe = Recipe(overrides={"anchor_weight": 0.0})
    trained = some_family.train(examples[:4], SPACE, recipe)
    rows = table(trained.model.predict(items(examples)))
    np.testing.assert_allclose(rows, np.tile(np.float32([5, 1, 1]) / 7, (len(examples), 1)), rtol=1e-5)


def test_label_without_examples_stays_possible(some_family: Family, examples: Examples) -> None:
    rows = table(some_family.train(examples[:8], SPACE, Recipe()).model.predict(items(examples[:8])))
    assert (rows[:, 2] > 0).all()
    assert (rows.argmax(axis=1) == [0] * 4 + [1] * 4).all()


def test_one_example_of_each_label(some_family: Family, examples: Examples) -> None:
    trained = some_family.train(examples[::4], SPACE, Recipe())
    assert trained.out_of_fold == (None,) * 3
    assert list(table(trained.model.predict(items(examples[::4]))).argmax(axis=1)) == [0, 1, 2]


def test_several_labels_at_once(some_family: Family, examples: Examples, tmp_path: Path) -> None:
    both = [replace(example, labels=example.labels | {LABELS[0]}) for example in examples[4:8]]
    none = [replace(example, labels=frozenset[str]()) for example in examples[8:]]
    trained = some_family.train([*examples[:4], *both, *none], SEVERAL, Recipe())
    rows = table(trained.model.predict(items(examples)))
    assert (rows[:8, 0] > 0.5).all()
    assert (rows[8:, 0] < 0.5).all()
    assert (rows[4:8, 1] > rows[:4, 1].max()).all()
    assert (rows[:, 2] < 0.5).all(), "nobody has ever chosen it"
    trained.model.save(tmp_path)
    loaded = some_family.load(tmp_path, SEVERAL)
    np.testing.assert_array_equal(table(loaded.predict(items(examples))), rows)


def test_nothing_to_learn_from(some_family: Family) -> None:
    with pytest.raises(TrainingImpossible, match="at least one"):
        some_family.train([], SPACE, Recipe())


@pytest.mark.parametrize("labels", [frozenset({"unheard of"}), frozenset[str](), frozenset(LABELS[:2])])
def test_example_that_contradicts_the_label_space(
    some_family: Family, examples: Examples, labels: frozenset[str]
) -> None:
    with pytest.raises(TrainingImpossible, match="exactly one"):
        some_family.train([replace(examples[0], labels=labels)], SPACE, Recipe())


def test_unknown_hyperparameter_is_refused(some_family: Family, examples: Examples) -> None:
    with pytest.raises(TrainingImpossible, match="strength"):
        some_family.train(examples, SPACE, Recipe(overrides={"unheard_of": 3}))


def test_training_can_be_cancelled(some_family: Family, raw_examples: Examples) -> None:
    with pytest.raises(Cancelled):
        some_family.train(raw_examples, SPACE, Recipe(), watch=Watch(cancelled=lambda: True))


def test_progress_grows_to_the_end(some_family: Family, examples: Examples) -> None:
    told: list[Progress] = []
    some_family.train(examples, SPACE, Recipe(), watch=Watch(report=told.append))
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_names_in_any_script_and_length_survive(some_family: Family, examples: Examples, tmp_path: Path) -> None:
    names = ("\"quoted\" 'twice' \\", "🙂" * 100, "x" * 10_000)
    renamed = [replace(e, labels=frozenset(names[LABELS.index(label)] for label in e.labels)) for e in examples]
    some_family.train(renamed, LabelSpace(names), Recipe()).model.save(tmp_path)
    assert some_family.load(tmp_path).labels == LabelSpace(names)


def test_learns_what_a_teacher_says_of_others(some_family: Family, examples: Examples) -> None:
    """One example of each label; of the others only the teacher knows them."""
    few = examples[::4]
    sure = [np.where(np.array(LABELS) == next(iter(one.labels)), 0.9, 0.05).astype(np.float32) for one in examples]
    taught = Distillation(items(examples), [ClassificationOutput(row) for row in sure], weight=0.8)
    first, second = (some_family.distil(few, SPACE, Recipe(), taught, seed=3) for _ in range(2))
    rows = table(first.model.predict(items(examples)))
    assert [LABELS[index] for index in rows.argmax(axis=1)] == [next(iter(one.labels)) for one in examples]
    np.testing.assert_array_equal(rows, table(second.model.predict(items(examples))))
    assert len(first.out_of_fold) == len(few)
    with pytest.raises(Cancelled):
        some_family.distil(few, SPACE, Recipe(), taught, watch=Watch(cancelled=lambda: True))


@dataclass(frozen=True)
class Kind:
    """Examples of one kind of task that a tiny configuration learns in a second, of at least two labels; `hostile`
    are inputs that are hard to read, and that it must answer all the same. `falls` is the share of the first loss that
    the last one stays below."""

    labels: tuple[str, ...]
    examples: Callable[[], Sequence[Example]]
    hostile: Sequence[Item]
    overrides: Mapping[str, Any]
    falls: float = 0.5
    only: str = ""
    """The label that some example has alone; the first, unless another is given."""
    steps: bool = True
    """Whether the loss is told step by step."""


KINDS: Mapping[TaskKind, Kind] = {
    TaskKind.NAMED_ENTITIES: Kind(sentences.LABELS, sentences.examples, sentences.HOSTILE, {"iterations": 20}),
    TaskKind.INSTANCE_SEGMENTATION: Kind(figures.SHADES, figures.painted, figures.HOSTILE, figures.SEGMENTER, 0.8),
    TaskKind.KEYPOINTS: Kind(figures.CORNERS, figures.marked, figures.HOSTILE, figures.POINTER),
    TaskKind.SEMANTIC_SEGMENTATION: Kind(
        landscapes.LABELS, landscapes.examples, landscapes.HOSTILE, landscapes.TINY, only="Ground"
    ),
    TaskKind.REGION_CLASSIFICATION: Kind(stickers.LABELS, stickers.examples, stickers.HOSTILE, {}, steps=False),
    TaskKind.SPAN_CLASSIFICATION: Kind(moods.LABELS, moods.examples, moods.HOSTILE, {}, steps=False),
}


def numbers(outputs: Sequence[Output]) -> list[list[npt.NDArray[Any]]]:
    """The arrays of each output."""
    return [[value for value in vars(output).values() if isinstance(value, np.ndarray)] for output in outputs]


def alike(first: Sequence[Output], second: Sequence[Output]) -> None:
    for one, other in zip(numbers(first), numbers(second), strict=True):
        for array, wanted in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, wanted)


Made = tuple[Family, Kind, Trained, list[float]]


@pytest.fixture(scope="module", params=[known.name for known in FAMILIES if known.task in KINDS])
def made(request: pytest.FixtureRequest) -> Made:
    """A family, its kind's row, what it made of the examples, and the losses that it told."""
    chosen = family(request.param)
    kind, losses = KINDS[chosen.task], list[float]()
    watch = Watch(report=lambda progress: losses.append(progress.loss) if progress.loss is not None else None)
    recipe = Recipe(overrides=kind.overrides)
    return chosen, kind, chosen.train(kind.examples(), LabelSpace(kind.labels), recipe, watch=watch), losses


class TestEveryKind:
    def test_the_loss_falls(self, made: Made) -> None:
        _, kind, trained, losses = made
        assert trained.loss == losses[-1]
        assert not kind.steps or trained.loss < losses[0] * kind.falls

    def test_saved_and_loaded_it_answers_identically(self, made: Made, tmp_path: Path) -> None:
        chosen, kind, trained, _ = made
        inputs = [example.item for example in kind.examples()]
        trained.model.save(tmp_path / "artifact")
        loaded = chosen.load(tmp_path / "artifact", LabelSpace(kind.labels))
        alike(loaded.predict(inputs), trained.model.predict(inputs))
        assert loaded.nbytes == trained.model.nbytes > 0
        assert loaded.family is type(chosen)
        with pytest.raises(CheckpointError, match="in this order"):
            chosen.load(tmp_path / "artifact", LabelSpace(kind.labels[::-1]))
        (tmp_path / "artifact" / "weights.safetensors").write_bytes(b"broken")
        with pytest.raises(CheckpointError, match="train again"):
            chosen.load(tmp_path / "artifact")

    def test_a_batch_equals_its_items(self, made: Made) -> None:
        _, kind, trained, _ = made
        inputs = [example.item for example in kind.examples()]
        apart = [output for item in inputs for output in trained.model.predict([item])]
        figures.assert_near(trained.model.predict(inputs), apart)
        assert trained.model.predict([]) == []

    def test_deterministic_under_a_seed(self, made: Made) -> None:
        chosen, kind, trained, _ = made
        again = chosen.train(kind.examples(), LabelSpace(kind.labels), Recipe(overrides=kind.overrides))
        inputs = [example.item for example in kind.examples()]
        alike(again.model.predict(inputs), trained.model.predict(inputs))
        assert [output is None for output in again.out_of_fold] == [output is None for output in trained.out_of_fold]
        assert len(trained.out_of_fold) == len(inputs)

    def test_one_label_only(self, made: Made) -> None:
        chosen, kind, _, _ = made
        label = kind.only or kind.labels[0]
        only = [example for example in kind.examples() if figures.is_of(example, label)]
        trained = chosen.train(only, LabelSpace((label,)), Recipe(overrides=kind.overrides))
        assert len(trained.model.predict([only[0].item])) == 1

    def test_cancelled_within_two_seconds(self, made: Made) -> None:
        chosen, kind, _, _ = made
        asked: list[float] = []

        def cancelled() -> bool:
            asked.append(time.monotonic())
            return len(asked) > 3

        with pytest.raises(Cancelled):
            chosen.train(kind.examples(), LabelSpace(kind.labels), Recipe(), watch=Watch(cancelled=cancelled))
        assert time.monotonic() - asked[-1] < 2

    def test_nothing_to_learn_from_and_unknown_wishes(self, made: Made) -> None:
        chosen, kind, _, _ = made
        with pytest.raises(TrainingImpossible, match="at least one"):
            chosen.train([], LabelSpace(kind.labels), Recipe())
        with pytest.raises(TrainingImpossible, match="wanted one of"):
            chosen.train(kind.examples(), LabelSpace(kind.labels), Recipe(overrides={"unheard_of": 1}))

    def test_learns_from_a_teacher_or_says_that_it_does_not(self, made: Made) -> None:
        chosen, kind, trained, _ = made
        examples, labels = kind.examples(), LabelSpace(kind.labels)
        taught = Distillation([one.item for one in examples], trained.model.predict([one.item for one in examples]))
        recipe = Recipe(overrides=kind.overrides)
        if type(chosen).distil is Family.distil:
            with pytest.raises(TrainingImpossible, match="learns from no teacher"):
                chosen.distil(examples, labels, recipe, taught)
            return
        again = [chosen.distil(examples, labels, recipe, taught, seed=1).model for _ in range(2)]
        alike(*(model.predict(taught.items) for model in again))

    def test_hostile_inputs_are_answered(self, made: Made) -> None:
        _, kind, trained, _ = made
        outputs = trained.model.predict([trained.model.prepare(item) for item in kind.hostile])
        assert all(np.isfinite(array).all() for arrays in numbers(outputs) for array in arrays)
