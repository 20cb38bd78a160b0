"""Every kind of task beside standard choices: `python -m tests.benchmarks.zoo [--quick] [--only PART ...] [--seeds N]`

Prints a table a part, and appends it to `tests/benchmarks/RESULTS.md` as soon as the part ends. Needs the shared data,
and for masks and points the weights in PRELABEL_WEIGHTS_DIR; wants the machine for itself. Peers that are no dependency
of ours are installed in environments of their own (`tests.benchmarks.peers`). Detection has a benchmark of its own.
Only where they are asked for: `photographs`, maps of five kinds of things, and `setfit`, with all its steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from tests.benchmarks import (
    zoo_captions,
    zoo_distil,
    zoo_entities,
    zoo_keypoints,
    zoo_segmentation,
    zoo_semantic,
    zoo_signs,
    zoo_spans,
    zoo_texts,
)
from tests.benchmarks.figures import append_table
from tests.benchmarks.machine import describe
from tests.benchmarks.zoo_rows import Row, table

RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True)
class Part:
    """What measures it, told whether to be quick and how many draws to make; about how many minutes five draws take on
    two processors; and whether it runs unless it is asked for."""

    measure: Callable[[bool, int], list[Row]]
    minutes: float
    asked: bool = False


PARTS: Mapping[str, Part] = {
    "signs": Part(zoo_signs.measure, 2),
    "texts": Part(zoo_texts.measure, 8),
    "setfit": Part(zoo_texts.whole, 25, asked=True),
    "entities": Part(zoo_entities.measure, 5),
    "spans": Part(zoo_spans.measure, 5),
    "segmentation": Part(zoo_segmentation.measure, 6),
    "semantic": Part(partial(zoo_semantic.measure, zoo_semantic.PEDESTRIANS), 8),
    "photographs": Part(partial(zoo_semantic.measure, zoo_semantic.THINGS), 12, asked=True),
    "mouse": Part(partial(zoo_keypoints.measure, zoo_keypoints.MOUSE), 8),
    "people": Part(partial(zoo_keypoints.measure, zoo_keypoints.PEOPLE), 4),
    "captions": Part(zoo_captions.measure, 2),
    "distil": Part(zoo_distil.measure, 12, asked=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look at whether it works; its figures mean little")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--seeds", type=int, default=5, help="draws of the labelled examples")
    parser.add_argument("--no-results", action="store_true", help="print alone, and leave RESULTS.md as it is")
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    missed = []
    for name in arguments.only or [name for name, part in PARTS.items() if not part.asked]:
        part, machine, begun = PARTS[name], describe(), time.monotonic()
        print(f"\n{name}: about {part.minutes:.0f} minutes with five draws on two quiet processors", flush=True)
        rows = part.measure(arguments.quick, seeds)
        minutes = (time.monotonic() - begun) / 60
        print(f"\n{name}, {minutes:.1f} minutes\n\n{table(rows)}", flush=True)
        missed += [f"{row.part}, {row.measure}: {', '.join(row.missed)}" for row in rows if row.missed]
        if not arguments.no_results:
            options = f"{' --quick' if arguments.quick else ''}{f' --seeds {seeds}' if seeds != 5 else ''}"
            command = f"Command: `python -m tests.benchmarks.zoo --only {name}{options}`, {minutes:.1f} minutes."
            heading = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, the zoo: {name}"
            append_table(RESULTS, heading, [command, *machine], table(rows))
    print("\n".join([f"\n{len(missed)} targets missed:", *missed]) if missed else "\nEvery target is reached.")


if __name__ == "__main__":
    main()
