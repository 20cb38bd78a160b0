"""Answers about a text: spans like the one just marked, and a text that somebody has begun."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backend.converters.base import Region
from backend.interactive.answers import Drawn
from backend.interactive.asks import Ask, Mode
from backend.interactive.captions import Recent, complete
from backend.interactive.ids import group_of
from backend.interactive.spans import LEAST, Place, Proposed, propose
from model_zoo.errors import ZooError
from model_zoo.types import FloatArray

log = logging.getLogger(__name__)

Keep = Callable[[Sequence[Drawn]], None]

MOST_VECTORS = 4096
"""Vectors of spans that are kept: 6 MB."""
MOST_ANSWERED = 4096


class Texts:
    """One process's. Safe for threads."""

    def __init__(
        self, weights_dir: Path | None = None, earlier: Callable[[str, str], Sequence[str]] = lambda uid, control: ()
    ) -> None:
        self._weights_dir = weights_dir
        self._earlier = earlier
        self._recent = Recent()
        self._vectors: OrderedDict[str, FloatArray] = OrderedDict()
        self._answered: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: threading.Thread | None = None
        self._loaded = threading.Event()

    def answer(self, uid: str, ask: Ask, text: str, deadline: float, keep: Keep) -> None:
        """Give `keep` what to draw, each answer better than the one before; `text` is the document, for spans."""
        if ask.mode is Mode.SPANS:
            self._spans(uid, ask, text, deadline, keep)
        else:
            keep(self._caption(uid, ask))

    def prepare(self) -> None:
        """Load what compares spans by their meaning, in the background: it takes seconds, once a process."""
        with self._lock:
            if self._loading is None:
                self._loading = threading.Thread(target=self._load, name="prelabel-spans", daemon=True)
                self._loading.start()

    def _load(self) -> None:
        try:
            self._encode(["a"])
        except Exception:  # it would be lost in a thread
            log.exception("Spans are compared by their letters alone.")
        else:
            self._loaded.set()

    def _spans(self, uid: str, ask: Ask, text: str, deadline: float, keep: Keep) -> None:
        self.prepare()
        newest = _place(ask.newest, len(text))
        if newest is None or not self._is_new(uid, ask):
            return
        taken = [place for region in (*ask.held, *ask.drawn) if (place := _place(region, len(text))) is not None]
        threshold = ask.control.score_threshold
        least = LEAST if threshold is None else threshold
        keep(self._drawn(ask, text, propose(text, newest, taken, least=least)))
        if self._loaded.is_set():
            keep(self._drawn(ask, text, propose(text, newest, taken, self._encode, least, deadline)))

    def _drawn(self, ask: Ask, text: str, found: Sequence[Proposed]) -> list[Drawn]:
        return [
            Drawn(
                ask.control,
                {"start": one.start, "end": one.end, "text": text[one.start : one.end]},
                ask.label,
                one.score,
            )
            for one in found
        ]

    def _is_new(self, uid: str, ask: Ask) -> bool:
        """Whether the newest span was just marked. The page sends all spans of the label also when one was taken
        away, and what a person took away must not be proposed again."""
        identifier = str(ask.newest.get("id"))
        if group_of(identifier) is not None or (ask.saved and any(_deleted(region, ask) for region in ask.held)):
            return False
        key = (uid, ask.task.id, ask.control.name, identifier, ask.label)
        with self._lock:
            if key in self._answered:
                return False
            self._answered[key] = None
            while len(self._answered) > MOST_ANSWERED:
                self._answered.popitem(last=False)
        return True

    def _caption(self, uid: str, ask: Ask) -> list[Drawn]:
        value = ask.newest.get("value")
        written = value.get("text") if isinstance(value, dict) else None
        texts = [written] if isinstance(written, str) else written
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            return []
        begun = texts[-1]
        place = f"{uid}\0{ask.control.name}"
        completed = complete(begun, [*self._earlier(uid, ask.control.name), *self._recent.of(place)])
        if completed is None:
            self._recent.add(place, begun)
            return []
        return [
            Drawn(
                ask.control, {"text": [*texts[:-1], completed[0]]}, "", completed[1], replaces=str(ask.newest.get("id"))
            )
        ]

    def _encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors by MiniLM, kept by text; zeros, which are like nothing, where its weights are not found."""
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if missing:
            made = self._made(missing)
            with self._lock:
                self._vectors.update(zip(missing, made, strict=True))
                rows = np.stack([self._vectors[text] for text in texts])
                while len(self._vectors) > MOST_VECTORS:
                    self._vectors.popitem(last=False)
            return rows
        with self._lock:
            return np.stack([self._vectors[text] for text in texts])

    def _made(self, texts: Sequence[str]) -> FloatArray:
        from model_zoo.runtime import shared_runtime
        from model_zoo.text_classification.minilm import MiniLM

        try:
            return shared_runtime(self._weights_dir).encoder(MiniLM).encode(list(texts))
        except ZooError as error:
            log.info("Spans are compared by their letters alone: %s", error)
            return np.zeros((len(texts), MiniLM.dimensions), np.float32)


def _place(region: Region, length: int) -> Place | None:
    """Where a span is: Label Studio counts code points, as Python does."""
    value: Any = region.get("value")
    if not isinstance(value, dict):
        return None
    start, end = (_number(value.get(name)) for name in ("start", "end"))
    if start is None or end is None or not 0 <= start < end <= length:
        return None
    return start, end


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) <= 12:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _deleted(region: Region, ask: Ask) -> bool:
    """Whether the draft still holds a span of this label that the page no longer has. Of a draft that holds none of
    what the page has, nobody knows whose it is."""
    value = region.get("value")
    names = value.get("labels") if isinstance(value, dict) else None
    return region.get("from_name") == ask.control.name and isinstance(names, list) and names[:1] == [ask.label]
