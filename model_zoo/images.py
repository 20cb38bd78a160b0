"""Images as encoders accept them: upright 8-bit RGB, whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_zoo.errors import UnreadableInput
from model_zoo.types import Input

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_PIXELS = 80_000_000

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""What browsers show and cameras write. Pillow's other readers (some start other programs) stay closed."""


_ORIENTATION = 0x0112
"""The EXIF tag that says how a camera was held, and the values of it that exchange width and height."""
_ON_THEIR_SIDE = (5, 6, 7, 8)


def read_image(
    source: Input | None, max_pixels: int = MAX_PIXELS, enough: tuple[int, int] | None = None
) -> npt.NDArray[np.uint8]:
    """Pixels of shape (height, width, 3), RGB, turned upright; the first frame of an animation; alpha over white.

    The header is judged before anything is decoded: an image of more than `max_pixels` is refused. With
    `enough` (width, height) a JPEG may come smaller, yet not below that size, which saves most of its decoding.
    Raises `UnreadableInput` for what cannot be read.
    """
    if isinstance(source, np.ndarray):
        return _checked(source, max_pixels)
    if not isinstance(source, Path):
        raise UnreadableInput(f"Got {type(source).__name__}, wanted an image: a path, or pixels of shape (h, w, 3).")
    from PIL import ImageOps

    with _opened(source, max_pixels) as image:
        if enough is not None:
            image.draft(None, enough)
        return np.asarray(_rgb(ImageOps.exif_transpose(image)), np.uint8)


def check_image(source: Path, max_pixels: int = MAX_PIXELS) -> None:
    """Judge a file by its header alone, within a millisecond. Raises `UnreadableInput`."""
    with _opened(source, max_pixels):
        pass


def image_size(source: Input | None, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of the upright image in pixels, from the header alone. Raises `UnreadableInput`."""
    if isinstance(source, np.ndarray):
        height, width, _ = _checked(source, max_pixels).shape
        return width, height
    if not isinstance(source, Path):
        raise UnreadableInput(f"Got {type(source).__name__}, wanted an image: a path, or pixels of shape (h, w, 3).")
    with _opened(source, max_pixels) as image:
        on_its_side = image.getexif().get(_ORIENTATION) in _ON_THEIR_SIDE
        return (image.height, image.width) if on_its_side else (image.width, image.height)


@contextmanager
def _opened(source: Path, max_pixels: int) -> Iterator[Picture]:
    """The image in a file, its header judged and nothing decoded yet. Raises `UnreadableInput`, also for what fails
    within the block."""
    from PIL import Image, UnidentifiedImageError

    try:
        Image.init()  # else Pillow knows five formats
        with Image.open(source, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
            _refuse_bomb(image, source, max_pixels)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableInput(f"{source.name} is too large, wanted at most {max_pixels} pixels: {error}") from None
    except UnidentifiedImageError:
        raise UnreadableInput(f"{source.name} is no image of a known format ({', '.join(FORMATS)}).") from None
    # Pillow's readers raise anything from OSError to struct.error and IndexError on damaged files.
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
        raise UnreadableInput(f"{source.name} cannot be decoded: {error}. Upload the image again.") from error


def _checked(pixels: npt.NDArray[np.uint8], max_pixels: int) -> npt.NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise UnreadableInput(f"Got pixels of type {pixels.dtype} and shape {pixels.shape}, wanted uint8 (h, w, 3).")
    if pixels.shape[0] * pixels.shape[1] > max_pixels:
        raise UnreadableInput(f"Got {pixels.shape[1]} x {pixels.shape[0]} pixels, wanted at most {max_pixels} in all.")
    return pixels


def _refuse_bomb(image: Picture, source: Path, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise UnreadableInput(
            f"{source.name} has {image.width} x {image.height} pixels, wanted at most {max_pixels}; scale it down."
        )


def _rgb(image: Picture) -> Picture:
    from PIL import Image

    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        return Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise UnreadableInput("Got an image of floating-point pixels, wanted 8 or 16 bits; convert it first.")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
