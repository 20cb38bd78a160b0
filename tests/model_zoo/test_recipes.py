"""What every family promises whose encoder can be trained further: a row of `ROWS` a family and recipe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_zoo.base import Family, Progress, Trained, Watch
from model_zoo.errors import Cancelled, CheckpointError, TrainingImpossible
from model_zoo.image_classification.efficientnet_lite0_linear import EfficientNetLite0Linear
from model_zoo.image_classification.mobilenet_v2_linear import MobileNetV2Linear
from model_zoo.linear.family import LinearFamily
from model_zoo.linear.model import LinearModel
from model_zoo.named_entities.family import MiniLMTagger
from model_zoo.named_entities.model import TaggerModel
from model_zoo.recipes import Recipe
from model_zoo.registry import family
from model_zoo.runtime import Runtime
from model_zoo.text_classification.minilm_linear import MiniLMLinear
from model_zoo.tuning.hyperparameters import FEW_SHOT, FINE_TUNE, MICRO
from model_zoo.types import ClassificationExample, Example, Item, LabelSpace, TaskKind
from tests.model_zoo import figures
from tests.model_zoo.conftest import LABELS, UNTRAINED, _inputs
from tests.model_zoo.named_entities import sentences

TINY = {"epochs": 1, "batch": 8, "views": 2, "parts": 2}
ROWS = (
    pytest.param((MiniLMLinear.name, FINE_TUNE, {})),
    pytest.param((EfficientNetLite0Linear.name, FEW_SHOT, {})),
    pytest.param((MobileNetV2Linear.name, FEW_SHOT, {"views": 1})),
    pytest.param((MiniLMTagger.name, FEW_SHOT, {"iterations": 15})),
    pytest.param((MiniLMLinear.name, FEW_SHOT, {}), marks=pytest.mark.soak),
    pytest.param((EfficientNetLite0Linear.name, FINE_TUNE, {}), marks=pytest.mark.soak),
    pytest.param((MobileNetV2Linear.name, FINE_TUNE, {}), marks=pytest.mark.soak),
    pytest.param((MiniLMTagger.name, FINE_TUNE, {"iterations": 15}), marks=pytest.mark.soak),
)


@dataclass(frozen=True)
class Made:
    """A family, what it made of its examples by the recipe, and what it told."""

    kind: Family
    examples: Sequence[Example]
    labels: LabelSpace
    recipe: Recipe
    trained: Trained
    told: Sequence[Progress]

    @property
    def items(self) -> list[Item]:
        return [example.item for example in self.examples]

    def again(self, **more: Any) -> Trained:
        return self.kind.train(self.examples, self.labels, self.recipe, **more)

    @property
    def model(self) -> LinearModel | TaggerModel:
        assert isinstance(self.trained.model, LinearModel | TaggerModel)
        return self.trained.model


def examples_of(kind: Family) -> tuple[Sequence[Example], LabelSpace]:
    if kind.task is TaskKind.NAMED_ENTITIES:
        return sentences.examples(), LabelSpace(sentences.LABELS)
    pairs = [(value, label) for label, values in _inputs(kind.task).items() for value in values]
    return [ClassificationExample(Item(value), frozenset([label])) for value, label in pairs], LabelSpace(LABELS)


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    name, recipe, more = request.param
    folder = None
    if name in UNTRAINED:
        folder = tmp_path_factory.mktemp("weights")
        UNTRAINED[name](folder)
    kind, told = family(name, folder), list[Progress]()
    examples, labels = examples_of(kind)
    wish = Recipe(recipe, {**TINY, **more})
    return Made(kind, examples, labels, wish, kind.train(examples, labels, wish, watch=Watch(told.append)), told)


def test_it_has_a_network_of_its_own(made: Made) -> None:
    micro = made.kind.train(made.examples, made.labels, replace(made.recipe, name=MICRO))
    (own,), (shared,) = made.model.programs(), micro.model.programs()
    assert own is not shared
    assert own.key != shared.key
    assert made.model.nbytes > 10 * micro.model.nbytes
    assert made.trained.hyperparameters["name"] == made.recipe.name
    assert "name" not in micro.hyperparameters
    assert len([output for output in made.trained.out_of_fold if output]) == len(made.examples)


def test_saved_and_loaded_it_answers_identically(made: Made, tmp_path: Path) -> None:
    made.model.save(tmp_path / "artifact")
    loaded = made.kind.load(tmp_path / "artifact", made.labels)
    figures.assert_near(loaded.predict(made.items), made.model.predict(made.items))
    assert loaded.nbytes == made.model.nbytes
    assert loaded.programs() == made.model.programs(), "one network for all versions that have it"
    assert sum(file.stat().st_size for file in (tmp_path / "artifact").iterdir()) < 40e6
    with pytest.raises(CheckpointError, match="in this order"):
        made.kind.load(tmp_path / "artifact", LabelSpace(made.labels.names[::-1]))


def test_its_network_is_taken_up_by_a_process_that_has_it_not(made: Made, tmp_path: Path) -> None:
    made.model.save(tmp_path)
    elsewhere = type(made.kind)(Runtime(made.kind.runtime.weights_dir))
    loaded = elsewhere.load(tmp_path)
    assert loaded.programs() != made.model.programs()
    figures.assert_near(loaded.predict(made.items), made.model.predict(made.items))


def test_a_batch_equals_its_items(made: Made) -> None:
    apart = [output for item in made.items for output in made.model.predict([item])]
    figures.assert_near(made.model.predict(made.items), apart)


def test_deterministic_under_a_seed_and_progress_grows(made: Made) -> None:
    again = made.again()
    figures.assert_near(again.model.predict(made.items), made.model.predict(made.items))
    fractions = [progress.fraction for progress in made.told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_cancelled_within_two_seconds(made: Made) -> None:
    asked: list[float] = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 12

    with pytest.raises(Cancelled):
        made.again(watch=Watch(cancelled=cancelled))
    assert np.diff([*asked, time.monotonic()]).max() < 2


def test_its_network_goes_on_with_old_and_new_labels(made: Made) -> None:
    """Until there are clearly more examples; then it is trained anew on all."""
    grown = [*made.examples, made.examples[0]]
    more = made.kind.train(grown, made.labels, made.recipe, warm_start=made.model)
    assert more.model.programs() == made.model.programs()
    assert more.hyperparameters["tried"] == len(made.examples)
    assert "epochs" not in more.hyperparameters
    assert len([output for output in more.out_of_fold if output]) == len(grown)


def test_other_labels_are_learnt_anew_beside_those_that_stay(made: Made) -> None:
    wider = LabelSpace((*made.labels.names, "another"))
    grown = made.kind.train(made.examples, wider, made.recipe, warm_start=made.model)
    assert "epochs" in grown.hyperparameters
    assert grown.model.labels == wider
    best = [output.probabilities.argmax(axis=-1).ravel() for output in grown.model.predict(made.items)]  # type: ignore[union-attr]  # of the two kinds
    assert (np.concatenate(best) < len(made.labels)).all(), "nobody has ever chosen it"


def test_damaged_tensors_are_refused(made: Made, tmp_path: Path) -> None:
    own = made.model.own_encoder() if isinstance(made.model, LinearModel) else made.model.own.network  # type: ignore[union-attr]  # it has one
    assert own is not None
    wrong = {name: array[:1] for name, array in own.own.items()}
    with pytest.raises(CheckpointError, match="does not fit"):
        own.tuned(wrong).program.eager()


def test_unknown_recipes_and_wishes_are_refused(made: Made) -> None:
    with pytest.raises(TrainingImpossible, match="wanted one of: micro, few_shot, fine_tune"):
        made.kind.train(made.examples, made.labels, Recipe("enormous"))
    with pytest.raises(TrainingImpossible, match="from 1 on"):
        made.kind.train(made.examples, made.labels, Recipe(overrides={"epochs": 0}))


def test_features_of_the_shared_encoder_are_never_taken_for_its_own() -> None:
    kind = family(MiniLMLinear.name)
    assert isinstance(kind, LinearFamily)
    examples, labels = examples_of(kind)
    model = kind.train(examples, labels, Recipe(FEW_SHOT, TINY)).model
    own = model.own_encoder()
    assert own is not None
    texts = [example.item.input for example in examples]
    frozen = kind.encoder().encode(texts)
    both = [Item(text, row) for text, row in zip(texts, frozen, strict=True)]
    kept = [Item(features=row, others={own.name: mine}) for row, mine in zip(frozen, own.encode(texts), strict=True)]
    wanted = model.predict([Item(text) for text in texts])
    figures.assert_near(model.predict(both), wanted)
    figures.assert_near(model.predict(kept), wanted)
    np.testing.assert_array_equal(frozen, kind.encoder().encode(texts), "the shared one stays as it is")


def test_larger_recipes_are_not_kept_without_evidence() -> None:
    """Of what micro gets right altogether nothing can be better."""
    kind = family(MiniLMLinear.name)
    few, labels = examples_of(kind)
    examples = [replace(one, item=Item(f"{one.item.input} {copy}")) for copy in range(2) for one in few]
    recipe = Recipe(overrides={"least": 20, "epochs": 3, "parts": 2})
    assert kind.wants_inputs(24, labels, recipe, None)
    trained = kind.train(examples, labels, recipe)
    assert trained.model.own_encoder() is None
    assert trained.hyperparameters["tried"] == 24
    assert not kind.wants_inputs(30, labels, recipe, trained.model), "not before there are clearly more"
    assert kind.wants_inputs(36, labels, recipe, trained.model)
    assert not kind.wants_inputs(36, labels, Recipe(overrides={"seconds": 0.0}), None)
