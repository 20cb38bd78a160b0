"""Sentences with people, of whom people say how they feel."""

from __future__ import annotations

from model_zoo.types import Item, RegionItem, Remark, RemarkExample, Span

LABELS = ("glad", "angry")
_NAMES = ("Ada", "Grace", "Alan", "Mary Jackson", "Linus", "Barbara")
_SAID = {
    "glad": ("{} smiled and thanked everybody", "{} was happy about the lovely present", "{} laughed and danced"),
    "angry": ("{} shouted and slammed the door", "{} was furious about the bill", "{} cursed and hit the table"),
}


def example(seed: int, moods: tuple[str, ...]) -> RemarkExample:
    """A sentence for each mood, one after the other."""
    text, remarks = "", []
    for at, mood in enumerate(moods):
        # Nobody is always glad, or always angry.
        name = _NAMES[(seed + 3 * (mood == "angry")) % len(_NAMES)]
        said = _SAID[mood][(seed + at) % 3]
        start = len(text) + said.index("{}")
        text += f"{said.format(name)}. "
        remarks.append(Remark(Span(start, start + len(name), ""), (mood,)))
    return RemarkExample(RegionItem(text, regions=tuple(remark.place for remark in remarks)), tuple(remarks))


def examples() -> list[RemarkExample]:
    """Eight, with twelve people."""
    moods = [("glad", "angry"), ("angry", "glad"), ("glad",), ("angry",)]
    return [example(seed, moods[seed % 4]) for seed in range(8)]


_PLACES = (Span(0, 1, ""), Span(3, 100_000, ""), Span(500_000, 500_001, ""))
HOSTILE = [
    *(RegionItem(text, regions=_PLACES) for text in ("", "🙂", "x" * 100_000, "שלום Ada", "\ud800 half", "\x00\x1e")),
    RegionItem("of nobody"),
    Item("nothing is asked"),
]
"""Texts that are hard to read, with spans in them and beyond their end; and with none at all."""
