"""The whole loop on a real Label Studio: `python -m tests.benchmarks.loop [--quick] [--only PART ...]`

Prints a table and appends it to `tests/benchmarks/RESULTS.md`. Takes about 12 minutes on two cores, and wants them for
itself: what else runs on the machine is in the figures. Annotators are simulated by requests; everything else is real.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from tests.benchmarks import freshness, loaded, overhead, responsiveness, startup, submitting, swapping
from tests.benchmarks.backend import Backend
from tests.benchmarks.figures import Figure, append_results, text_table
from tests.benchmarks.machine import describe
from tests.benchmarks.pressure import settle
from tests.benchmarks.projects import image_project, text_project
from tests.benchmarks.stage import QUICK, Sizes, Stage
from tests.label_studio import VERSION, LabelStudioInstance, start_instance

RESULTS = Path(__file__).with_name("RESULTS.md")
LABELLED = 12
"""Labels that the connected projects begin with: until the 26th all of them train."""

ON_STAGE: dict[str, Callable[[Stage], list[Figure]]] = {
    "freshness": freshness.measure,
    "responsiveness": responsiveness.measure,
    "swapping": swapping.measure,
    "overhead": overhead.measure,
    "loaded": loaded.measure,
}
PARTS = ("startup", "submitting", *ON_STAGE)


def measure(
    studio: LabelStudioInstance, folder: Path, sizes: Sizes, parts: Sequence[str], say: Callable[[str], None]
) -> list[Figure]:
    """All figures of `parts`, in order; `say` is told what is being measured."""
    figures: list[Figure] = []

    def add(name: str, part: Callable[[], list[Figure]]) -> None:
        if name in parts:
            begun = time.monotonic()
            found = part()
            figures.extend(found)
            say(f"\n{name}, {time.monotonic() - begun:.0f} s\n{text_table(found)}")

    add("startup", lambda: startup.measure(folder, sizes))
    with Backend(folder / "backend") as backend:
        add("submitting", lambda: submitting.measure(studio, backend, sizes))
        if set(parts) & set(ON_STAGE):
            stage = set_stage(studio, backend, folder, sizes)
            for name, part in ON_STAGE.items():
                add(name, lambda part=part: part(stage))  # type: ignore[misc]  # mypy infers no default's type
    return figures


def set_stage(studio: LabelStudioInstance, backend: Backend, folder: Path, sizes: Sizes) -> Stage:
    """Two connected projects that have a version each, and nothing left to do."""
    texts = text_project(studio, sizes.texts, LABELLED)
    images = image_project(studio, sizes.images, LABELLED)
    stage = Stage(studio, backend, texts, images, sizes, folder)
    backend.connect(studio, texts.id, images.id)
    for known in (texts, images):
        backend.learn(known.uid)
    settle(stage)
    return stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look at whether it works; its figures mean little")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--no-results", action="store_true", help="print alone, and leave RESULTS.md as it is")
    arguments = parser.parse_args()
    machine, begun = describe(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as temporary:
        folder = Path(temporary)
        studio = start_instance(folder / "label-studio", folder)
        try:
            sizes = QUICK if arguments.quick else Sizes()
            figures = measure(studio, folder, sizes, arguments.only or PARTS, lambda text: print(text, flush=True))
        finally:
            studio.close()
    minutes = f"{(time.monotonic() - begun) / 60:.1f} minutes"
    missed = [figure for figure in figures if figure.reached is False]
    print(f"\n{minutes}. {len(missed)} targets missed:" if missed else f"\n{minutes}. Every target is reached.")
    print(text_table(missed) if missed else "")
    if not arguments.no_results:
        command = f"python -m tests.benchmarks.loop {' '.join(sys.argv[1:])}".strip()
        facts = [f"Command: `{command}`, {minutes}.", *machine, f"Label Studio {VERSION} on SQLite. {SIMULATED}"]
        append_results(RESULTS, f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC", facts, figures)


SIMULATED = (
    "Simulated: annotators (requests to the real Label Studio), the requests of the 50/s and /predict loads (bodies as "
    "Label Studio sends them), and the hundred swaps (versions published without training)."
)

if __name__ == "__main__":
    main()
