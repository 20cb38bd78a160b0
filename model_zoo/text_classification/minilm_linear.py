"""Text classification from MiniLM features."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from model_zoo.base import Encoder, Model
from model_zoo.linear.family import LinearFamily
from model_zoo.linear.fit import Hyperparameters
from model_zoo.linear.head import LinearHead
from model_zoo.linear.model import LinearModel
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.types import FloatArray, LabelSpace, TaskKind
from model_zoo.weights import Weights

TEMPERATURE = 0.07
"""Of cosine similarities; with `BACKGROUND` set on one half of banking77's intents by `tests.benchmarks.zero_shot`."""
BACKGROUND = 0.45
"""The similarity at which "none of the labels" is as likely as a label."""
THRESHOLD = 0.4
"""Confidence above which an answer from names alone is shown: on the half it was set on, with a third of the texts
belonging to no label, 0.80 of what is shown is right; on the other half, 0.78."""


class MiniLMLinear(LinearFamily):
    """Chosen on banking77's training texts: shrinkage 0.9 and strength 10 were best or within 0.002 of it at 3, 8 and
    20 examples of 77 intents and of 8. A name that counts as two examples is best at 3 and at 8 of each: accuracy 0.767
    and 0.838, 0.760 and 0.834 where it counts as half of one, and 0.824 at 8 where it counts for nothing."""

    name: ClassVar[str] = "text_classification/minilm_linear.v1"
    task: ClassVar[TaskKind] = TaskKind.TEXT_CLASSIFICATION
    licence: ClassVar[str] = MiniLM.weights.licence
    weights: ClassVar[tuple[Weights, ...]] = (MiniLM.weights,)
    encoder_kind: ClassVar[type[Encoder]] = MiniLM
    defaults: ClassVar[Hyperparameters] = Hyperparameters(strength=10.0, shrinkage=0.9, anchor_weight=2.0)
    untrained_threshold: ClassVar[float] = THRESHOLD

    def anchors(self, labels: LabelSpace) -> FloatArray:
        """One vector of unit length a label: the mean of what its name and its descriptions give."""
        phrases = [label_phrases(labels, index) for index in range(len(labels))]
        rows = iter(self.encoder().encode([phrase for several in phrases for phrase in several]))
        means = np.stack([np.mean([next(rows) for _ in several], axis=0) for several in phrases])
        anchors: FloatArray = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return anchors

    def untrained(self, labels: LabelSpace) -> Model | None:
        """Labels ranked by the similarity of their names to the text; the rest of the probability is for none. Steps of
        a scale have no names that mean something."""
        if not len(labels) or labels.ordered:
            return None
        rows = self.anchors(labels) / TEMPERATURE
        floor = np.zeros(len(labels), np.float32)
        if labels.multiple:
            bias = np.full(len(labels), -BACKGROUND / TEMPERATURE, np.float32)
            return LinearModel(self, labels, LinearHead(rows.astype(np.float32), bias, floor, multiple=True))
        weight = np.vstack([rows, np.zeros_like(rows[:1])]).astype(np.float32)
        bias = np.zeros(len(weight), np.float32)
        bias[-1] = BACKGROUND / TEMPERATURE
        return LinearModel(self, labels, LinearHead(weight, bias, floor, multiple=False))


def label_phrases(labels: LabelSpace, index: int) -> list[str]:
    """A label in words: its name as one would say it (`card_arrival`, `CardArrival`: "card arrival"), then the rest."""
    described = labels.descriptions[index] if labels.descriptions else ()
    phrases = [_spoken(phrase) for phrase in (labels.names[index], *described)]
    return list(dict.fromkeys(phrase for phrase in phrases if phrase)) or [labels.names[index]]


def _spoken(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[\s_]+", " ", apart).strip()
