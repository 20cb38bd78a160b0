"""Pages as `HyperText` counts them: the text below the body, and the XPath of each of its text nodes.

Python's parser gives tags and text as they come; the rules by which browsers close elements that nobody closed, and
move what belongs to the head, are added as far as pages in labelling projects need them. Where a page is odder than
that, Label Studio does without the paths: it finds regions by their global offsets.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

from backend.converters.base import text_of
from backend.errors import TaskUnusable
from backend.labelstudio.config import Control

LONGEST = 1_000_000
"""Characters of a page's source that are read; places in what was read stay true."""
DEEPEST = 200
"""Nested elements; deeper ones count as if they were closed."""

_VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
})  # fmt: skip
_HEAD = frozenset(["html", "head", "body", "title", "meta", "link", "base", "style"])
"""What is no part of the body, or moved out of it by browsers while nothing else has come."""
_HIDDEN = frozenset({"script", "iframe", "title"})
"""Elements whose text Label Studio takes out of the page."""
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "div", "dl", "fieldset", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul",
})  # fmt: skip
"""What ends an open `<p>`."""
_ENDS: Mapping[str, frozenset[str]] = {
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "tr": frozenset({"tr", "td", "th"}),
    "td": frozenset({"td", "th"}),
    "th": frozenset({"td", "th"}),
    "tbody": frozenset({"tr", "td", "th", "thead", "tbody"}),
    "option": frozenset({"option"}),
}
"""Open elements that a new one ends."""
_STOPS = frozenset({"ul", "ol", "dl", "table", "select", "body"})
"""Ends are looked for no further out than these."""


@dataclass(frozen=True)
class Page:
    """`text`: all text nodes, and a line's end for each `<br>`, in order. `starts` and `paths`: where each text node
    begins in it, and its XPath below the body."""

    text: str
    starts: tuple[int, ...]
    paths: tuple[str, ...]

    def path_of(self, start: int, end: int) -> dict[str, Any]:
        """The XPaths and offsets of the characters from `start` to behind `end`; empty where no text node has them."""
        first, last = bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1) - 1
        if first < 0 or last < 0:
            return {}
        return {
            "start": self.paths[first],
            "startOffset": start - self.starts[first],
            "end": self.paths[last],
            "endOffset": end - self.starts[last],
        }


def page_of(control: Control, data: Mapping[str, Any]) -> Page:
    """The task's page. Raises `TaskUnusable` where there is none, or no text in it."""
    page = read_page(text_of(control, data))
    if not page.text.strip():
        raise TaskUnusable(f'The page under "{control.data_key}" has no text. Import the task again with some there.')
    return page


@lru_cache(maxsize=32)
def read_page(source: str) -> Page:
    """The page with this source."""
    parser = _Parser()
    parser.feed(source[:LONGEST])
    parser.close()
    parser.flush()
    return Page("".join(parser.pieces), tuple(parser.starts), tuple(parser.paths))


@dataclass
class _Element:
    tag: str
    path: str
    counts: Counter[str] = field(default_factory=Counter)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.paths: list[str] = []
        self._open = [_Element("body", "")]
        self._names: Counter[str] = Counter()
        self._pending = ""
        self._length = 0
        self._begun = False
        self._hidden: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        aside = tag in ("html", "head", "body") or (tag in _HEAD and not self._begun)
        if tag in _HIDDEN or (aside and tag == "style"):
            self._hidden = tag
        if aside:
            return
        self.flush()
        self._begun = True
        for ended in ({"p"} if tag in _BLOCKS else set(), _ENDS.get(tag, frozenset())):
            self._end(ended)
        if tag == "tr" and self._open[-1].tag == "table":
            self._push("tbody")
        if tag == "br":
            self.pieces.append("\n")
            self._length += 1
            self._child(tag)
        elif tag in _VOID or len(self._open) >= DEEPEST:
            self._child(tag)
        else:
            self._push(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # browsers ignore the slash

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden:
            self._hidden = None
        self.flush()
        if self._names[tag]:
            self._close(max(at for at, element in enumerate(self._open) if element.tag == tag))

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if not self._begun:
            data = data.lstrip(" \t\n\r\f")
            self._begun = bool(data)
        # Browsers read both of these as one line's end.
        self._pending += data.replace("\r\n", "\n").replace("\r", "\n")

    def handle_comment(self, data: str) -> None:
        self.flush()
        self._open[-1].counts["#comment"] += 1

    def flush(self) -> None:
        """End the text node that is being read."""
        if self._pending:
            self.starts.append(self._length)
            self.paths.append(self._child("text()"))
            self.pieces.append(self._pending)
            self._length += len(self._pending)
            self._pending = ""

    def _child(self, name: str) -> str:
        parent = self._open[-1]
        parent.counts[name] += 1
        return f"{parent.path}/{name}[{parent.counts[name]}]"

    def _push(self, tag: str) -> None:
        self._open.append(_Element(tag, self._child(tag)))
        self._names[tag] += 1

    def _end(self, tags: frozenset[str] | set[str]) -> None:
        """Close the outermost open element of these, up to the nearest that stops."""
        if not any(self._names[tag] for tag in tags):
            return
        at = len(self._open)
        for place in range(len(self._open) - 1, 0, -1):
            if self._open[place].tag in tags:
                at = place
            elif self._open[place].tag in _STOPS:
                break
        self._close(at)

    def _close(self, at: int) -> None:
        """Close the element at this depth, and all within it."""
        self._names.subtract(element.tag for element in self._open[at:])
        del self._open[at:]
