"""A model's life: `python -m tests.benchmarks.lifecycle [--quick] [--only PART ...] [--no-results]`

Prints a table and appends it to `tests/benchmarks/RESULTS.md`. Every part starts what it needs and ends it again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from tests.benchmarks import lifecycle_faults, lifecycle_gate, lifecycle_rollback
from tests.benchmarks.figures import Figure, append_results, text_table
from tests.benchmarks.machine import describe

RESULTS = Path(__file__).with_name("RESULTS.md")

PARTS: Mapping[str, Callable[[Path, bool], list[Figure]]] = {
    "rollback": lifecycle_rollback.measure,
    "gate": lifecycle_gate.measure,
    **lifecycle_faults.PARTS,
}
"""What each part is measured by, given an empty folder and whether to be quick."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look at whether it works; its figures mean little")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--no-results", action="store_true", help="print alone, and leave RESULTS.md as it is")
    arguments = parser.parse_args()
    machine, begun = describe(), time.monotonic()
    figures: list[Figure] = []
    for name in arguments.only or PARTS:
        with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
            started = time.monotonic()
            found = PARTS[name](Path(folder), arguments.quick)
        figures += found
        print(f"\n{name}, {time.monotonic() - started:.0f} s\n{text_table(found)}", flush=True)
    missed = [figure for figure in figures if figure.reached is False]
    print(f"\n{len(missed)} targets missed:\n{text_table(missed)}" if missed else "\nEvery target is reached.")
    if not arguments.no_results:
        command = f"python -m tests.benchmarks.lifecycle {' '.join(sys.argv[1:])}".strip()
        minutes = f"{(time.monotonic() - begun) / 60:.1f} minutes"
        heading = f"A model's life, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
        append_results(RESULTS, heading, [f"Command: `{command}`, {minutes}.", *machine], figures)


if __name__ == "__main__":
    main()
