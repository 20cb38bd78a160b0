"""Every kind of task beside a standard choice: `python -m tests.benchmarks.zoo [--quick] [--only PART ...] [--seeds N]`

Prints tables and appends them to `tests/benchmarks/RESULTS.md`. Needs the shared data, and for masks and points the
weights in PRELABEL_WEIGHTS_DIR; takes hours on two cores for all parts with five draws, and wants them for itself.
Detection has a benchmark of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from tests.benchmarks import (
    zoo_captions,
    zoo_classification,
    zoo_distil,
    zoo_entities,
    zoo_keypoints,
    zoo_segmentation,
    zoo_semantic,
)
from tests.benchmarks.figures import Figure, append_results, text_table
from tests.benchmarks.machine import describe

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS: Mapping[str, Callable[[bool, int], list[Figure]]] = {
    "classification": zoo_classification.measure,
    "entities": zoo_entities.measure,
    "segmentation": zoo_segmentation.measure,
    "semantic": zoo_semantic.measure,
    "keypoints": zoo_keypoints.measure,
    "captions": zoo_captions.measure,
    "distil": zoo_distil.measure,
}
"""What each part is measured by, told whether to be quick and how many draws to make."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look at whether it works; its figures mean little")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--seeds", type=int, default=5, help="draws of the labelled examples")
    parser.add_argument("--no-results", action="store_true", help="print alone, and leave RESULTS.md as it is")
    arguments = parser.parse_args()
    machine, begun = describe(), time.monotonic()
    figures: list[Figure] = []
    for name in arguments.only or PARTS:
        started = time.monotonic()
        found = PARTS[name](arguments.quick, 1 if arguments.quick else arguments.seeds)
        figures += found
        print(f"\n{name}, {time.monotonic() - started:.0f} s\n{text_table(found)}", flush=True)
    missed = [figure for figure in figures if figure.reached is False]
    print(f"\n{len(missed)} targets missed:\n{text_table(missed)}" if missed else "\nEvery target is reached.")
    if not arguments.no_results:
        command = f"python -m tests.benchmarks.zoo {' '.join(sys.argv[1:])}".strip()
        minutes = f"{(time.monotonic() - begun) / 60:.1f} minutes"
        heading = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, the zoo"
        append_results(RESULTS, heading, [f"Command: `{command}`, {minutes}.", *machine], figures)


if __name__ == "__main__":
    main()
