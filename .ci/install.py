"""Installs Prelabel into the environment that runs this file, and says what it downloads. Arguments name extras.

On Linux the usual torch brings CUDA, several GB that do nothing without a GPU. PyTorch's install page names an index of
its own with a far smaller build for the processor alone: give its address as `TORCH_INDEX_URL` to use that.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
CONSTRAINED = [*PIP, "--constraint", str(ROOT / "constraints.txt")]


def main() -> None:
    index = os.environ.get("TORCH_INDEX_URL")
    if find_spec("torch") is not None:
        print("Bringing Prelabel's packages up to date: seconds, unless a version changed.", flush=True)
    elif index:
        say(f"about 700 MB to download, torch from {index}", "2 to 5 minutes")
        subprocess.check_call([*CONSTRAINED, "--index-url", index, "--no-deps", "torch", "torchvision"])
    elif sys.platform == "linux" and platform.machine() == "x86_64":
        say("about 3 GB to download (torch with CUDA; it runs on the processor, too)", "5 to 15 minutes")
        if not has_gpu():
            print("Without a GPU 700 MB do: set TORCH_INDEX_URL to the CPU index that PyTorch's install page names.")
    else:
        say("about 700 MB to download", "2 to 5 minutes")
    extras = f"[{','.join(sys.argv[1:])}]" if sys.argv[1:] else ""
    subprocess.check_call([*CONSTRAINED, "--editable", f"{ROOT}{extras}"])
    if "detection" in sys.argv[1:]:
        # ultralytics brings opencv-python, which needs a display's libraries, over the same files: the last one wins.
        headless = ["--force-reinstall", "--no-deps", "opencv-python-headless"]
        subprocess.check_call([*CONSTRAINED, *headless])


def say(size: str, time: str) -> None:
    print(f"Prelabel and its packages: {size}, {time} on a usual connection.", flush=True)


def has_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()


if __name__ == "__main__":
    main()
