"""What a student loses against its teacher, computed by hand; and what every family that distils promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from model_zoo.base import Family
from model_zoo.calibration import Calibration
from model_zoo.distillation import Distillation, as_taught, columns_of, divergence, entropy, softened
from model_zoo.errors import TrainingImpossible
from model_zoo.linear.head import softmax
from model_zoo.linear.logistic import Softly, fit_logistic
from model_zoo.named_entities.fitting import _chain
from model_zoo.named_entities.soft import marginals
from model_zoo.object_detection import upstream
from model_zoo.object_detection.bases import first_found
from model_zoo.object_detection.soft import Looks, SoftLoss
from model_zoo.object_detection.views import Augmentation
from model_zoo.postprocess import ClassificationPostprocess, DetectionPostprocess, EntityPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import family
from model_zoo.types import (
    CaptionOutput,
    ClassificationExample,
    ClassificationOutput,
    DetectionOutput,
    EntityOutput,
    FloatArray,
    Item,
    LabelSpace,
    Output,
)
from tests.model_zoo.named_entities import sentences
from tests.model_zoo.object_detection.conftest import LABELS, scene

SPACE = LabelSpace(("one", "two"))


def test_the_loss_of_one_label_by_hand() -> None:
    """A teacher that says 0.9 and 0.1 says 0.75 and 0.25 at a temperature of 2, for sqrt(9) is 3; scores of 2 and 0 say
    e to 1, 0.7311 and 0.2689, there."""
    soft = softened(np.float32([[0.9, 0.1]]), 2.0, False)
    np.testing.assert_allclose(soft, [[0.75, 0.25]], atol=1e-6)
    told = divergence(torch.from_numpy(soft), torch.tensor([[2.0, 0.0]]), 2.0, False)
    by_hand = 0.75 * np.log(0.75 / 0.7310586) + 0.25 * np.log(0.25 / 0.2689414)
    np.testing.assert_allclose(told.numpy(), [by_hand], atol=1e-6)
    taught = Distillation((), (), weight=0.25, temperature=2.0)
    assert taught.loss(0.4, by_hand) == pytest.approx(0.75 * 0.4 + 0.25 * 4 * by_hand)


def test_the_loss_of_several_labels_by_hand() -> None:
    """Odds of 9 are odds of 3 at a temperature of 2; a score of 0 says one half at any."""
    soft = softened(np.float32([[0.9, 0.5]]), 2.0, True)
    np.testing.assert_allclose(soft, [[0.75, 0.5]], atol=1e-6)
    told = divergence(torch.from_numpy(soft), torch.zeros(1, 2, dtype=torch.float64), 2.0, True)
    by_hand = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    np.testing.assert_allclose(told.numpy(), [by_hand], rtol=1e-6)
    np.testing.assert_allclose(entropy(soft, True), [0.5623351 + np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("multiple", [False, True])
def test_what_a_linear_head_minimises(multiple: bool) -> None:
    """Its loss is the formula, and no other head does better."""
    random = np.random.default_rng(0)
    rows, others = random.normal(size=(6, 3)), random.normal(size=(5, 3))
    targets, taught = np.eye(2)[[0, 1, 0, 1, 1, 0]], softmax(random.normal(size=(5, 2)))
    weight, temperature, prior = 0.3, 2.0, np.array([0.2, -0.1])
    softly = Softly(
        others, taught, 1.5 / temperature, prior / temperature, 1 - weight, weight * temperature**2,
        float(entropy(taught, multiple).mean()),
    )  # fmt: skip
    fit = fit_logistic(rows, targets, np.ones(6), 1.0, multiple, softly=softly)

    def loss(table: Any, bias: Any) -> float:
        from torch.nn.functional import binary_cross_entropy_with_logits as several
        from torch.nn.functional import cross_entropy

        scores, truth = torch.from_numpy(rows @ table.T + bias), torch.from_numpy(targets)
        task = several(scores, truth) * 2 if multiple else cross_entropy(scores, truth)
        served = torch.from_numpy(1.5 * (others @ table.T + bias) + prior)
        kl = divergence(torch.from_numpy(taught), served, temperature, multiple).mean()
        return float(Distillation((), (), weight, temperature).loss(task, kl))

    assert fit.loss == pytest.approx(loss(fit.weight, fit.bias), rel=1e-5)
    penalty = 1 / (6 + weight * 5)
    best = fit.loss + penalty / 2 * np.square(fit.weight).sum()
    for _ in range(20):
        table, bias = fit.weight + random.normal(size=(2, 3)) / 50, fit.bias + random.normal(size=2) / 50
        assert loss(table, bias) + penalty / 2 * np.square(table).sum() >= best - 1e-6


def test_marginals_are_sums_over_all_taggings() -> None:
    """Of three words of which the last is padding; by counting every tagging of the other two."""
    torch.manual_seed(0)
    chain = _chain(1)
    emitted = torch.randn(1, 3, 3)
    chain.requires_grad_(False)
    mask = torch.tensor([[True, True, False]])
    found = marginals(chain, emitted, mask, 2.0)[0, :2].exp().detach().numpy()
    by_hand = np.zeros((2, 3))
    for first in range(3):
        for second in range(3):
            score = (
                chain.start_transitions[first] + emitted[0, 0, first] + chain.transitions[first, second]
                + emitted[0, 1, second] + chain.end_transitions[second]
            )  # fmt: skip
            by_hand[0, first] += (chance := float((score / 2).exp()))
            by_hand[1, second] += chance
    np.testing.assert_allclose(found, by_hand / by_hand.sum(axis=1, keepdims=True), atol=1e-5)


def test_outputs_are_calibrated_and_put_in_the_student_s_order() -> None:
    warm = ClassificationPostprocess(Calibration(temperature=2.0), (0.0,) * 3)
    told = as_taught(ClassificationOutput(np.float32([0.81, 0.09, 0.1])), warm, (1, 0), SPACE)
    assert isinstance(told, ClassificationOutput)
    np.testing.assert_allclose(told.probabilities, [0.25, 0.75], atol=1e-5)
    boxes = np.float32([[0, 0, 9, 9], [0, 0, 9, 9.1], [20, 20, 30, 30], [40, 40, 60, 60]])
    sure = np.float32([[0.1, 0.8], [0.1, 0.7], [0.05, 0.05], [0.6, 0.2]])
    seen = as_taught(
        DetectionOutput(boxes, sure, 64, 64), DetectionPostprocess.uncalibrated(SPACE), (1, 0), LabelSpace(("b", "a"))
    )
    assert isinstance(seen, DetectionOutput)
    np.testing.assert_array_equal(seen.boxes, boxes[[0, 3]])
    np.testing.assert_array_equal(seen.probabilities, sure[[0, 3]][:, ::-1])
    spans = EntityOutput("a b", np.array([[0, 1]]), np.float32([[0.2, 0.7]]))
    told = as_taught(spans, EntityPostprocess.uncalibrated(SPACE), (1,), LabelSpace(("two",)))
    assert isinstance(told, EntityOutput)
    np.testing.assert_array_equal(told.probabilities, np.float32([[0.7]]))
    with pytest.raises(TrainingImpossible, match="Got a CaptionOutput from a teacher"):
        as_taught(CaptionOutput(("a",), np.float32([1])), warm, (0,), SPACE)


def test_a_teacher_that_lacks_a_label_is_refused_with_a_sentence() -> None:
    assert columns_of(("three", "two", "one"), SPACE, "v3") == (2, 1)
    with pytest.raises(TrainingImpossible, match="The teacher v3 knows 'one', 'three', and not 'two': wanted one that"):
        columns_of(("one", "three"), SPACE, "v3")


@pytest.mark.parametrize(("weight", "temperature"), [(1.1, 2.0), (-0.1, 2.0), (0.5, 0.0), (0.5, float("nan"))])
def test_weights_that_make_no_sense(weight: float, temperature: float) -> None:
    with pytest.raises(TrainingImpossible, match="wanted a lambda from 0 to 1 and a temperature above 0"):
        Distillation((), (), weight, temperature)


def drawn(seed: int, count: int, width: int) -> FloatArray:
    """Features of which the first says the most, to those who know."""
    rows: FloatArray = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    rows[:, 0] *= 10
    return rows


class TestClassifier:
    """Two labels, told apart by one of many features, which three examples cannot tell from the others."""

    @pytest.fixture
    def small(self) -> Family:
        return family("text_classification/minilm_linear.v1")

    @pytest.fixture
    def examples(self, small: Family) -> list[ClassificationExample]:
        encoder = small.encoder()
        assert encoder is not None
        rows = drawn(3, 6, encoder.dimensions)
        rows[:, 0] = 0
        return [
            ClassificationExample(Item(features=row), frozenset([SPACE.names[at % 2]])) for at, row in enumerate(rows)
        ]

    def taught(self, examples: Sequence[ClassificationExample], **more: Any) -> Distillation:
        width = examples[0].item.features.shape[0] if examples[0].item.features is not None else 0
        rows = drawn(4, 60, width)
        chances = 1 / (1 + np.exp(-rows[:, 0]))
        outputs = [ClassificationOutput(np.float32([1 - chance, chance])) for chance in chances]
        return Distillation([Item(features=row) for row in rows], outputs, **more)

    @pytest.mark.parametrize("multiple", [False, True])
    def test_learns_what_only_the_teacher_knows(
        self, small: Family, examples: list[ClassificationExample], multiple: bool
    ) -> None:
        space = LabelSpace(SPACE.names, multiple)
        taught = self.taught(examples)
        wish = Recipe(overrides={"anchor_weight": 0.0})
        trained = small.distil(examples, space, wish, taught)
        right = []
        for model in (small.train(examples, space, wish).model, trained.model):
            rows = drawn(5, 200, len(taught.items[0].features))  # type: ignore[arg-type]  # made above
            said = [one.probabilities.argmax() for one in model.predict([Item(features=row) for row in rows])]  # type: ignore[union-attr]  # a classifier's
            right.append(float(np.mean(said == (rows[:, 0] > 0))))
        assert right[0] < 0.7
        assert right[1] > 0.85
        assert len(trained.out_of_fold) == len(examples)

    def test_without_weight_it_is_the_plain_one(self, small: Family, examples: list[ClassificationExample]) -> None:
        wish = Recipe(overrides={"anchor_weight": 0.0})
        plain = small.train(examples, SPACE, wish).model.predict([one.item for one in examples])
        same = small.distil(examples, SPACE, wish, self.taught(examples, weight=0.0)).model
        for one, other in zip(plain, same.predict([one.item for one in examples]), strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=0.02)  # type: ignore[union-attr]  # a classifier's

    def test_folds_are_taught_by_teachers_that_have_not_seen_them(
        self, small: Family, examples: list[ClassificationExample]
    ) -> None:
        left_out: list[Sequence[int]] = []
        taught = self.taught(examples)

        def without(positions: Sequence[int]) -> Sequence[Output]:
            left_out.append(positions)
            if 0 in positions:
                raise TrainingImpossible("Got too few, wanted more.")
            return taught.outputs

        trained = small.distil(examples, SPACE, Recipe(), replace(taught, without=without))
        assert sorted(at for positions in left_out for at in positions) == list(range(len(examples)))
        assert all(trained.out_of_fold)


class TestTagger:
    def test_learns_the_spans_that_only_the_teacher_knows(self) -> None:
        small, every = family("named_entities/minilm_tagger.v1"), sentences.examples()
        space, wish = LabelSpace(sentences.LABELS), Recipe(overrides={"iterations": 15})
        first = [replace(one, spans=one.spans[:1]) for one in every[:1]]
        outputs = []
        for one in every[1:]:
            spans = np.array([[span.start, span.end] for span in one.spans], np.int64).reshape(-1, 2)
            table = np.float32([[0.95 * (span.label == name) for name in space.names] for span in one.spans])
            outputs.append(EntityOutput(str(one.item.input), spans, table.reshape(-1, 2)))
        taught = Distillation([one.item for one in every[1:]], outputs, weight=0.9)
        found = []
        for model in (small.train(first, space, wish).model, small.distil(first, space, wish, taught).model):
            post = EntityPostprocess.uncalibrated(space)
            decided = [post.decide(output, space).target for output in model.predict([one.item for one in every])]
            found.append(sum(len(set(said) & set(one.spans)) for said, one in zip(decided, every, strict=True)))
        assert found[1] > found[0] + 5


TINY = {"image_size": 64, "views": 2, "epochs": 2, "batch": 2, "folds": 2, "freeze": "boxes"}


class TestDetector:
    def taught(self, **more: Any) -> Distillation:
        """Other scenes, whose squares the teacher calls by the other's name."""
        scenes = [scene(seed) for seed in range(10, 14)]
        outputs = []
        for one in scenes:
            boxes = np.float32([box.corners for box in one.boxes])
            outputs.append(DetectionOutput(boxes, np.float32([[0.1, 0.8], [0.7, 0.2]]), 64, 64))
        return Distillation([one.item for one in scenes], outputs, **more)

    def test_the_divergence_of_matched_boxes_by_hand(self) -> None:
        network = first_found((), None, "yolov8n").network.with_labels(LABELS)
        taught = self.taught(weight=1.0, temperature=2.0)
        soft = Looks(taught, network, 64, Augmentation(mosaic=0.5), 0, lambda: None).seen(taught.outputs)
        assert len(soft.table) == 8
        batch = [0, 2]
        found = SoftLoss(soft, lambda batch: torch.zeros(()), network, ("last",), 0)._divergence(batch)
        levels = soft.cache.levels(batch)
        scores, corners = network.class_branch(levels), soft.cache.corners(batch)
        pictures = [soft.cache.seen[at].picture for at in batch]
        assert [one.labels.tolist() for one in pictures] == [[0, 1], [2, 3]], "plain views keep the boxes in order"
        likeliest = [replace(one, labels=np.array([1, 0])) for one in pictures]
        loss = upstream.detection_loss(network.head, np.ones(2, np.float32))
        chosen, which, _ = upstream.assigned(loss, scores, corners, levels, upstream.padded(likeliest))
        each = []
        for image, cell in chosen.nonzero().tolist():
            wanted = softened(np.float32([[0.1, 0.8], [0.7, 0.2]][int(which[image, cell])]), 2.0, True)
            said = 1 / (1 + np.exp(-scores[image, :, cell].numpy() / 2))
            each.append((wanted * np.log(wanted / said) + (1 - wanted) * np.log((1 - wanted) / (1 - said))).sum())
        assert each
        assert float(found) == pytest.approx(np.mean(each), rel=1e-3)

    def test_the_teacher_has_a_say_and_a_seed_decides_everything(self) -> None:
        small, space = family("object_detection/yolo.v1"), LabelSpace(LABELS)
        examples = [scene(seed) for seed in range(3)]
        left_out: list[int] = []
        taught = self.taught(weight=0.9)

        def without(positions: Sequence[int]) -> Sequence[Output]:
            left_out.extend(positions)
            return taught.outputs[::-1]

        wish = Recipe(overrides=TINY)
        plain = small.train(examples, space, wish)
        first, second = (small.distil(examples, space, wish, replace(taught, without=without)) for _ in range(2))
        assert sorted(set(left_out)) == [0, 1, 2]
        rows = [one.model.predict([examples[0].item])[0] for one in (plain, first, second)]
        tables = [row.probabilities for row in rows if isinstance(row, DetectionOutput)]
        np.testing.assert_array_equal(tables[1], tables[2])
        assert tables[0].shape != tables[1].shape or not np.allclose(tables[0], tables[1])
        assert len(first.out_of_fold) == 3


@pytest.mark.parametrize("name", ["captions/show_and_tell.v1", "instance_segmentation/yolo_seg.v1"])
def test_a_family_that_cannot_distil_says_so(name: str) -> None:
    other = family(name)
    with pytest.raises(TrainingImpossible, match="learns from no teacher"):
        other.distil([], SPACE, Recipe(), Distillation((), ()))
