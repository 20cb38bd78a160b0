"""The drawn street scenes: always the same, and what they claim to hold is there."""

from __future__ import annotations

import io
from collections import Counter
from itertools import combinations

import numpy as np
from PIL import Image

from backend.demo.streets import HEIGHT, STREETS_CONFIG, WIDTH, streets
from backend.labelstudio.config import parse_config

SCENES = list(streets(40))


def test_scenes_are_jpeg_files_no_two_alike_and_always_the_same() -> None:
    assert list(streets(40)) == SCENES
    assert len({scene.jpeg for scene in SCENES}) == len({scene.name for scene in SCENES}) == 40
    with Image.open(io.BytesIO(SCENES[0].jpeg)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (WIDTH, HEIGHT))


def test_every_label_of_the_config_occurs_often_and_no_other() -> None:
    (control,) = parse_config(STREETS_CONFIG).controls
    seen = Counter(drawn.label for scene in SCENES for drawn in scene.objects)
    assert set(seen) == set(control.label_names)
    assert min(seen.values()) >= 20
    assert all(scene.objects for scene in SCENES)


def test_objects_lie_within_the_picture_and_hardly_cover_each_other() -> None:
    for scene in SCENES:
        for drawn in scene.objects:
            left, top, right, bottom = drawn.area
            assert 0 <= left < right <= WIDTH
            assert 0 <= top < bottom <= HEIGHT
            assert min(right - left, bottom - top) > 8
        for (a, b, c, d), (e, f, g, h) in combinations((drawn.area for drawn in scene.objects), 2):
            assert min(c, g) - max(a, e) <= 2 or min(d, h) - max(b, f) <= 2


def test_something_is_drawn_where_an_object_is_said_to_be() -> None:
    """A road is grey and even; what stands on it is not."""
    for scene in SCENES:
        pixels = np.asarray(Image.open(io.BytesIO(scene.jpeg)).convert("RGB"), np.float32)
        for drawn in scene.objects:
            left, top, right, bottom = (round(value) for value in drawn.area)
            assert pixels[top:bottom, left:right].std(axis=(0, 1)).max() > 12, (scene.name, drawn)
