"""The text of an HTML document as people see it: no tags, no scripts, nothing that the document hides.

One pass from left to right whose time grows with the length alone, whatever is malformed: documents are other people's
input, and Python's own parser takes quadratic time on crafted ones in releases that are still about. Nothing is
fetched, run or included.
"""

from __future__ import annotations

import re
from html import unescape

MAX_HTML = 2_000_000
"""Characters that are read. Encoders look at a few thousand of those that are seen."""
MAX_ATTRIBUTES = 2_000
"""Characters of a tag that are searched for what hides its element."""

_NAME = re.compile(r"<(/?)([A-Za-z][^\s/>]{0,40})")
_QUOTED_OR_END = re.compile(r"=\s{0,20}([\"'])|>")
_HIDES = re.compile(r"\shidden(?=[\s=/>]|$)|style\s{0,9}=\s{0,9}[\"'][^\"'>]{0,500}display\s{0,9}:\s{0,9}none", re.I)
_UNSEEN = frozenset({"head", "title", "template", "noscript", "iframe", "object", "svg", "math", "select", "datalist"})
_RAW = frozenset({"script", "style"})
"""What is in these is no markup: they end at their end tag alone."""
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_INLINE = frozenset(
    re.findall(
        r"\w+",
        "a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike strong "
        "sub sup time tt u var wbr",
    )
)
"""Elements within a line; all others begin and end one."""


class _Reader:
    """What has been seen so far, and the element that hides what comes, with how deep it nests in itself."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._hidden_by = ""
        self._depth = 0

    def text(self, text: str) -> None:
        if not self._hidden_by:
            self.pieces.append(unescape(text))

    def tag(self, name: str, closes: bool, attributes: str) -> None:
        if self._hidden_by:
            if name == self._hidden_by:
                self._depth += -1 if closes else 1
                if not self._depth:
                    self._hidden_by = ""
            return
        if name not in _INLINE:
            self.pieces.append("\0")  # a break, which no document can hold
        if not closes and name not in _VOID and (name in _UNSEEN or _HIDES.search(attributes[:MAX_ATTRIBUTES])):
            self._hidden_by, self._depth = name, 1


def visible_text(html: str) -> str:
    """The text in the first `MAX_HTML` characters, entities decoded, a line for each block; empty where none shows."""
    html = html[:MAX_HTML].replace("\0", " ")
    reader, at = _Reader(), 0
    while at < len(html):
        opened = html.find("<", at)
        if opened < 0:
            opened = len(html)
        reader.text(html[at:opened])
        at = _after_markup(html, opened, reader)
    lines = "".join(reader.pieces).split("\0")
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)


def _after_markup(html: str, at: int, reader: _Reader) -> int:
    """Where what begins with the `<` at `at` ends."""
    name = _NAME.match(html, at)
    if name is None:
        if html.startswith("<!--", at):
            return _behind(html, "-->", at + 4)
        if html.startswith(("<!", "<?", "</"), at):
            return _behind(html, ">", at + 2)
        reader.text(html[at : at + 1])
        return at + 1
    end = _tag_end(html, name.end())
    tag, closes = name[2].lower(), bool(name[1])
    reader.tag(tag, closes, html[name.end() : end])
    if tag in _RAW and not closes:
        closing = re.compile(f"</{tag}", re.I).search(html, end)
        return closing.start() if closing else len(html)
    return end


def _tag_end(html: str, at: int) -> int:
    """Behind the `>` that ends a tag: one in a quoted value does not."""
    while (found := _QUOTED_OR_END.search(html, at)) is not None:
        if not found[1]:
            return found.end()
        at = _behind(html, found[1], found.end())
    return len(html)


def _behind(html: str, wanted: str, at: int) -> int:
    found = html.find(wanted, at)
    return len(html) if found < 0 else found + len(wanted)
