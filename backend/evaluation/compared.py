"""What people made of predicted regions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Compared:
    """What became of predicted regions, by their indices and those of the answer's: `kept` as they were, `changed`
    (moved, renamed or both), taken away, and made anew."""

    kept: tuple[tuple[int, int], ...]
    changed: tuple[tuple[int, int], ...]
    deleted: tuple[int, ...]
    added: tuple[int, ...]

    @property
    def edits(self) -> int:
        return len(self.changed) + len(self.deleted) + len(self.added)
