"""Sentences with people and places, and texts that are hard to read."""

from __future__ import annotations

from model_zoo.types import EntityExample, Item, Span

LABELS = ("person 🙂", "place")

_PEOPLE = ("Ada Byron", "Grace", "Alan", "Mary Jackson", "Linus", "Barbara")
_PLACES = ("Rome", "New York", "Vienna", "Lima", "Oslo", "Cape Town")
_FRAMES = (
    "{person} lives in {place}.",
    "I met {person} on a train to {place} yesterday!",
    "Is {place} where {person} was born?",
    "Nobody told {person} the price.",
    "The weather was fine in {place}, they say.",
    "it rained all day and nobody came",
)

HOSTILE = [
    Item(text)
    for text in (
        "",
        " \n\t ",
        "🙂",
        f"Ada {'y' * 120} " * 800,
        "x" * 100_000,
        "שלום Ada לך Rome",
        "\u200b\u200d\ufeff\u2060",
        "A\u200bda in\u00a0Ro\u0301me",
        "\ud800 half a surrogate",
        "\x00\x1e\x1e Rome \x1e",
    )
]
"""Empty, blank, an emoji, long, one long word, right to left, zero-width, combining, broken, control characters."""


def sentence(frame: str, person: str, place: str) -> EntityExample:
    text, spans = frame, []
    for field, value, label in (("{person}", person, LABELS[0]), ("{place}", place, LABELS[1])):
        if field in text:
            text = text.replace(field, value)
            spans.append((value, label))
    found = tuple(Span(text.index(value), text.index(value) + len(value), label) for value, label in spans)
    return EntityExample(Item(text), tuple(sorted(found, key=lambda span: span.start)))


def examples() -> list[EntityExample]:
    """Twelve, two of them without any span."""
    return [
        sentence(_FRAMES[at % len(_FRAMES)], _PEOPLE[(at * 5) % 6], _PLACES[(at * 7 + at // 6) % 6]) for at in range(12)
    ]
