"""The machine that a version was trained on, and what that took."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as release_of
from pathlib import Path

PACKAGES = (
    "prelabel", "torch", "torchvision", "transformers", "tokenizers", "timm", "scikit-learn", "scipy", "numpy",
    "pillow", "ultralytics", "openvino", "segmentation-models-pytorch", "pytorch-crf", "opencv-python-headless",
)  # fmt: skip
"""Those that can make a model another one."""


def environment() -> dict[str, str]:
    """Hardware, system and releases, as a manifest keeps them."""
    import torch

    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        **gpu,
        **{name: release for name in PACKAGES if (release := _release(name)) is not None},
    }


def cost(seconds: float, rate: float) -> dict[str, float]:
    """Seconds of the machine, and what they cost where an hour of it costs `rate`; 0 says that nobody knows."""
    return {"seconds": round(seconds, 3), **({"money": round(seconds * rate / 3600, 6)} if rate else {})}


def _processor() -> str:
    """Its name for people; the architecture where the system does not say."""
    try:
        named = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:  # not Linux
        named = None
    return named[1].strip() if named else platform.processor() or platform.machine()


def _release(name: str) -> str | None:
    try:
        return release_of(name)
    except PackageNotFoundError:
        return None
