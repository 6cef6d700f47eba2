"""One picture file: what it says of how it is to be seen is honoured, or refused by name."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from torch import Tensor

from .published import DatasetDamaged

#: Endings of pictures.
ENDINGS = (
    ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm",
    ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip
#: What may be in them, by Pillow's names.
_FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "QOI", "TGA", "TIFF",
    "WEBP",
)  # fmt: skip
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # "I" only of PNG and PPM
_GREY = ("1", "L", "LA", "La", *_SIXTEEN_BITS)
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "CMYK")
_WAY_OUT = "save it as PNG of 8 bits, or pass a tensor (N, C, H, W) that you read yourself"
#: TIFF's photometric interpretations that are read: bands of each, and their bits.
_TIFF_BITS = {
    0: (1, (1, 2, 4, 8, 16)), 1: (1, (1, 2, 4, 8, 12, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)),
    5: (4, (8,)), 6: (3, (8,)),
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """What is known of a file before its pixels are decoded."""

    file: Path
    grey: bool
    size: tuple[int, int]  #: (H, W), upright
    white: int = 65_535  #: of more than 8 bits of grey, as Pillow gives them
    inverted: bool = False  #: white is 0, and Pillow leaves it there
    sixteen: bool = False  #: the file states 16 bits, but fewer may be in use
    opaque: bool = False  #: what Pillow takes for transparency is none
    transparent: int | None = None  #: the grey value that is transparent, as Pillow gives it


def is_picture(file: Path) -> bool:
    """By its ending."""
    return file.suffix.lower() in ENDINGS


def look(file: Path) -> Picture:
    """Size and colour of a file, without its pixels; DatasetDamaged if it can't be trusted."""
    with _reading(file):
        tags = _tiff_tags(file)
        facts = _of_tiff(file, tags) if tags else {}
        if _head(file, 8).startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
            facts = _of_jpeg_2000(file)
        with _open(file, tags) as picture:
            kind = picture.format or ""
            if kind not in _FORMATS:
                raise _refused(file, f"is a file of the format {kind}")
            width, height = (tags[256], tags[257]) if kind == "TIFF" else picture.size
            if kind == "PNG":
                facts = _of_png(file, picture)
            elif kind == "PPM":
                facts = _of_ppm(picture)
            elif kind == "TGA":  # bits of a pixel that are for its transparency
                facts = {"opaque": not _head(file, 18)[17] & 15}
            if kind in ("JPEG", "MPO") and picture.mode == "CMYK" and "adobe" not in picture.info:
                raise _refused(file, "is a CMYK JPEG that leaves open whether it is inverted")
            if picture.mode == "F":
                raise _refused(file, "holds values of floating point, which have no fixed scale")
            if picture.mode not in (*_GREY, *_COLOUR):
                raise _refused(file, f"is stored in the colours {picture.mode}")
            if picture.getexif().get(0x0112, 1) >= 5:  # Exif's orientation: lies on its side
                width, height = height, width
            facts.setdefault("grey", _is_grey(picture))
            return Picture(file, size=(height, width), **facts)


def decode(picture: Picture, grey: bool) -> Image.Image:
    """A picture of 8 bits, upright, on white where it is transparent; "L" if grey, else "RGB"."""
    with _reading(picture.file):
        with Image.open(picture.file) as opened:
            found = ImageOps.exif_transpose(opened)
            found.load()
        values = None
        if found.mode in _SIXTEEN_BITS:
            values = np.asarray(found).astype(np.int64)
            if picture.sixteen:
                _check_range(picture.file, int(values.max()))
        elif picture.sixteen:  # of colour Pillow gives the upper eight bits
            ends = np.asarray(found.convert("RGB"))
            step = 255 if opened.format == "PPM" else 256  # which is rounded
            _check_range(picture.file, step * int(ends.max()))
        if picture.transparent is not None:
            values = np.asarray(found.convert("L") if values is None else found).astype(np.int64)
            hidden = values == picture.transparent
        if values is not None:
            white = 255 if found.mode in ("1", "L") else picture.white
            shown = white - values if picture.inverted else values
            shown = (510 * shown + white) // (2 * white)
            if picture.transparent is not None:
                shown[hidden] = 255
            found = Image.fromarray(shown.astype(np.uint8))
        elif found.has_transparency_data and not picture.opaque:
            seen = found.convert("LA") if found.mode == "La" else found
            seen = seen.convert("RGBA")
            white_ground = Image.new("RGBA", seen.size, "white")
            found = Image.alpha_composite(white_ground, seen)
        return found.convert("L" if grey else "RGB")


