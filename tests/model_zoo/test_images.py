from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_zoo.errors import UnreadableInput
from model_zoo.images import read_image

RED = (255, 0, 0)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]  # Pillow's options differ by format
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims its size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 64)
    chunks = b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (body, data, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    name = "x.jpg" if mode in ("CMYK", "YCbCr") else "x.png"
    pixels = read_image(saved(Image.new("RGB", (7, 5), "white").convert(mode), tmp_path / name))
    assert pixels.shape == (5, 7, 3)
    assert pixels.dtype == np.uint8
    assert (pixels > 250).all()


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    ramp = np.array([[0, 257 * 100, 65535]], np.uint16)
    pixels = read_image(saved(Image.fromarray(ramp), tmp_path / "x.png"))
    assert pixels[0, :, 0].tolist() == [0, 100, 255]


def test_alpha_lies_over_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    clear.putpixel((1, 0), (*RED, 255))
    assert read_image(saved(clear, tmp_path / "x.png")).tolist() == [[[255, 255, 255], list(RED)]]


def test_transparent_palette_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (1, 1), 0)
    image.putpalette([0, 0, 0])
    assert read_image(saved(image, tmp_path / "x.gif", transparency=0)).tolist() == [[[255, 255, 255]]]


def test_exif_orientation_turns_the_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    path = saved(Image.new("RGB", (40, 20), RED), tmp_path / "x.jpg", exif=exif)
    assert read_image(path).shape == (40, 20, 3)


def test_large_jpeg_is_decoded_smaller_but_large_enough(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (1600, 1200), RED), tmp_path / "x.jpg")
    height, width, _ = read_image(path, enough=(300, 300)).shape
    assert (height, width) == (300, 400)
    assert read_image(path).shape == (1200, 1600, 3)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    path = saved(frames[0], tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(path)[0, 0].tolist() == list(RED)


def test_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png_header(20_000, 20_000))
    with pytest.raises(UnreadableInput, match=r"x\.png is too large"):
        read_image(tmp_path / "x.png")
    (tmp_path / "y.png").write_bytes(png_header(9_500, 10_000))  # more than Pillow warns of, less than it refuses
    with pytest.raises(UnreadableInput, match=r"y\.png"):
        read_image(tmp_path / "y.png")
    (tmp_path / "z.png").write_bytes(png_header(2_000, 2_000))
    with pytest.raises(UnreadableInput, match="2000 x 2000 pixels, wanted at most 1000000"):
        read_image(tmp_path / "z.png", max_pixels=1_000_000)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    stream = BytesIO()
    Image.effect_noise((200, 200), 50).save(stream, "JPEG")
    (tmp_path / "x.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    with pytest.raises(UnreadableInput, match=r"x\.jpg cannot be decoded"):
        read_image(tmp_path / "x.jpg")


@pytest.mark.parametrize("content", [b"", b"just a text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(UnreadableInput, match="no image of a known format"):
        read_image(tmp_path / "x.jpg")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "x.jpg", tmp_path):
        with pytest.raises(UnreadableInput, match="cannot be decoded"):
            read_image(path)


def test_arrays_pass_and_are_checked() -> None:
    pixels = np.zeros((4, 3, 3), np.uint8)
    assert read_image(pixels) is pixels
    for wrong in (np.zeros((4, 3), np.uint8), np.zeros((4, 3, 4), np.uint8), np.zeros((0, 3, 3), np.uint8)):
        with pytest.raises(UnreadableInput, match="wanted uint8"):
            read_image(wrong)
    with pytest.raises(UnreadableInput, match="wanted at most 10"):
        read_image(pixels, max_pixels=10)


@pytest.mark.parametrize("source", [None, "http://example.org/x.png", "/etc/passwd"])
def test_a_text_is_never_opened(source: str | None) -> None:
    with pytest.raises(UnreadableInput, match="wanted an image"):
        read_image(source)
