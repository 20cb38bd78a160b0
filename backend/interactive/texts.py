"""Answers about a text: spans like the one just marked, and a text that somebody has begun."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backend.converters.base import Region
from backend.interactive.answers import Drawn
from backend.interactive.asks import Ask, Mode, label_of, regions_of
from backend.interactive.captions import Captions, Recent, is_question, reply, written_in
from backend.interactive.documents import Document
from backend.interactive.ids import group_of
from backend.interactive.spans import LEAST, Proposed, propose
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

    def spans(self, uid: str, ask: Ask, document: Document, deadline: float, keep: Keep) -> None:
        """Give `keep` other spans of the document like the newest, each answer better than the one before."""
        self.prepare()
        newest = document.place_of(ask.newest)
        if newest is None or not self._is_new(uid, ask):
            return
        held = (*ask.held, *ask.drawn)
        taken = [place for region in held if (place := document.place_of(region)) is not None]
        threshold = ask.control.score_threshold
        least = LEAST if threshold is None else threshold
        text, breaks = document.text, document.breaks
        keep(_drawn(ask, document, propose(text, newest, taken, least=least, breaks=breaks)))
        if self._loaded.is_set():
            keep(_drawn(ask, document, propose(text, newest, taken, self._encode, least, deadline, breaks)))

    def _is_new(self, uid: str, ask: Ask) -> bool:
        """Whether the newest span was just marked. The page sends all spans of the label also when one was taken
        away, and what a person took away must not be proposed again."""
        identifier = str(ask.newest.get("id"))
        if group_of(identifier) is not None or (ask.saved and any(_deleted(region, ask) for region in ask.held)):
            return False
        return self._is_first(uid, ask.task.id, ask.control.name, identifier, ask.label)

    def _is_first(self, *key: object) -> bool:
        """Whether this was never answered here."""
        with self._lock:
            if key in self._answered:
                return False
            self._answered[key] = None
            while len(self._answered) > MOST_ANSWERED:
                self._answered.popitem(last=False)
        return True

    def caption(self, uid: str, ask: Ask, own: Captions, keep: Keep) -> None:
        """Give `keep` the texts that the control is to hold: what people wrote stays in them letter by letter. `own`
        tells what the project's own model would write."""
        texts = written_in(ask.newest)
        # The page asks as well when a text is changed or taken away: what was said to it once is not said again.
        if texts is None or _shortened(ask, texts):
            return
        name = ask.control.name
        if not self._is_first(uid, ask.task.id, name, str(ask.newest.get("id")), tuple(texts)):
            return
        place = f"{uid}\0{name}"
        earlier = [*self._earlier(uid, name), *self._recent.of(place)]
        room = ask.mode is Mode.IMPROVE and len(texts) < (ask.control.at_most or len(texts) + 1)
        found = None
        for captions in (_no_captions, own):  # a model that has to be loaded first may take longer than there is time
            said = reply(texts, earlier, captions, room=room)
            if said is not None:
                found = said
                keep([Drawn(ask.control, {"text": found[0]}, "", found[1], replaces=str(ask.newest.get("id")))])
        if found is None and not is_question(texts[-1]):
            self._recent.add(place, texts[-1])

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


def _no_captions() -> Sequence[tuple[str, float]]:
    return ()


def _drawn(ask: Ask, document: Document, found: Sequence[Proposed]) -> list[Drawn]:
    places = [(one.start, one.end) for one in found]
    values = zip(found, document.values(places), strict=True)
    return [Drawn(ask.control, value, ask.label, one.score) for one, value in values]


def _deleted(region: Region, ask: Ask) -> bool:
    """Whether the draft still holds a span of this label that the page no longer has. Of a draft that holds none of
    what the page has, nobody knows whose it is."""
    return region.get("from_name") == ask.control.name and label_of(region) == ask.label


def _shortened(ask: Ask, texts: Sequence[str]) -> bool:
    """Whether a draft still holds more than the page does: somebody has taken away what was written or proposed."""
    regions = (region for draft in ask.task.drafts for region in regions_of(draft))
    drafted = (written_in(region) for region in regions if region.get("id") == ask.newest.get("id"))
    return any(
        len(held) > len(texts) or (len(held) == len(texts) and held[-1] != texts[-1] and held[-1].startswith(texts[-1]))
        for held in drafted
        if held is not None
    )
