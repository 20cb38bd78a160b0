"""U-Nets on a few small landscapes; what every family promises is in `test_contract.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Family, Progress, Trained, Watch
from model_zoo.errors import CheckpointError, TrainingImpossible
from model_zoo.masks import map_of, picture
from model_zoo.postprocess import SegmentationPostprocess
from model_zoo.programs import openvino
from model_zoo.programs.program import agrees, deviations
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.semantic_segmentation import family as family_module
from model_zoo.semantic_segmentation.family import UnetLite0
from model_zoo.semantic_segmentation.network import CHANNELS, COUNTER, ENCODER, WHOLE
from model_zoo.types import DetectionExample, LabelSpace, Output, SegmentationOutput, TaskKind
from tests.model_zoo.semantic_segmentation.landscapes import LABELS, TINY, example, landscape

SPACE = LabelSpace(LABELS)
LANDSCAPES = [example(seed) for seed in range(1, 6)]


@pytest.fixture(scope="module")
def unet() -> UnetLite0:
    found = family(default_family(TaskKind.SEMANTIC_SEGMENTATION))
    assert isinstance(found, UnetLite0)
    return found


@pytest.fixture(scope="module")
def trained(unet: Family) -> Trained:
    return unet.train(LANDSCAPES, SPACE, Recipe(overrides={**TINY, "epochs": 30, "views": 4}))


def maps(outputs: list[Output]) -> list[SegmentationOutput]:
    found = [output for output in outputs if isinstance(output, SegmentationOutput)]
    assert len(found) == len(outputs)
    return found


def test_says_what_pixels_are_that_it_has_not_seen(trained: Trained) -> None:
    process = SegmentationPostprocess.uncalibrated(SPACE)
    right = []
    for seed in (21, 22, 23):
        pixels, classes = landscape(seed)
        (output,) = trained.model.predict([replace(LANDSCAPES[0].item, input=pixels)])
        decided = process.decide(output, SPACE)
        right.append((picture(decided.masks, LABELS, (64, 48)) == classes).mean())
    assert np.mean(right) > 0.85


def test_probabilities_are_a_distribution_over_labels_and_none(trained: Trained) -> None:
    for output in maps(trained.model.predict([one.item for one in LANDSCAPES])):
        assert len(output.probabilities) == len(LABELS) + 1
        np.testing.assert_allclose(output.probabilities.sum(axis=0), 1, atol=1e-5)
        assert (output.probabilities[-1] == 0).all(), "every pixel of every landscape has a label"
        assert (output.width, output.height) == (64, 48)


def test_every_image_is_judged_by_a_network_that_has_not_seen_it(trained: Trained) -> None:
    assert all(isinstance(output, SegmentationOutput) for output in trained.out_of_fold)
    assert trained.hyperparameters["background"] is False


def test_what_is_left_out_is_a_class_where_much_is(unet: Family) -> None:
    rocks = [example(seed, names=("Rock",)) for seed in (1, 2, 3)]
    made = unet.train(rocks, LabelSpace(("Rock",)), Recipe(overrides={**TINY, "folds": 0}))
    assert made.hyperparameters["background"] is True
    assert made.out_of_fold == (None,) * 3
    (output,) = maps(made.model.predict([rocks[0].item]))
    assert output.probabilities[-1].mean() > 0.3


def test_the_whole_network_is_trained_where_that_pays(
    unet: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family_module, "PAYS", -1.0)
    monkeypatch.setattr(family_module, "ENOUGH", 2.0)
    wishes = {**TINY, "train": "auto", "epochs": 2}
    made = unet.train(LANDSCAPES[:4], SPACE, Recipe(overrides=wishes))
    assert made.hyperparameters["train"] == WHOLE
    made.model.save(tmp_path)
    items = [one.item for one in LANDSCAPES[:2]]
    for one, other in zip(maps(unet.load(tmp_path).predict(items)), maps(made.model.predict(items)), strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_encoders_are_shared_and_small_on_disk(trained: Trained, unet: UnetLite0, tmp_path: Path) -> None:
    trained.model.save(tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 10e6
    assert unet.begun(2).unet.encoder is unet.begun(3).unet.encoder


def test_the_library_s_own_network_has_the_same_names(unet: UnetLite0) -> None:
    """Its encoder's tensors are timm's, its decoder's the library's."""
    from segmentation_models_pytorch import Unet

    theirs = Unet(ENCODER, encoder_weights=None, decoder_channels=(*CHANNELS, CHANNELS[-1]), classes=3)
    state = theirs.state_dict()
    network = unet.begun(3).copy(WHOLE)
    network.load({name: state[name] for name in network.trained()})
    kept = {name for name in state if not name.endswith(COUNTER)}
    assert set(network.trained()) == {name for name in kept if not name.startswith("decoder.blocks.4.")}


def test_weights_of_another_encoder_are_refused(trained: Trained, unet: Family, tmp_path: Path) -> None:
    trained.model.save(tmp_path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace("efficientnet_lite0.v1", "efficientnet_lite9.v1"))
    with pytest.raises(CheckpointError, match="efficientnet_lite9"):
        unet.load(tmp_path)


def test_what_cannot_be_learnt(unet: Family) -> None:
    item = LANDSCAPES[0].item
    nothing = replace(LANDSCAPES[0], map=map_of((), (64, 48)))
    smaller = replace(LANDSCAPES[0], map=map_of(LANDSCAPES[0].map.masks, (32, 24)))
    for wrong, said in [
        (DetectionExample(item, ()), "wanted a SegmentationExample"),
        (nothing, "without any area"),
        (smaller, "wanted that of its image, 64 x 48"),
    ]:
        with pytest.raises(TrainingImpossible, match=said):
            unet.train([wrong], SPACE, Recipe())
    with pytest.raises(TrainingImpossible, match="areas of"):
        unet.train(LANDSCAPES[:1], LabelSpace(("Sea",)), Recipe())
    with pytest.raises(TrainingImpossible, match="wanted one of: auto, decoder, whole"):
        unet.train(LANDSCAPES[:1], SPACE, Recipe(overrides={"train": "nothing"}))


def test_progress_grows_to_the_end(unet: Family) -> None:
    told: list[Progress] = []
    unet.train(LANDSCAPES[:2], SPACE, Recipe(overrides={**TINY, "epochs": 2}), watch=Watch(report=told.append))
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.skipif(not openvino.available(), reason="the extra `compiled` is not installed")
def test_compiled_it_answers_the_same(trained: Trained, tmp_path: Path) -> None:
    (program,) = trained.model.programs()
    openvino.export(program, tmp_path)
    assert agrees(program, deviations(program, openvino.load(tmp_path, threads=1)))
