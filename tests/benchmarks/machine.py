"""The machine that a benchmark ran on, and what processes take of it. Reads /proc, so Linux alone has figures."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

PACKAGES = ("torch", "transformers", "timm", "scikit-learn", "numpy", "rq", "redis", "fastapi", "label-studio-sdk")
MEGABYTE = 1e6


@dataclass(frozen=True)
class Memory:
    """Bytes. `pss` divides what processes share among them, so that it can be added up; `rss` counts it whole."""

    rss: int
    pss: int

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss + other.rss, self.pss + other.pss)


def memory_of(pid: int) -> Memory:
    """What one process takes now; nothing for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return Memory(0, 0)
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return Memory(values.get("Rss", 0), values.get("Pss", 0))


def memory_of_all(pids: Iterable[int]) -> Memory:
    return sum((memory_of(pid) for pid in pids), Memory(0, 0))


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, parents before children."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name, in parentheses, may hold anything; the parent is the second word after it.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = sorted(parents.get(waiting.pop(0), []))
        found += children
        waiting += children
    return found


class PeakMemory:
    """Watches a process and all below it while the block runs; `peak` is the most that they took together (PSS)."""

    def __init__(self, pid: int, interval: float = 0.25) -> None:
        self._pid = pid
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = Memory(0, 0)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            now = memory_of_all([self._pid, *descendants(self._pid)])
            self.peak = max(self.peak, now, key=lambda memory: memory.pss)


def forget_peak() -> None:
    """Have `peak_megabytes` count from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes() -> float:
    """The most that this process has held since, or in all its life."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / MEGABYTE for line in lines if line.startswith("VmHWM"))


def describe() -> list[str]:
    """Sentences about machine and software, for the head of a result."""
    cores = len(os.sched_getaffinity(0))
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"Machine: {cores} cores of {_cpu()}, {total:.0f} GiB of memory, {platform.system()} {platform.release()}.",
        f"Load averages before the run: {load}.",
        f"Python {platform.python_version()}, {packages}.",
    ]


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "an unknown processor"
