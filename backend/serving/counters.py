"""What a process has counted since it started, for `/metrics`."""

from __future__ import annotations

import threading
from collections import Counter


class Counters:
    """Counters by name and one label, safe for threads."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        with self._lock:
            self._values[name, label] += amount

    def items(self) -> list[tuple[str, str, int]]:
        """(name, label, value) of every counter that was ever added to."""
        with self._lock:
            return [(name, label, value) for (name, label), value in sorted(self._values.items())]
