"""Exported classifiers of spans, in this process; what runs without Prelabel is in `tests/backend/lifecycle`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model_zoo.postprocess import RegionPostprocess
from model_zoo.recipes import Recipe
from model_zoo.region_classification.model import RegionModel
from model_zoo.registry import FAMILIES, family
from model_zoo.standalone.span_classification import Predictor, write
from model_zoo.targets import all_of
from model_zoo.types import LabelSpace, RegionOutput, Span, TaskKind
from tests.model_zoo.region_classification import moods

NAMES = [kind.name for kind in FAMILIES if kind.task is TaskKind.SPAN_CLASSIFICATION]


@pytest.mark.parametrize("name", NAMES)
def test_every_family_s_answers_are_those_of_the_model(name: str, tmp_path: Path) -> None:
    space, given = LabelSpace(moods.LABELS), moods.examples()
    model = family(name).train(given, space, Recipe()).model
    assert isinstance(model, RegionModel)
    postprocess = RegionPostprocess.uncalibrated(space)
    (program,) = model.programs()
    exported = Predictor(tmp_path, {**write(model, tmp_path), "postprocess": postprocess.to_json()}, program)
    items = [one.item for one in given]
    asked = [
        {"text": one.item.input, "spans": [(s.start, s.end) for s in all_of(Span, tuple(r.place for r in one.remarks))]}
        for one in given
    ]
    found = exported.predict([json.dumps(asked[0]), *asked[1:], {"text": "of nobody", "spans": []}])
    assert found.pop() == {"spans": []}
    for answer, output in zip(found, model.predict(items), strict=True):
        assert isinstance(output, RegionOutput)
        rows = np.array([[one["confidence"][label] for label in moods.LABELS] for one in answer["spans"]])
        np.testing.assert_allclose(rows, output.probabilities, atol=1e-4)
        assert [tuple(one["labels"]) for one in answer["spans"]] == [
            remark.labels for remark in postprocess.decide(output, space).remarks
        ]
