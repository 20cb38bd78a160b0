"""Packages that others are measured with, each in an environment of its own beside the repository's.

`.venv-peer-NAME` is made when it is first wanted, and sees what this interpreter has: torch and transformers are not
installed twice. Nothing of it is a dependency of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
VERSIONS: Mapping[str, str] = {"setfit": "setfit==1.2.0", "spacy": "spacy>=3.8,<3.9"}
"""What is installed for each; another interpreter that has it can be named in PRELABEL_<NAME>_PYTHON."""


def python(name: str) -> Path | None:
    """The interpreter that has this package; None, said once, where it cannot be installed."""
    named = os.environ.get(f"PRELABEL_{name.upper()}_PYTHON")
    if named:
        return Path(named)
    folder = REPOSITORY / f".venv-peer-{name}"
    found, ready = folder / "bin" / "python", folder / ".installed"
    if ready.exists():
        return found
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    paths = subprocess.run(
        [found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    Path(paths.stdout.strip(), "ours.pth").write_text(sysconfig.get_path("purelib"))
    done = subprocess.run(
        [found, "-m", "pip", "install", "--quiet", VERSIONS[name]], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{name} cannot be installed, and nothing is measured beside it: {done.stderr.strip()[-300:]}")
        return None
    ready.touch()
    return found


def told(interpreter: Path, program: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What `program`, a file of this folder, prints as JSON in its last line when it is given this as a file."""
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        file = Path(folder) / "given.json"
        file.write_text(json.dumps(given), "utf-8")
        command = [str(interpreter), str(Path(__file__).with_name(program)), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
