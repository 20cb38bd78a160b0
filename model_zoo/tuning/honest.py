"""What was said of examples by models that had not seen them, kept with a model whose encoder has seen them since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.checkpoint import Checkpoint
from model_zoo.errors import CheckpointError
from model_zoo.recipes import Recipe
from model_zoo.tuning.hyperparameters import MICRO
from model_zoo.types import FloatArray

Key = bytes
WIDTH = 8
KEYS, COUNTS, ROWS = "honest.keys", "honest.counts", "honest.rows"


@dataclass(frozen=True)
class Honest:
    """Rows of numbers (any, width) by example, as long as each kind of task has them; None for an example that nothing
    honest can be said of."""

    rows: Mapping[Key, FloatArray | None] = field(default_factory=dict)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """For a checkpoint; nothing where there is nothing."""
        if not self.rows:
            return {}
        found = [row for row in self.rows.values() if row is not None]
        width = found[0].shape[1] if found else 1
        return {
            KEYS: np.frombuffer(b"".join(self.rows), np.uint8).reshape(-1, WIDTH).copy(),
            COUNTS: np.array([-1 if row is None else len(row) for row in self.rows.values()], np.int32),
            ROWS: np.concatenate([np.empty((0, width), np.float32), *found]).astype(np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Honest:
        """Raises `CheckpointError`."""
        if KEYS not in arrays:
            return cls()
        try:
            counts = arrays[COUNTS].astype(np.int64)
            parts = np.split(arrays[ROWS], np.cumsum(np.maximum(counts, 0))[:-1])
            keys = [row.astype(np.uint8).tobytes() for row in arrays[KEYS]]
            pairs = zip(keys, counts.tolist(), parts, strict=True)
            return cls({key: None if count < 0 else part.astype(np.float32) for key, count, part in pairs})
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"The checkpoint is damaged ({error!r}); train again.") from error

    @property
    def nbytes(self) -> int:
        return sum(WIDTH + (0 if row is None else int(row.nbytes)) for row in self.rows.values())


@dataclass(frozen=True)
class Past:
    """What a model remembers of its training: the recipe that made it, with how many examples larger ones than micro
    were last tried (0 for never), and what was said of examples that its own encoder has seen by others that had not.
    """

    recipe: str = MICRO
    tried: int = 0
    honest: Honest = field(default_factory=Honest)

    def settings(self) -> dict[str, Any]:
        """For a checkpoint; nothing where there is nothing."""
        return {"recipe": self.recipe, "tried": self.tried} if self.tried else {}

    @classmethod
    def read(cls, found: Checkpoint) -> Past:
        """Raises `CheckpointError`."""
        recipe, tried = str(found.settings.get("recipe", MICRO)), int(found.settings.get("tried", 0))
        return cls(recipe, tried, Honest.from_arrays(found.arrays))

    def tried_with(self, recipe: Recipe) -> int:
        """The number of examples with which what `recipe` asks for was last tried."""
        return self.tried if recipe.name in (MICRO, self.recipe) else 0


def keys_of(contents: Sequence[bytes]) -> list[Key]:
    """Of examples, by what they are made of."""
    return [hashlib.blake2b(content, digest_size=WIDTH).digest() for content in contents]
