"""`BitmaskLabels` on an image: objects painted pixel by pixel."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from backend.converters.masks import LARGEST, MOST, MaskConverter, value_of
from model_zoo.masks import mask_of, pixels
from model_zoo.types import Mask

PREFIX = "data:image/png;base64,"
OPAQUE = 128
"""Alpha from which on a pixel is painted."""


class BitmaskLabelsConverter(MaskConverter):
    """A PNG of the whole image, opaque where the object is; exact to the pixel in both directions. Its own size
    counts, whatever the region says of the image's."""

    tag: ClassVar[str] = "BitmaskLabels"
    shape: ClassVar[str] = "painted area"

    def read(self, region: Mapping[str, Any], label: str) -> Mask | None:
        from PIL import Image

        address = value_of(region).get("imageDataURL")
        if not isinstance(address, str) or not address.startswith(PREFIX):
            return None
        try:
            content = base64.b64decode(address.removeprefix(PREFIX), validate=True)
            with Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
                width, height = opened.size
                if max(width, height) > LARGEST or width * height > MOST:
                    return None
                if opened.has_transparency_data:
                    painted = np.asarray(opened.convert("RGBA"))[:, :, 3] >= OPAQUE
                else:
                    # Made by other tools: white on black.
                    painted = np.asarray(opened.convert("L")) >= OPAQUE
        except (
            *(binascii.Error, OSError, ValueError, SyntaxError, EOFError),
            *(Image.DecompressionBombError, Image.DecompressionBombWarning),
        ):
            return None
        return mask_of(label, painted, (width, height))

    def write(self, mask: Mask) -> dict[str, Any]:
        from PIL import Image

        # Two colours in a palette, of which the first is transparent: the page shows its own colour in any case.
        picture = Image.fromarray(pixels(mask).astype(np.uint8), "P")
        picture.putpalette([0, 0, 0, 0, 0, 0])
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", transparency=0, bits=1)
        return {"imageDataURL": PREFIX + base64.b64encode(buffer.getvalue()).decode()}
