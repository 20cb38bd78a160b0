"""What the 80 classes of COCO are also called, so that a label is recognised before anybody has drawn a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model_zoo.types import FloatArray, LabelSpace

ALSO: dict[str, tuple[str, ...]] = {
    "person": ("people", "pedestrian", "human", "man", "woman", "child", "worker", "player", "walker"),
    "bicycle": ("bike", "cycle", "pushbike"),
    "car": ("automobile", "sedan", "passenger car", "taxi", "suv"),
    "motorcycle": ("motorbike", "scooter", "moped"),
    "airplane": ("aeroplane", "plane", "aircraft", "jet"),
    "bus": ("coach", "minibus", "omnibus"),
    "train": ("locomotive", "tram", "railway train"),
    "truck": ("lorry", "pickup", "pickup truck"),
    "boat": ("ship", "vessel", "sailboat"),
    "traffic light": ("traffic signal", "stoplight", "trafficlight"),
    "fire hydrant": ("hydrant",),
    "stop sign": ("stopsign",),
    "couch": ("sofa",),
    "potted plant": ("pottedplant", "houseplant", "pot plant"),
    "dining table": ("diningtable", "table"),
    "tv": ("tvmonitor", "tv monitor", "television", "monitor", "screen"),
    "cell phone": ("cellphone", "mobile phone", "phone", "smartphone", "mobile"),
    "donut": ("doughnut",),
    "cow": ("cattle", "bull"),
    "sports ball": ("ball", "football", "soccer ball", "basketball", "tennis ball"),
    "handbag": ("purse", "bag"),
    "suitcase": ("luggage",),
    "refrigerator": ("fridge",),
    "hair drier": ("hair dryer", "hairdryer"),
    "laptop": ("notebook computer",),
    "remote": ("remote control",),
    "cup": ("mug",),
    "wine glass": ("wineglass", "glass"),
    "teddy bear": ("teddy",),
    "bird": ("pigeon", "duck", "seagull"),
    "dog": ("puppy",),
    "cat": ("kitten",),
    "horse": ("pony", "foal"),
    "sheep": ("lamb",),
}
"""Names that are as good as a class's own."""

COVERS: dict[str, tuple[str, ...]] = {
    "vehicle": ("car", "motorcycle", "bus", "truck", "bicycle"),
    "motor vehicle": ("car", "motorcycle", "bus", "truck"),
    "animal": ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    "two wheeler": ("bicycle", "motorcycle"),
    "fruit": ("banana", "apple", "orange"),
    "pet": ("cat", "dog"),
    "furniture": ("chair", "couch", "bed", "dining table"),
}
"""Names of what several classes are kinds of."""


def columns(labels: LabelSpace, classes: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """For each label the indices of the classes that it means by its name, an alias or a description; none where it
    means none of them."""
    index: dict[str, set[int]] = {}
    for at, name in enumerate(classes):
        for word in (name, *ALSO.get(name, ())):
            index.setdefault(_plain(word), set()).add(at)
    for word, covered in COVERS.items():
        index.setdefault(_plain(word), set()).update(at for at, name in enumerate(classes) if name in covered)
    described = labels.descriptions or ((),) * len(labels)
    return tuple(
        tuple(sorted(set().union(*(index.get(_plain(word), set()) for word in (name, *words)))))
        for name, words in zip(labels.names, described, strict=True)
    )


def _plain(word: str) -> str:
    """Case, plural and joining marks do not count."""
    joined = " ".join(word.casefold().replace("_", " ").replace("-", " ").split())
    return joined[:-1] if len(joined) > 3 and joined.endswith("s") and not joined.endswith("ss") else joined


def meant(probabilities: Any, columns: Sequence[Sequence[int]] | None) -> FloatArray:
    """Probabilities (n, labels) from those of a network's classes (n, classes): of several that a label means, the
    likeliest counts. Without `columns` the classes are the labels."""
    if columns is None:
        answers: FloatArray = probabilities
        return answers
    nothing = np.zeros(len(probabilities), np.float32)
    likeliest = [probabilities[:, list(row)].max(axis=1) if row else nothing for row in columns]
    stacked: FloatArray = np.stack(likeliest, axis=1)
    return stacked