def stacked(pictures: Sequence[Picture], grey: bool, size: tuple[int, int]) -> Tensor:
    """Pictures decoded one by one and resized to (H, W), where they have another size: uint8."""
    height, width = size
    pixels = np.empty((len(pictures), height, width, 1 if grey else 3), np.uint8)
    for place, picture in enumerate(pictures):
        decoded = decode(picture, grey)
        if decoded.size != (width, height):
            decoded = decoded.resize((width, height), Image.Resampling.BILINEAR)
        pixels[place] = np.asarray(decoded).reshape(height, width, -1)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """DatasetDamaged where Pillow fails; what it has to say of that is in the error alone."""
    log, quiet = logging.getLogger("PIL"), logging.NullHandler()
    log.addHandler(quiet)
    try:
        yield
    except (
        Image.DecompressionBombError, ArithmeticError, AttributeError, LookupError, OSError,
        SyntaxError, TypeError, ValueError, struct.error,
    ) as error:  # fmt: skip
        way_out = f"repair it, or move it out of the folder, or {_WAY_OUT}"
        text = f"{file} can't be read as an image ({error}); {way_out}"
        raise DatasetDamaged(text) from error
    finally:
        log.removeHandler(quiet)


def _refused(file: Path, what: str) -> DatasetDamaged:
    return DatasetDamaged(f"{file} {what}; {_WAY_OUT}")


def _check_range(file: Path, largest: int) -> None:
    """DatasetDamaged if a file of 16 bits seems to use fewer, with nothing to say so."""
    if 0 < largest < 4096:
        raise DatasetDamaged(
            f"{file} holds 16 bits whose values end at {largest}: they seem to use 12 bits or "
            "fewer, and would come out nearly black. Scale them to 8 bits first"
        )


def _head(file: Path, n: int) -> bytes:
    with file.open("rb") as stream:
        return stream.read(n)


def _is_grey(picture: Image.Image) -> bool:
    """Whether a file is stored without colour: by its mode, or by a palette of greys."""
    if picture.mode in ("P", "PA"):
        picture.load()  # which sorts the palette out, whatever its order in the file
        colours = np.array(picture.getpalette("RGB")).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return picture.mode in _GREY


def _of_png(file: Path, picture: Image.Image) -> dict[str, Any]:
    depth, colours = _head(file, 26)[24:]
    facts: dict[str, Any] = {"sixteen": depth == 16}
    if colours in (0, 4):
        facts["grey"] = True
    if colours == 2 and depth == 16 and "transparency" in picture.info:
        raise _refused(file, "has a transparent colour of 16 bits, of which eight are read")
    if colours == 0 and "transparency" in picture.info:
        value = picture.info["transparency"]  # of the file's own depth
        facts["transparent"] = 255 * (value > 0) if depth == 1 else value
        if depth in (2, 4):
            facts["transparent"] = value * 255 // (2**depth - 1)
    return facts


def _of_ppm(picture: Any) -> dict[str, Any]:
    args = picture.tile[0][3]  # Pillow scales by the header's largest value, but of 16 bits
    return {"sixteen": (args[1] if isinstance(args, tuple) else args) in (65_535, "I;16B")}


