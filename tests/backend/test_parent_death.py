"""A process that is bound to its parent ends with it, whatever ended the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux' kernel can do it")

PARENT = """
import os, subprocess, sys, time
from backend.parent_death import bound_to_parent, die_with_parent
if sys.argv[1] == "forked":
    me = os.getpid()
    child = os.fork()
    if child == 0:
        die_with_parent(me)
        time.sleep(60)
else:
    child = subprocess.Popen(["sleep", "60"], preexec_fn=bound_to_parent()).pid
print(child, flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("how", ["forked", "started"])
def test_child_ends_when_its_parent_is_killed(how: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
        parent.kill()
    deadline = time.monotonic() + 5.0
    while not gone(child):
        assert time.monotonic() < deadline, "it outlived its parent"
        time.sleep(0.02)


def test_child_whose_parent_was_gone_already_ends_at_once() -> None:
    code = f"import os; from backend.parent_death import die_with_parent; die_with_parent({os.getpid() + 1})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
