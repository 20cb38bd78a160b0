"""Texts that people have submitted to a control of a project, from its newest snapshot."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from backend.errors import StoreError
from backend.store.snapshots import Snapshots

MOST_CONTROLS = 64


class EarlierTexts:
    """Read once a snapshot. A store that cannot be read has none: completing a text is a courtesy."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._known: OrderedDict[tuple[str, str], tuple[str, list[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, uid: str, control: str) -> Sequence[str]:
        """Oldest task first."""
        try:
            head = self._snapshots.head(uid) if uid else None
            if head is None:
                return ()
            with self._lock:
                known = self._known.get((uid, control))
            if known is not None and known[0] == head:
                return known[1]
            texts = list(self._read(uid, head, control))
        except StoreError:
            return ()
        with self._lock:
            self._known[uid, control] = head, texts
            while len(self._known) > MOST_CONTROLS:
                self._known.popitem(last=False)
        return texts

    def _read(self, uid: str, snapshot: str, control: str) -> Iterator[str]:
        for record in self._snapshots.read(uid, snapshot):
            for annotation in record.submitted:
                for region in annotation.result:
                    value = region.get("value")
                    texts = value.get("text") if isinstance(value, dict) else None
                    if region.get("from_name") == control and texts:
                        yield from (str(text) for text in ([texts] if isinstance(texts, str) else texts))
