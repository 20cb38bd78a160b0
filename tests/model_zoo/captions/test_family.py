"""What every family of captions promises, as `test_contract.py` has it of classification; features are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Family, Model, Progress, Watch
from model_zoo.caption_metrics import best_f1
from model_zoo.captions.family import _clearly_better
from model_zoo.errors import Cancelled, CheckpointError, TrainingImpossible
from model_zoo.recipes import Recipe
from model_zoo.registry import FAMILIES, family
from model_zoo.types import (
    CaptionExample,
    CaptionOutput,
    Captions,
    ClassificationExample,
    Item,
    LabelSpace,
    Output,
    TaskKind,
)

SPACE = LabelSpace(())
SAID = [
    ("A red train on a bridge.", "A train crosses a bridge."),
    ("Two dogs play in the snow!", "Dogs in snow."),
    ("A bowl of soup, with bread.", "Soup and bread"),
]
WRITTEN = Recipe(overrides={"method": "lstm", "hidden": 48, "embedded": 16, "epochs": 30, "folds": 2, "dropout": 0.1})
RETOLD = Recipe(overrides={"method": "nearest"})
METHODS = [pytest.param(WRITTEN, id="lstm"), pytest.param(RETOLD, id="nearest")]

Examples = list[CaptionExample]


@pytest.fixture(scope="module", params=[kind.name for kind in FAMILIES if kind.task is TaskKind.CAPTIONS])
def captioner(request: pytest.FixtureRequest) -> Family:
    return family(request.param)


@pytest.fixture(scope="module")
def examples(captioner: Family) -> Examples:
    """Eight images of each of three things."""
    encoder = captioner.encoder()
    assert encoder is not None
    random = np.random.default_rng(0)
    things = random.normal(size=(len(SAID), encoder.dimensions)) / np.sqrt(encoder.dimensions)
    noise = random.normal(size=(8, len(SAID), encoder.dimensions)) / np.sqrt(encoder.dimensions) / 2
    rows = (things + noise).astype(np.float32)
    return [CaptionExample(Item(features=rows[i, j]), Captions(SAID[j])) for i in range(8) for j in range(len(SAID))]


@pytest.fixture(scope="module")
def models(captioner: Family, examples: Examples) -> dict[str, Model]:
    return {
        str(recipe.overrides["method"]): captioner.train(examples, SPACE, recipe).model for recipe in (WRITTEN, RETOLD)
    }


def items(examples: Examples) -> list[Item]:
    return [example.item for example in examples]


def told(outputs: list[Output]) -> list[tuple[str, ...]]:
    return [output.captions for output in outputs if isinstance(output, CaptionOutput)]


def likeness(outputs: list[Output], examples: Examples) -> float:
    pairs = zip(told(outputs), examples, strict=True)
    return float(np.mean([best_f1(captions[0], example.captions.texts) for captions, example in pairs]))


@pytest.mark.parametrize("method", ["lstm", "nearest"])
def test_says_what_people_said(models: dict[str, Model], examples: Examples, method: str) -> None:
    assert likeness(models[method].predict(items(examples)), examples) > 0.9


@pytest.mark.parametrize("method", ["lstm", "nearest"])
def test_captions_differ_and_are_in_order(models: dict[str, Model], examples: Examples, method: str) -> None:
    for output in models[method].predict(items(examples)):
        assert isinstance(output, CaptionOutput)
        assert 1 <= len(output.captions) == len(set(output.captions)) <= 3
        assert output.scores.dtype == np.float32
        assert ((output.scores >= 0) & (output.scores <= 1)).all()
        assert (np.diff(output.scores) <= 1e-6).all()


@pytest.mark.parametrize("method", ["lstm", "nearest"])
def test_saved_and_loaded_it_answers_identically(
    captioner: Family, models: dict[str, Model], examples: Examples, method: str, tmp_path: Path
) -> None:
    model = models[method]
    model.save(tmp_path / "artifact")
    loaded = captioner.load(tmp_path / "artifact", SPACE)
    for one, other in zip(model.predict(items(examples)), loaded.predict(items(examples)), strict=True):
        assert isinstance(one, CaptionOutput)
        assert isinstance(other, CaptionOutput)
        assert one.captions == other.captions
        np.testing.assert_array_equal(one.scores, other.scores)
    assert loaded.nbytes == model.nbytes > 0
    assert sorted(path.suffix for path in (tmp_path / "artifact").iterdir()) == [".json", ".safetensors"]
    with pytest.raises(CheckpointError, match="in this order"):
        captioner.load(tmp_path / "artifact", LabelSpace(("a",)))


@pytest.mark.parametrize("method", ["lstm", "nearest"])
@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_damaged_checkpoint_is_refused(
    captioner: Family, models: dict[str, Model], method: str, tmp_path: Path, name: str
) -> None:
    models[method].save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="train again"):
        captioner.load(tmp_path)


def test_a_checkpoint_whose_parts_do_not_fit_is_refused(
    captioner: Family, models: dict[str, Model], tmp_path: Path
) -> None:
    for method in ("lstm", "nearest"):
        folder = tmp_path / method
        models[method].save(folder)
        config = (folder / "config.json").read_text()
        (folder / "config.json").write_text(config.replace('"words": [', '"words": ["more",').replace("Soup", "Soap"))
        (folder / "config.json").write_text(
            (folder / "config.json").read_text().replace('"captions": [', '"captions": [["more"],')
        )
        with pytest.raises(CheckpointError, match="train again"):
            captioner.load(folder)


@pytest.mark.parametrize("method", ["lstm", "nearest"])
def test_a_batch_equals_its_items_and_may_be_empty(models: dict[str, Model], examples: Examples, method: str) -> None:
    model = models[method]
    together, apart = model.predict(items(examples)), [model.predict([item])[0] for item in items(examples)]
    assert told(together) == told(apart)
    assert model.predict([]) == []


@pytest.mark.parametrize("recipe", METHODS)
def test_deterministic_under_a_seed(captioner: Family, examples: Examples, recipe: Recipe) -> None:
    quick = Recipe(overrides={**recipe.overrides, "epochs": 3})
    first, second = (captioner.train(examples, SPACE, quick, seed=7) for _ in range(2))
    assert told(first.model.predict(items(examples))) == told(second.model.predict(items(examples)))
    assert told([output for output in first.out_of_fold if output]) == told(
        [output for output in second.out_of_fold if output]
    )
    assert len(first.out_of_fold) == len(examples)
    assert None not in first.out_of_fold


@pytest.mark.parametrize("recipe", METHODS)
def test_out_of_fold_captions_have_not_seen_theirs(captioner: Family, examples: Examples, recipe: Recipe) -> None:
    """A caption that only one image has can be told by nobody who has not seen it."""
    secret = [replace(one, captions=Captions((f"secret{at} {at}",))) for at, one in enumerate(examples)]
    trained = captioner.train(secret, SPACE, Recipe(overrides={**recipe.overrides, "epochs": 3}))
    for at, output in enumerate(trained.out_of_fold):
        assert isinstance(output, CaptionOutput)
        assert not any(f"secret{at} " in caption for caption in output.captions)


def test_few_images_are_retold_and_more_decide_by_evidence(captioner: Family, examples: Examples) -> None:
    few = captioner.train(examples[:6], SPACE, Recipe()).hyperparameters
    assert few["method"] == "nearest"
    assert "cider_lstm" not in few
    quick = Recipe(overrides={**WRITTEN.overrides, "method": "auto", "least": 12, "epochs": 3})
    more = captioner.train(examples, SPACE, quick).hyperparameters
    assert {"cider_lstm", "cider_nearest"} <= more.keys()
    if more["method"] == "lstm":
        assert float(more["cider_lstm"]) > float(more["cider_nearest"])


def test_the_writer_is_taken_where_it_is_clearly_better() -> None:
    random = np.random.default_rng(0)
    usual = random.normal(size=100).astype(np.float32)
    noise = random.normal(size=100).astype(np.float32)
    assert _clearly_better(usual + 0.5, usual + noise * 0.1)
    assert not _clearly_better(usual, usual)
    assert not _clearly_better(usual + noise - noise.mean(), usual)


def test_the_loss_falls(captioner: Family, examples: Examples) -> None:
    short, long = (
        captioner.train(examples, SPACE, Recipe(overrides={**WRITTEN.overrides, "epochs": epochs, "folds": 1})).loss
        for epochs in (1, 20)
    )
    assert long < short / 2, (long, short)


def test_one_example(captioner: Family, examples: Examples) -> None:
    trained = captioner.train(examples[:1], SPACE, Recipe())
    assert trained.out_of_fold == (None,)
    (captions,) = told(trained.model.predict(items(examples[:1])))
    assert set(captions) == set(SAID[0])


def test_every_image_said_alike(captioner: Family, examples: Examples) -> None:
    alike = [replace(one, captions=Captions(("The same.",))) for one in examples]
    for recipe in (WRITTEN, RETOLD):
        model = captioner.train(alike, SPACE, recipe).model
        assert {captions[0] for captions in told(model.predict(items(alike)))} == {"The same."}


@pytest.mark.parametrize("recipe", METHODS)
def test_training_can_be_cancelled(captioner: Family, examples: Examples, recipe: Recipe) -> None:
    with pytest.raises(Cancelled):
        captioner.train(examples, SPACE, recipe, watch=Watch(cancelled=lambda: True))


def test_progress_grows_to_the_end(captioner: Family, examples: Examples) -> None:
    fractions: list[float] = []

    def report(progress: Progress) -> None:
        fractions.append(progress.fraction)

    quick = Recipe(overrides={**WRITTEN.overrides, "method": "auto", "epochs": 2})
    captioner.train(examples, SPACE, quick, watch=Watch(report=report))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize(
    ("wishes", "said"), [({"epohcs": 3}, "epohcs"), ({"method": "magic"}, "wanted one of"), ({"epochs": 0}, "above 0")]
)
def test_a_wish_that_is_none_is_refused(
    captioner: Family, examples: Examples, wishes: dict[str, int | str], said: str
) -> None:
    with pytest.raises(TrainingImpossible, match=said):
        captioner.train(examples, SPACE, Recipe(overrides=wishes))


def test_what_teaches_nothing_is_refused(captioner: Family, examples: Examples) -> None:
    with pytest.raises(TrainingImpossible, match="at least one"):
        captioner.train([], SPACE, Recipe())
    with pytest.raises(TrainingImpossible, match="no blank"):
        captioner.train([replace(examples[0], captions=Captions((" ",)))], SPACE, Recipe())
    with pytest.raises(TrainingImpossible, match="wanted a CaptionExample"):
        captioner.train([ClassificationExample(examples[0].item, frozenset())], SPACE, Recipe())


def test_odd_captions_survive(captioner: Family, examples: Examples, tmp_path: Path) -> None:
    odd = [
        "👩‍👩‍👧 é",
        "שלום עולם",
        "一只猫坐在垫子上",
        "!?",
        "x" * 3_000,
        "word " * 500,
        '"quoted" \\ {"a": 1}',
        "a\nb",
    ]
    taught = [replace(one, captions=Captions((text,))) for one, text in zip(examples, odd, strict=False)]
    for recipe in (WRITTEN, RETOLD):
        folder = tmp_path / str(recipe.overrides["method"])
        model = captioner.train(taught, SPACE, Recipe(overrides={**recipe.overrides, "epochs": 2})).model
        model.save(folder)
        assert told(captioner.load(folder).predict(items(taught))) == told(model.predict(items(taught)))


def test_raw_images_are_encoded(captioner: Family, models: dict[str, Model]) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    prepared = models["nearest"].prepare(Item(pixels))
    (raw,), (ready,) = (told(models["nearest"].predict([item])) for item in (Item(pixels), prepared))
    assert raw == ready
