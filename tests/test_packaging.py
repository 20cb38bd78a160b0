"""What is installed: every dependency is pinned, and every file that the code reads is in the package."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

ROOT = Path(__file__).parents[1]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_dependency_is_pinned_exactly() -> None:
    wanted = {
        normalised(re.split(r"[ ;<>=!\[(]", line)[0])
        for line in requires("prelabel") or []
        # Libraries of clouds follow fsspec, which is pinned.
        if not re.search('extra == "(azure|gs|s3)"', line)
    }
    pinned = {normalised(line.split("==")[0]) for line in pins()}
    assert wanted - pinned == set()


def test_pins_name_releases_and_nothing_of_one_machine() -> None:
    form = re.compile(r'[A-Za-z0-9._-]+==[A-Za-z0-9.]+(; python_version (<|>=) "3\.\d+")?')
    assert [line for line in pins() if not form.fullmatch(line)] == []


def test_every_file_of_another_kind_is_package_data() -> None:
    """setuptools leaves out what no pattern names."""
    patterns = re.findall(r'"(\*\.\w+|py\.typed)"', (ROOT / "pyproject.toml").read_text())
    files = [path for package in ("backend", "model_zoo") for path in (ROOT / package).rglob("*") if path.is_file()]
    others = [path for path in files if path.suffix not in (".py", ".pyc")]
    assert [path for path in others if not any(path.match(pattern) for pattern in patterns)] == []


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for package in ("backend", "model_zoo") for path in (ROOT / package).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
