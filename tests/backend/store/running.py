"""Starting the programs of `processes.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = Path(__file__).with_name("processes.py")
_ROOT = Path(__file__).parents[3]


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start one; its output is a pipe."""
    command = [sys.executable, str(_PROGRAMS), program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """One that is killed in the end, at whatever it is doing."""
    process = start(program, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a program says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
