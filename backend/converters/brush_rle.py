"""Label Studio's run lengths of painted masks, as its page packs them (thi.ng/rle-pack) over all four bytes of a pixel.

A header of 53 bits (number of bytes in 32, bits a value less 1 in 5, four lengths' sizes less 1 in 4 each), then runs:
a bit that is 1 for one repeated value and 0 for values one by one, two bits that choose a size, the length less 1 in
that size, and the value or values. The SDK's codec writes the same, and joins and splits texts bit by bit: what the
page paints, in colour and so value by value, takes it seconds to read for an image of 1080p.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

SIZES = (3, 4, 8, 16)
LONGEST = 1 << SIZES[-1]
CHANNELS = 4
VALUE = 8
HEADER = 53
OPAQUE = 128
"""Alpha from which on a pixel is painted: a brush's soft edge is part of the object where it covers half of a pixel."""


def encode(mask: npt.NDArray[np.bool_]) -> list[int]:
    """The bytes of a mask of shape (height, width), as a list for JSON."""
    flat = mask.ravel()
    edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [len(flat)]])
    lengths, values = np.diff(edges) * CHANNELS, flat[edges[:-1]]
    pieces = -(-lengths // LONGEST)
    values = np.repeat(values, pieces)
    whole = np.repeat(lengths, pieces)
    last = np.zeros(len(values), np.bool_)
    last[np.cumsum(pieces) - 1] = True
    lengths = np.where(last, whole - (np.repeat(pieces, pieces) - 1) * LONGEST, LONGEST)
    choice = np.searchsorted(np.array([1 << size for size in SIZES]), lengths)
    sizes = np.array(SIZES)[choice]
    codes = (((0b100 | choice) << sizes) | (lengths - 1)) << VALUE | np.where(values, 255, 0)
    widths = 3 + sizes + VALUE
    place = np.arange(int(widths.max(initial=0)))
    bits = (codes[:, None] >> np.clip(widths[:, None] - 1 - place, 0, None)) & 1
    body = bits[place < widths[:, None]].astype(np.uint8)
    header = len(flat) * CHANNELS
    for size, number in ((5, VALUE - 1), *((4, size - 1) for size in SIZES)):
        header = header << size | number
    head = np.array([header >> (HEADER - 1 - at) & 1 for at in range(HEADER)], np.uint8)
    return np.packbits(np.concatenate([head, body])).tolist()  # type: ignore[no-any-return]  # a list of int


def decode(rle: Sequence[Any], width: int, height: int) -> npt.NDArray[np.bool_]:
    """The painted pixels, of shape (height, width). Raises `ValueError` for what is no mask of that size."""
    try:
        data = np.asarray(rle, np.uint8)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"the run lengths are no list of bytes ({error})") from None
    count = width * height * CHANNELS
    packed = data.tobytes() + bytes(8)
    if data.ndim != 1 or len(data) * 8 < HEADER or _read(packed, 0, 32) != count:
        raise ValueError(f"the run lengths are not those of {width} x {height} pixels")
    value_bits, at = _read(packed, 32, 5) + 1, 37
    sizes = [_read(packed, at + 4 * number, 4) + 1 for number in range(4)]
    if value_bits != VALUE:
        raise ValueError(f"the run lengths have values of {value_bits} bits, wanted {VALUE}")
    flat = np.zeros(count, np.uint8)
    bits, at, done = np.unpackbits(data), HEADER, 0
    while done < count:
        repeated, size = _read(packed, at, 1), sizes[_read(packed, at + 1, 2)]
        length = _read(packed, at + 3, size) + 1
        at += 3 + size
        taken = VALUE if repeated else VALUE * length
        if at + taken > len(bits) or done + length > count:
            raise ValueError("the run lengths end before the image does, or after it")
        flat[done : done + length] = _read(packed, at, VALUE) if repeated else np.packbits(bits[at : at + taken])
        at, done = at + taken, done + length
    return flat.reshape(height, width, CHANNELS)[:, :, 3] >= OPAQUE


def _read(data: bytes, at: int, bits: int) -> int:
    """The number in so many bits, at most 32, from bit `at` on."""
    window = int.from_bytes(data[at >> 3 : (at >> 3) + 5], "big")
    return window >> (40 - (at & 7) - bits) & ((1 << bits) - 1)