def _of_jpeg_2000(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    start = data.index(b"\xff\x4f\xff\x51")
    boxes, n = data[:start], int.from_bytes(data[start + 40 : start + 42], "big")
    parts = [data[place : place + 3] for place in range(start + 42, start + 42 + 3 * n, 3)]
    if len(set(parts)) > 1 or not 7 <= parts[0][0] <= 15 or parts[0][1:] != b"\1\1":
        bits = ", ".join(f"{(part[0] & 127) + 1}{' with sign' * (part[0] >> 7)}" for part in parts)
        raise _refused(file, f"is a JPEG 2000 of bands of {bits} bits, or of several sizes")
    colours = boxes.find(b"colr")
    if colours >= 0 and boxes[colours + 4] == 1:
        space = int.from_bytes(boxes[colours + 7 : colours + 11], "big")
        if space not in (16, 17, 18):  # sRGB, grey, sYCC
            raise _refused(file, f"is a JPEG 2000 of the colour space {space}")
    alpha = boxes.find(b"cdef")
    kinds = boxes[alpha + 6 :]
    opacity = alpha >= 0 and (n - 1).to_bytes(2, "big") + b"\0\1" in (
        kinds[6 * k : 6 * k + 4] for k in range(n)
    )
    depth = parts[0][0] + 1
    if n > 1 and depth > 8:  # Pillow turns the brightest of them black
        raise _refused(file, f"is a JPEG 2000 of colours of {depth} bits")
    if n not in (1, 3) and not (n in (2, 4) and opacity):
        raise _refused(file, f"holds {n} bands, more than grey or colour")
    return {"white": (2**depth - 1) << (16 - depth), "sixteen": depth == 16}


def _tiff_tags(file: Path) -> dict[int, Any]:
    """The tags of a TIFF's first page; DatasetDamaged where there are others of its kind."""
    with file.open("rb") as stream:
        head = stream.read(16)
        if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return {}
        pages, place = [], 0
        directory = ImageFileDirectory_v2(head if b"+" in head[:4] else head[:8])
        while directory.next and directory.next != place:
            place = directory.next
            stream.seek(place)
            directory.load(stream)
            pages.append(dict(directory))
            if len(pages) > 1 and not pages[-1].get(254, 0) & 5:  # smaller, or a mask
                raise _refused(file, "is a TIFF of several pages")
    if pages[0].get(254, 0) & 5:
        raise _refused(file, "is a TIFF whose first page is a preview or a mask")
    return pages[0]


def _open(file: Path, tags: dict[int, Any]) -> Image.Image:
    try:
        return Image.open(file)
    except UnidentifiedImageError as error:
        if not tags:
            raise
        # As 16 bits of which white is 0, the high byte first.
        raise _refused(
            file, f"is {_tiff_kind(tags)}, in an order of bytes that isn't read"
        ) from error


def _tiff_kind(tags: dict[int, Any]) -> str:
    depth = "/".join(map(str, sorted(set(tags.get(258, (1,))))))
    return (
        f"a TIFF of {tags.get(277, 1)} bands of {depth} bits in photometric interpretation "
        f"{tags.get(262)}"
    )


def _of_tiff(file: Path, tags: dict[int, Any]) -> dict[str, Any]:
    photometric, n, extra = tags.get(262), tags.get(277, 1), tuple(tags.get(338, ()))
    bits, formats = tuple(tags.get(258, (1,))), tuple(tags.get(339, (1,)))
    if set(formats) != {1} or max(bits) > 16:
        what = "floating point" if 3 in formats else f"{max(bits)} bits"
        if what != "floating point" and max(bits) <= 16:
            what += " with sign"
        raise _refused(file, f"holds values of {what}, which have no fixed scale")
    colours, depths = (
        _TIFF_BITS.get(photometric or 0, (0, ())) if photometric is not None else (0, ())
    )
    if colours and (n != colours + len(extra) or extra not in ((), (1,), (2,))):
        raise _refused(file, f"holds {n} bands, more than its colours (and transparency)")
    separate = tags.get(284, 1) == 2
    if (
        len(set(bits)) > 1
        or bits[0] not in depths
        or (extra and (bits[0] < 8 or photometric not in (1, 2, 3)))
        or (extra == (1,) and photometric == 3)
        or (separate and (bits[0] != 8 or photometric not in (1, 2) or extra))
        or (photometric == 5 and tags.get(332, 1) != 1)  # inks of another kind
        or (photometric == 6 and tags.get(259, 1) != 7)  # only JPEG says how it is scaled
    ):
        what = f"{_tiff_kind(tags)}{', stored one by one' * separate}"
        raise _refused(file, f"is {what}, which isn't read")
    return {
        "white": 2 ** bits[0] - 1, "inverted": photometric == 0 and bits[0] == 16,
        "sixteen": bits[0] == 16,
    }  # fmt: skip
