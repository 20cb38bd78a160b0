"""Families that say what holds of single spans of a text."""

from __future__ import annotations

from typing import ClassVar

from model_zoo.base import Encoder
from model_zoo.linear.family import LinearFamily
from model_zoo.linear.fit import Hyperparameters
from model_zoo.region_classification.family import RegionFamily
from model_zoo.region_classification.passages import pairs, passages
from model_zoo.targets import all_of
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.text_classification.minilm_linear import MiniLMLinear
from model_zoo.text_classification.minilm_pair import MiniLMPair
from model_zoo.types import Input, Item, Places, Span, TaskKind
from model_zoo.weights import Weights


class PairLinear(MiniLMLinear):
    """Chosen on WNUT17's training texts, types of entities being the labels, by the macro-F1 of the other spans after
    20, 100 and 400, six draws of each: 0.403, 0.526 and 0.643, where the vector of the span alone gives 0.415, 0.517
    and 0.614. With names that count as two examples it is 0.388, 0.518 and 0.642, then 0.380, 0.507 and 0.638 with a
    shrinkage of 0.9, and 0.382, 0.519 and 0.636 with a strength of 10. Names that count as eight do better still with
    few spans, but names of other labels may say less."""

    name: ClassVar[str] = "span_classification/minilm_linear.v2"
    task: ClassVar[TaskKind] = TaskKind.SPAN_CLASSIFICATION
    encoder_kind: ClassVar[type[Encoder]] = MiniLMPair
    defaults: ClassVar[Hyperparameters] = Hyperparameters(strength=3.0, shrinkage=1.0, anchor_weight=4.0)

    def encoder(self) -> Encoder:
        """The process's, on the network that texts are read with."""
        one = self.runtime.encoder(MiniLM, self.weights_file)
        return self.runtime.shared((MiniLMPair, self.weights_file), lambda: MiniLMPair(one.located, one=one))


class SpanLinearV2(RegionFamily):
    """What the text encoder makes of a span by itself, and of it in its sentence, side by side: the name of a thing
    says what it is, and what is said of it only its sentence."""

    name: ClassVar[str] = PairLinear.name
    task: ClassVar[TaskKind] = TaskKind.SPAN_CLASSIFICATION
    licence: ClassVar[str] = PairLinear.licence
    weights: ClassVar[tuple[Weights, ...]] = PairLinear.weights
    classifier: ClassVar[type[LinearFamily]] = PairLinear

    def shown(self, source: Input | None, regions: Places) -> list[Item]:
        return pairs(source, all_of(Span, regions))


class SpanLinearV1(RegionFamily):
    """One vector of a span and its sentence together, in which the sentence drowns what the span says: for versions
    that were trained so."""

    name: ClassVar[str] = "span_classification/minilm_linear.v1"
    task: ClassVar[TaskKind] = TaskKind.SPAN_CLASSIFICATION
    licence: ClassVar[str] = MiniLMLinear.licence
    weights: ClassVar[tuple[Weights, ...]] = MiniLMLinear.weights
    classifier: ClassVar[type[LinearFamily]] = MiniLMLinear

    def shown(self, source: Input | None, regions: Places) -> list[Item]:
        return passages(source, all_of(Span, regions))
