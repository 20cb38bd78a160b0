"""What comes in that no example shows: each through the preprocessing of every network, once a modality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_zoo.errors import UnreadableInput
from model_zoo.image_classification.encoder import SIDE, square
from model_zoo.images import check_image, image_size, read_image
from model_zoo.object_detection.pixels import fit
from model_zoo.runtime import shared_runtime
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.texts import MAX_CHARACTERS, read_text

ON_ITS_SIDE = 6
"""EXIF's number for a camera that was turned to the right."""


def _drawn(name: str, path: Path) -> tuple[Path, tuple[int, int]]:
    """A file, and the size of the upright image in it."""
    grey = Image.linear_gradient("L")
    colours = Image.merge("RGB", [grey, grey.rotate(90), grey.rotate(180)])
    exif = Image.Exif()
    exif[0x0112] = ON_ITS_SIDE
    images: dict[str, tuple[Image.Image, str, tuple[int, int]]] = {
        "one pixel": (colours.resize((1, 1)), "png", (1, 1)),
        "a strip": (colours.resize((4000, 30)), "jpg", (4000, 30)),
        "a strip upright": (colours.resize((30, 4000)), "png", (30, 4000)),
        "grey": (grey, "jpg", (256, 256)),
        "black or white": (grey.convert("1"), "png", (256, 256)),
        "CMYK": (colours.convert("CMYK"), "jpg", (256, 256)),
        "16 bits": (Image.fromarray(np.asarray(grey, np.uint16) * 257), "png", (256, 256)),
        "with alpha": (Image.merge("RGBA", [*colours.split(), grey]), "png", (256, 256)),
        "grey with alpha": (Image.merge("LA", [grey, grey]), "png", (256, 256)),
        "a palette": (colours.convert("P"), "gif", (256, 256)),
        "on its side": (colours.resize((40, 20)), "jpg", (20, 40)),
    }
    image, ending, size = images[name]
    file = path / f"image.{ending}"
    image.save(file, **({"exif": exif} if name == "on its side" else {}))
    return file, size


@pytest.mark.parametrize(
    "name",
    [
        "one pixel",
        "a strip",
        "a strip upright",
        "grey",
        "black or white",
        "CMYK",
        "16 bits",
        "with alpha",
        "grey with alpha",
        "a palette",
        "on its side",
    ],
)
def test_odd_images_are_read_as_upright_rgb_by_all(name: str, tmp_path: Path) -> None:
    file, (width, height) = _drawn(name, tmp_path)
    check_image(file)
    assert image_size(file) == (width, height)
    pixels = read_image(file)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (height, width, 3))
    assert square(file).shape == (SIDE, SIDE, 3)
    fitted = fit(file, 64, 32)
    assert (fitted.width, fitted.height, max(fitted.pixels.shape)) == (width, height, 64)
    if name not in ("one pixel", "a strip upright", "grey with alpha"):
        assert np.ptp(square(file)) > 200, "from dark to light, as it was drawn"


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "tiff", "bmp"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.6])
def test_a_file_that_was_cut_off_is_refused(ending: str, part: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    file = tmp_path / f"cut.{ending}"
    Image.fromarray(noise).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])
    for read in (read_image, square, lambda path: fit(path, 64, 32)):
        with pytest.raises(UnreadableInput, match=rf"cut\.{ending}"):
            read(file)


TEXTS = {
    "empty": "",
    "blank": " \n\t\u3000",
    "one emoji": "👩‍👩‍👧‍👦",
    "very long": "word " * 20_000,
    "very long without a space": "x" * 100_000,
    "right to left": "שלום עולם، مرحبا \u202eabc\u202c",
    "zero width": "z\u200be\u200cr\u200do\ufeff" * 3,
    "nothing but zero width": "\u200b\u200c\u200d\ufeff",
    "controls": "\x00\x01\x1b[31m\x7f",
    "half a surrogate": "a\ud83d b",
    "combining marks": "Z" + "\u0301" * 5_000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_odd_texts_are_read_within_bounds(name: str) -> None:
    read = read_text(TEXTS[name])
    assert len(read) <= MAX_CHARACTERS
    assert read.encode().decode() == read
    if "surrogate" not in name:
        assert read == TEXTS[name][:MAX_CHARACTERS]


def test_odd_texts_have_features_like_all_others() -> None:
    rows = shared_runtime().encoder(MiniLM).encode(list(TEXTS.values()))
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
