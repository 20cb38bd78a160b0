"""Snapshots as CoNLL 2003: a word a line with its BIO tag last, an empty line between texts.

Written here and not by Label Studio's SDK, whose columns it keeps: that one splits texts at other places than spans
begin and end, and takes the source of a page for its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from backend.converters import CONVERTERS
from backend.errors import InvalidRequest, TaskUnusable
from backend.jobs.examples import answer_of
from backend.labelstudio.config import Control, LabellingConfig
from backend.store.records import Record
from model_zoo.named_entities.tags import OUTSIDE, inside, tags_of
from model_zoo.named_entities.words import Word, read_words
from model_zoo.targets import some_of
from model_zoo.types import Item, LabelSpace, Span, TaskKind

HEAD = "-DOCSTART- -X- O\n"


def write_conll(config: LabellingConfig, records: Sequence[Record], output: Path) -> None:
    """A file for each control that labels spans: `result.conll`, or `<control>.conll` where there are several. Of spans
    that overlap the longest is written. Raises `InvalidRequest` where no control does."""
    controls = [
        control for control in config.controls if CONVERTERS[control.tag].kind(control) is TaskKind.NAMED_ENTITIES
    ]
    if not controls:
        raise InvalidRequest("Got conll for a labelling config without labels for spans, wanted another format.")
    output.mkdir(parents=True, exist_ok=True)
    for control in controls:
        name = "result" if len(controls) == 1 else "".join(c if c.isalnum() else "_" for c in control.name)
        with (output / f"{name}.conll").open("w", encoding="utf-8", errors="replace") as file:
            file.write(HEAD)
            for record in records:
                file.writelines(f"{word.text} -X- _ {tag}\n" for word, tag in _tagged(control, record))
                file.write("\n")


def _tagged(control: Control, record: Record) -> Iterator[tuple[Word, str]]:
    """The words of a labelled text with their tags; nothing where nobody answered, or where there is no text."""
    converter = CONVERTERS[control.tag]
    target = answer_of(control, record)
    try:
        text = converter.input_of(control, record.data) if target is not None and not control.fetched else ""
    except TaskUnusable:
        return
    spans = some_of(Span, converter.target(target or (), Item(text)))
    words = read_words(text)
    for word, tag in zip(words, tags_of(words, spans, LabelSpace(control.label_names)).tolist(), strict=True):
        label = control.label_names[(tag - 1) // 2] if tag != OUTSIDE else ""
        prefix = "I" if tag and tag == inside((tag - 1) // 2) else "B"
        yield word, f"{prefix}-{label.replace(' ', '_')}" if label else "O"
