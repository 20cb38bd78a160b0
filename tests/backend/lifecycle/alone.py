"""Exported models in a process that has everything at hand but Prelabel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_zoo.types import Input

ALONE = """
import json, runpy, sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("backend", "model_zoo"):
            raise ImportError(name + " is Prelabel")

sys.meta_path.insert(0, Refuse())
for line in sys.stdin:
    file, inputs = json.loads(line)
    module = runpy.run_path(file)
    print(json.dumps(module["Model"](Path(file).parent).predict(inputs)))
"""


def all_predicted_alone(asked: Mapping[Path, Sequence[Input]]) -> list[list[dict[str, Any]]]:
    """What the models in these folders answer, one after the other in one process; -I leaves out PYTHONPATH and the
    working folder."""
    home = next(iter(asked))
    lines = [json.dumps([str(folder / "predict.py"), [str(one) for one in inputs]]) for folder, inputs in asked.items()]
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={"HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def predicted_alone(folder: Path, inputs: Sequence[Input]) -> list[dict[str, Any]]:
    (answers,) = all_predicted_alone({folder: inputs})
    return answers
