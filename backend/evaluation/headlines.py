"""Which figures of a model people are shown, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

HOLDOUT, OUT_OF_FOLD = "holdout", "out_of_fold"
"""How figures were measured: the beginnings of their names in manifests."""

_SHARE = "{:.0%}".format
_NUMBER = "{:.2f}".format

FIGURES = {
    "accuracy": ("exact", _SHARE),
    "oks_map50": ("OKS mAP50", _NUMBER),
    "visibility_accuracy": ("visibility", _SHARE),
    "miou": ("mIoU", _NUMBER),
    "pixel_accuracy": ("pixels", _SHARE),
    "map50": ("mAP50", _NUMBER),
    "map50_95": ("mAP50-95", _NUMBER),
    "f1": ("F1", _NUMBER),
    "precision": ("precision", _NUMBER),
    "recall": ("recall", _NUMBER),
    "macro_f1": ("macro-F1", _NUMBER),
    "token_f1": ("words in common", _NUMBER),
    "cider": ("CIDEr-D", _NUMBER),
    "mean_absolute_error": ("steps off", _NUMBER),
    "calibration_error": ("calibration error", _NUMBER),
}
"""Figures by their names in manifests, the foremost first: what they are called, and how they are written. Each kind of
task has some of them."""


def headlines(metrics: Mapping[str, float], how: str) -> Iterator[str]:
    """The figures that were measured so, with their 95 % intervals where these are known; the foremost first."""
    for name, (spoken, write) in FIGURES.items():
        value = metrics.get(f"{how}_{name}")
        if value is None or not isfinite(value):
            continue
        low, high = (metrics.get(f"{how}_{name}_{end}", float("nan")) for end in ("low", "high"))
        interval = f" [{write(low)}-{write(high)}]" if isfinite(low) and isfinite(high) else ""
        yield f"{spoken} {write(value)}{interval}"


def items(metrics: Mapping[str, float], how: str) -> int:
    """How many items were measured on."""
    return int(metrics.get(f"{how}_items", 0))


def in_words(metrics: Mapping[str, float]) -> list[str]:
    """What is known of a model but for what people made of it: a sentence for the holdout, one for out-of-fold
    predictions."""
    spoken = ((HOLDOUT, "on {} held-out tasks"), (OUT_OF_FOLD, "cross-validated on {} tasks"))
    return [
        f"{place.format(items(metrics, how))}: {', '.join(found)}"
        for how, place in spoken
        if (found := list(headlines(metrics, how)))
    ]
