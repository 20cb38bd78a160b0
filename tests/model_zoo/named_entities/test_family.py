"""What is special about taggers; what they share with every family is in `test_contract.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Model, Watch
from model_zoo.errors import TrainingImpossible, UnreadableInput
from model_zoo.named_entities import reading
from model_zoo.named_entities.family import MiniLMTagger
from model_zoo.postprocess import EntityPostprocess
from model_zoo.programs import openvino
from model_zoo.programs.program import Arrays, agrees, deviations
from model_zoo.recipes import Recipe
from model_zoo.runtime import Runtime
from model_zoo.text_classification.batches import padded
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.texts import PASSAGE
from model_zoo.types import EntityExample, EntityOutput, Item, LabelSpace, Span
from tests.model_zoo.named_entities.sentences import LABELS, examples, sentence

SPACE = LabelSpace(LABELS)


@pytest.fixture(scope="module")
def family() -> MiniLMTagger:
    return MiniLMTagger(Runtime())


@pytest.fixture(scope="module")
def model(family: MiniLMTagger) -> Model:
    return family.train(examples(), SPACE, Recipe()).model


def found(model: Model, text: str) -> list[tuple[str, str]]:
    (output,) = model.predict([Item(text)])
    spans = EntityPostprocess.uncalibrated(SPACE).decide(output, SPACE).spans
    return [(text[span.start : span.end], span.label) for span in spans]


def test_five_sentences_teach_something(family: MiniLMTagger) -> None:
    model = family.train(examples()[:5], SPACE, Recipe()).model
    assert found(model, "Tomorrow Grace goes to Oslo.") == [("Grace", LABELS[0]), ("Oslo", LABELS[1])]


def test_probabilities_are_those_of_exactly_this_span(model: Model) -> None:
    outputs = model.predict([example.item for example in examples()])
    for output in outputs:
        assert isinstance(output, EntityOutput)
        assert output.probabilities.shape == (len(output.spans), len(LABELS))
        assert (output.probabilities >= 0).all()
        assert output.probabilities.max(initial=0.0) <= 1
        for at in range(len(output.text)):
            covering = (output.spans[:, 0] <= at) & (at < output.spans[:, 1])
            assert output.probabilities[covering].sum() <= 1 + 1e-4, "no character is in two spans"


def test_out_of_fold_outputs_have_not_seen_their_text(family: MiniLMTagger) -> None:
    """A name that only one text calls a place is no place to a tagger that has not seen that text."""
    odd = EntityExample(Item("Zyxwv qqq"), (Span(0, 5, LABELS[1]),))
    trained = family.train([*examples(), odd], SPACE, Recipe())
    honest = trained.out_of_fold[-1]
    (seen,) = trained.model.predict([odd.item])
    assert isinstance(honest, EntityOutput)
    assert isinstance(seen, EntityOutput)
    assert honest.probabilities[:, 1].max(initial=0) < seen.probabilities[:, 1].max()


def test_the_only_text_with_a_label_is_not_judged(family: MiniLMTagger) -> None:
    place = sentence("The weather was fine in {place}, they say.", "", "Rome")
    people = [example for example in examples() if {span.label for span in example.spans} == {LABELS[0]}]
    assert family.train([*people[:2], place], SPACE, Recipe()).out_of_fold[-1] is None
    assert family.train([place], SPACE, Recipe()).out_of_fold == (None,)


def test_of_nested_spans_the_longest_is_learnt_and_it_is_said(family: MiniLMTagger) -> None:
    text = "Cape Town is far."
    nested = EntityExample(Item(text), (Span(0, 4, LABELS[0]), Span(0, 9, LABELS[1])))
    trained = family.train([*examples(), nested], SPACE, Recipe())
    (note,) = trained.notes
    assert note.startswith(f"1 spans overlap longer ones and are not learnt (1 of {LABELS[0]})")
    assert found(trained.model, text) == [("Cape Town", LABELS[1])]


def test_half_a_word_is_learnt_as_the_whole_word_and_it_is_said(family: MiniLMTagger) -> None:
    half = EntityExample(Item("Rome-based"), (Span(0, 3, LABELS[1]),))
    (note,) = family.train([*examples(), half], SPACE, Recipe(overrides={"folds": 1})).notes
    assert note.startswith("1 spans begin or end within a word")


def test_no_span_goes_from_one_passage_into_the_next(model: Model) -> None:
    outputs = model.predict([Item(f"I met Ada{PASSAGE}Byron Rome{PASSAGE}York")])
    for output in outputs:
        assert isinstance(output, EntityOutput)
        assert not any(PASSAGE in output.text[start:end] for start, end in output.spans)


def test_a_long_text_is_read_in_windows_that_see_their_surroundings(model: Model) -> None:
    sentences = " ".join(example.item.input for example in examples() if isinstance(example.item.input, str))
    (output,) = model.predict([Item(f"{sentences} " * 12)])
    assert isinstance(output, EntityOutput)
    best = output.spans[output.probabilities.max(axis=1) > 0.5]
    names = {output.text[start:end] for start, end in best}
    assert {"Ada Byron", "Rome"} <= names
    assert best[:, 0].max() > 11 * len(sentences), "the end is read, too"


def test_what_follows_the_first_100000_characters_is_not_read(model: Model) -> None:
    (output,) = model.predict([Item(f"{'y' * 199} " * 500 + "Ada lives in Rome.")])
    assert isinstance(output, EntityOutput)
    assert output.spans.max(initial=0) <= 100_000


def test_vectors_are_computed_once_a_text(family: MiniLMTagger, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = reading.Reader(family.runtime.encoder(MiniLM))
    runs: list[int] = []

    def counted(rows: Sequence[Sequence[int]]) -> Arrays:
        runs.append(len(rows))
        return padded(rows)

    monkeypatch.setattr(reading, "padded", counted)
    first = reader.read(["Ada lives here.", "So does Bob."])
    again = reader.read(["So does Bob.", "Ada lives here.", "Who else?"])
    assert runs == [2, 1]
    assert again[1] is first[0]
    small = reading.Reader(family.runtime.encoder(MiniLM), most=0)
    assert small.read(["Nobody."])[0] is not small.read(["Nobody."])[0], "what is kept is bounded"


def test_only_texts_are_read(family: MiniLMTagger, model: Model) -> None:
    with pytest.raises(UnreadableInput, match="wanted a text"):
        model.predict([Item(np.zeros((4, 4, 3), np.uint8))])
    with pytest.raises(UnreadableInput, match="wanted a text"):
        family.train([replace(examples()[0], item=Item(None))], SPACE, Recipe(), watch=Watch())


@pytest.mark.parametrize(
    ("spans", "said"),
    [((), "without any span"), ((Span(0, 2, "unheard of"),), "unheard of")],
)
def test_examples_that_teach_nothing(family: MiniLMTagger, spans: tuple[Span, ...], said: str) -> None:
    with pytest.raises(TrainingImpossible, match=said):
        family.train([EntityExample(Item("Ada"), spans)], SPACE, Recipe())


@pytest.mark.parametrize("wish", [{"folds": 1.5}, {"iterations": 0}, {"vectors": "much"}, {"shapes": -1.0}])
def test_wishes_that_make_no_sense(family: MiniLMTagger, wish: dict[str, float | str]) -> None:
    with pytest.raises(TrainingImpossible, match="for the hyperparameter"):
        family.train(examples(), SPACE, Recipe(overrides=wish))


@pytest.mark.skipif(not openvino.available(), reason="the extra `compiled` is not installed")
def test_the_compiled_form_agrees_and_finds_the_same(model: Model, tmp_path: Path) -> None:
    """On a reader of its own: the others here go on in PyTorch."""
    own = MiniLMTagger(Runtime())
    model.save(tmp_path / "model")
    loaded = own.load(tmp_path / "model")
    (program,) = loaded.programs()
    openvino.export(program, tmp_path / "form")
    form = openvino.load(tmp_path / "form")
    found = deviations(program, form)
    assert agrees(program, found), found
    program.adopt(form)
    items = [example.item for example in examples()]
    for one, other in zip(model.predict(items), loaded.predict(items), strict=True):
        assert isinstance(one, EntityOutput)
        assert isinstance(other, EntityOutput)
        likely = [np.argwhere(each.probabilities > 0.3).tolist() for each in (one, other)]
        assert likely[0] == likely[1]
    assert program.form == "openvino"
