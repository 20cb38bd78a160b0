"""Where the benchmarks' data lie: `$PRELABEL_SHARED`, or `../shared` beside the repository."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path


def shared(name: str) -> Path:
    """The data set's folder; ends the program with a sentence where it is absent."""
    root = Path(os.environ.get("PRELABEL_SHARED", Path(__file__).parents[3] / "shared"))
    folder = root / "data" / name
    if not folder.is_dir():
        sys.exit(f"{folder} is not there. This benchmark needs it: set PRELABEL_SHARED to the folder that holds data/.")
    return folder


def banking77(part: str) -> list[tuple[str, str]]:
    """Texts and their intents; `part` is "train" or "test"."""
    with (shared("txt_banking77") / f"{part}.csv").open(encoding="utf-8", newline="") as stream:
        return [(row["text"], row["category"]) for row in csv.DictReader(stream)]
