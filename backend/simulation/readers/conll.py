"""CoNLL: a token a line, its tag in the last column, an empty line between sentences. Tags are BIO or IO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backend.simulation.labelled import Found, LabelledSet
from backend.simulation.readers.files import text_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import spans

OUTSIDE = "O"
Span = tuple[int, int, str]


def read(path: Path, options: Options) -> LabelledSet:
    files = [path] if path.is_file() else sorted(path.rglob("*.conll"))
    found = Found(options.kind, path if path.is_dir() else path.parent)
    for file in files:
        text = text_of(found, file)
        if text is not None:
            _file(found, file, text)
    return found.close()


def _file(found: Found, file: Path, text: str) -> None:
    sentence: list[tuple[str, str]] = []
    broken = False
    for line, row in enumerate([*text.splitlines(), ""], 1):
        cells = row.split("\t") if "\t" in row else row.split()
        if not row.strip() or cells[0] == "-DOCSTART-":
            if sentence and not broken:
                _sentence(found, sentence)
            sentence, broken = [], False
        elif len(cells) < 2 or not _is_tag(cells[-1].strip()):
            found.problem(file, f'wanted a token and its tag, got "{row[:80]}"; the sentence is left out.', line)
            broken = True
        else:
            sentence.append((cells[0].strip(), cells[-1].strip()))


def _sentence(found: Found, sentence: Sequence[tuple[str, str]]) -> None:
    text = " ".join(token for token, _ in sentence)
    found.add(text, spans(text, [(start, end, found.name(name)) for start, end, name in entities(sentence)]))


def entities(sentence: Sequence[tuple[str, str]]) -> list[Span]:
    """The spans of a sentence's tokens and tags, in characters of the tokens with a blank between.

    A span ends where the type changes or a B begins the next; without any B, neighbours of one type are one.
    """
    found: list[Span] = []
    start = place = 0
    open_name: str | None = None
    for token, tag in [*sentence, ("", OUTSIDE)]:
        prefix, _, name = tag.partition("-")
        current = None if tag == OUTSIDE else name
        if open_name is not None and (current != open_name or prefix == "B"):
            found.append((start, place - 1, open_name))
            open_name = None
        if current is not None and open_name is None:
            start, open_name = place, current
        place += len(token) + 1
    return found


def _is_tag(tag: str) -> bool:
    prefix, _, name = tag.partition("-")
    return tag == OUTSIDE or (prefix in ("B", "I") and bool(name))
