"""What a file says of how it is to be seen, in files written byte by byte from the formats.

A picture comes out as its format has it, or is refused by name; never as something else.
"""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from patchinit.data import DatasetDamaged, load_images

RNG = np.random.default_rng(0)


def save(root, name, data):
    path = root / "a" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return root


def read(root, name, data):
    """The one picture, (C, H, W)."""
    return load_images(save(root, name, data)).images[0]


def packed(values, bits, order=">"):
    """Rows of values of any depth, each row on whole bytes."""
    if bits in (8, 16, 32):
        return values.astype(f"{order}u{bits // 8}").tobytes()
    rows = values.reshape(len(values), -1)
    ones = (rows[:, :, None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(ones.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def png(values, bits=8, colour=0, chunks=()):
    """PNG of values (H, W) or (H, W, C); further chunks go before the pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + packed(row[None], bits) for row in values)
    parts = [(b"IHDR", struct.pack(">2I5B", width, height, bits, colour, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(values, bits=8, photometric=1, order="<", pages=1, separate=False, data=None, **tags):
    """TIFF of values (H, W) or (H, W, C), in one strip, or one a band; tags as t338=(0,)."""
    height, width = values.shape[:2]
    n = values.shape[2] if values.ndim == 3 else 1
    strips = [values[..., k] for k in range(n)] if separate and n > 1 else [values]
    strips = [packed(strip, bits, order) for strip in strips] if data is None else [data]
    entries = {
        256: (width,), 257: (height,), 258: (bits,) * n, 259: (1,), 262: (photometric,),
        273: (), 277: (n,), 278: (height,), 279: tuple(map(len, strips)),
        284: (2 if separate else 1,), **{int(tag[1:]): value for tag, value in tags.items()},
    }  # fmt: skip
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8))
    for page in range(pages):
        wanted = {tag: value for tag, value in entries.items() if value is not None}
        start = len(out)
        after = start + 2 + 12 * len(wanted) + 4
        tail = b"".join(strips)
        places = np.cumsum([0, *map(len, strips[:-1])]) + after
        wanted[273] = tuple(int(place) for place in places)
        table = b""
        for tag, value in sorted(wanted.items()):
            code, kind = ("I", 4) if tag in (273, 279) else ("H", 3)
            field = struct.pack(f"{order}{len(value)}{code}", *value)
            if len(field) > 4:
                where = after + len(tail)
                tail += field + b"\0" * (len(field) % 2)
                field = struct.pack(order + "I", where)
            table += struct.pack(order + "HHI", tag, kind, len(value)) + field.ljust(4, b"\0")
        following = after + len(tail) if page + 1 < pages else 0
        out += struct.pack(order + "H", len(wanted)) + table
        out += struct.pack(order + "I", following) + tail
    return bytes(out)


def grey(bits, height=4, width=8):
    values = RNG.integers(0, 2**bits, (height, width))
    values[0, :2] = 0, 2**bits - 1
    return values


def shown(values, white):
    """(C, H, W) of 8 bits."""
    image = torch.from_numpy(np.floor(np.asarray(values) * 255 / white + 0.5).astype(np.uint8))
    return image[None] if image.ndim == 2 else image.permute(2, 0, 1)


# --- Depth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_png_of_every_depth(tmp_path, bits):
    values = grey(bits)
    assert torch.equal(read(tmp_path, "x.png", png(values, bits)), shown(values, 2**bits - 1))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_transparent_grey_of_png_is_white(tmp_path, bits):
    values = grey(bits)
    hidden = int(values[1, 1])
    data = png(values, bits, chunks=[(b"tRNS", struct.pack(">H", hidden))])
    expected = shown(np.where(values == hidden, 2**bits - 1, values), 2**bits - 1)
    assert torch.equal(read(tmp_path, "x.png", data), expected)


def test_png_of_grey_and_opacity_has_one_channel(tmp_path):
    for bits in (8, 16):
        values = RNG.integers(0, 2**bits, (4, 8, 2))
        values[..., 1] = (2**bits - 1) * (np.arange(8) % 2)
        expected = np.where(values[..., 1] > 0, values[..., 0] >> (bits - 8), 255)
        found = read(tmp_path, "x.png", png(values, bits, colour=4))
        assert torch.equal(found, shown(expected, 255))


@pytest.mark.parametrize("maxval", [1, 3, 100, 255, 256, 1000, 1023, 4095, 20_000, 65_535])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("bands", [1, 3])
def test_netpbm_states_its_white(tmp_path, maxval, plain, bands):
    values = RNG.integers(0, maxval + 1, (4, 8, bands))
    values[0, :2] = [[0], [maxval]]
    magic = {(1, False): 5, (1, True): 2, (3, False): 6, (3, True): 3}[bands, plain]
    body = " ".join(map(str, values.ravel())).encode() if plain else packed(
        values, 8 if maxval < 256 else 16
    )  # fmt: skip
    found = read(tmp_path, "x.pnm", b"P%d\n# a remark\n8 4\n%d\n" % (magic, maxval) + body)
    assert found.shape == (bands, 4, 8)
    assert (found.int() - shown(values, maxval).int()).abs().max() <= 1
    assert found[:, 0, :2].tolist() == [[0, 255]] * bands


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_tiff_of_every_depth_and_polarity(tmp_path, bits, photometric, order):
    values = grey(bits)
    white = 2**bits - 1
    data = tiff(values, bits, photometric, order)
    if (bits, photometric) == (12, 0) or (
        order == ">" and (bits, photometric) in [(12, 1), (16, 0)]
    ):
        with pytest.raises(DatasetDamaged, match=r"x\.tif"):
            read(tmp_path, "x.tif", data)
        return
    expected = shown(values if photometric else white - values, white)
    assert torch.equal(read(tmp_path, "x.tif", data), expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_compressed_tiff_is_the_same(tmp_path, order):
    for bits in (1, 4, 8, 16):
        for photometric in (0, 1):
            values = grey(bits)
            body = zlib.compress(packed(values, bits, order))
            data = tiff(values, bits, photometric, order, data=body, t259=(8,))
            if order == ">" and (bits, photometric) == (16, 0):
                continue
            white = 2**bits - 1
            expected = shown(values if photometric else white - values, white)
            assert torch.equal(read(tmp_path, "x.tif", data), expected)


@pytest.mark.parametrize("write", [
    lambda v: png(v, 16),
    lambda v: tiff(v, 16),
    lambda v: tiff(v, 16, 0),
    lambda v: b"P5 8 4 65535\n" + packed(v, 16),
    lambda v: png(np.stack([v] * 3, 2), 16, 2),
    lambda v: png(np.stack([v, v * 0 + 65_535], 2), 16, 4),
    lambda v: tiff(np.stack([v] * 3, 2), 16, 2),
    lambda v: b"P6 8 4 65535\n" + packed(np.stack([v] * 3, 2), 16),
])  # fmt: skip
def test_twelve_bits_beside_sixteen_are_refused(tmp_path, write):
    """Each file by itself: another of full range must not let it through."""
    save(tmp_path, "full.png", png(grey(16), 16))
    with pytest.raises(DatasetDamaged, match=r"y\.\w+ holds 16 bits whose values end at \d+"):
        read(tmp_path, "y.tif", write(grey(12)))


@pytest.mark.parametrize(("formats", "bits"), [((2,), 8), ((2,), 16), ((3,), 16), ((3,), 32),
                                               ((2,), 32), ((1,), 32), ((3,), 64)])  # fmt: skip
def test_values_without_a_white_are_refused(tmp_path, formats, bits):
    data = tiff(grey(8), bits, t339=formats, data=bytes(4 * 8 * bits // 8))
    with pytest.raises(
        DatasetDamaged, match=r"x\.tif holds values of .*, which have no fixed scale"
    ):
        read(tmp_path, "x.tif", data)


# --- Bands and colours ---------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("photometric", "n", "extra"), [
    (2, 4, (0,)), (2, 5, (0, 0)), (2, 6, (0, 0, 0)), (2, 5, (2, 0)), (2, 4, None), (1, 2, (0,)),
    (1, 2, None), (1, 13, (0,) * 12), (1, 13, None), (1, 10, (0,) * 9), (5, 5, (0,)), (3, 2, (0,)),
])  # fmt: skip
@pytest.mark.parametrize("separate", [False, True])
def test_bands_are_never_dropped(tmp_path, capfd, bits, photometric, n, extra, separate):
    values = RNG.integers(0, 2**bits, (4, 8, n))
    data = tiff(values, bits, photometric, separate=separate, t338=extra, t320=(0,) * 768)
    with pytest.raises(DatasetDamaged, match=rf"x\.tif (holds|is a TIFF of) {n} bands") as refused:
        read(tmp_path, "x.tif", data)
    assert "repair" not in str(refused.value) and "(N, C, H, W)" in str(refused.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_of_three_colours(tmp_path, bits, order):
    values = RNG.integers(0, 2**bits, (4, 8, 3))
    found = read(tmp_path, "x.tif", tiff(values, bits, 2, order))
    assert torch.equal(found, shown(values >> (bits - 8), 255))


def test_tiff_of_colours_one_by_one(tmp_path):
    values = RNG.integers(0, 256, (4, 8, 3))
    assert torch.equal(
        read(tmp_path, "x.tif", tiff(values, 8, 2, separate=True)), shown(values, 255)
    )
    with pytest.raises(DatasetDamaged, match="stored one by one"):
        read(tmp_path, "x.tif", tiff(values * 257, 16, 2, separate=True))


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("n", [1, 3])
def test_opacity_of_tiff(tmp_path, kind, n):
    """Colours are multiplied by it already (kind 1), or not (kind 2)."""
    values = RNG.integers(0, 256, (4, 8, n + 1))
    values[..., -1] = 255 * (np.arange(8) % 2)
    if kind == 1:
        values[:, ::2] = 0
    expected = np.where(values[..., -1:] > 0, values[..., :-1], 255)
    found = read(tmp_path, "x.tif", tiff(values, 8, 2 if n == 3 else 1, t338=(kind,)))
    assert torch.equal(found, shown(expected, 255))


@pytest.mark.parametrize("photometric", [None, 4, 8, 9, 10, 32_803, 34_892])
def test_other_colours_of_tiff_are_refused(tmp_path, photometric):
    values = RNG.integers(0, 256, (4, 8, 3))
    data = tiff(values if photometric in (8, 9, 10, 34_892) else values[..., 0], 8, 1,
                t262=None if photometric is None else (photometric,))  # fmt: skip
    with pytest.raises(DatasetDamaged, match=rf"x\.tif is a TIFF .* interpretation {photometric}"):
        read(tmp_path, "x.tif", data)


def test_uncompressed_ycbcr_is_refused(tmp_path):
    with pytest.raises(DatasetDamaged, match="interpretation 6"):
        read(tmp_path, "x.tif", tiff(RNG.integers(0, 256, (4, 8, 3)), 8, 6))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_a_palette_of_greys_has_one_channel_in_tiff(tmp_path, bits):
    values, n = grey(bits), 2**bits
    greys = RNG.permutation(n) * 257 * 255 // (n - 1)
    found = read(tmp_path, "x.tif", tiff(values, bits, 3, t320=tuple(int(g) for g in greys) * 3))
    assert torch.equal(found, shown(greys[values] // 256, 255))


def test_pages_are_refused_and_animations_give_their_first(tmp_path):
    with pytest.raises(DatasetDamaged, match=r"x\.tif is a TIFF of several pages"):
        read(tmp_path, "x.tif", tiff(grey(8), pages=3))
    frames = [Image.new("RGB", (8, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a/x.tif", "PNG", save_all=True, append_images=frames[1:])
    assert load_images(tmp_path).images[0, :, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_of_jpeg(tmp_path, adobe):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=100)
    data = (tmp_path / "x.jpg").read_bytes()
    marker = data.index(b"\xff\xee")
    if adobe:
        found = read(tmp_path, "x.jpg", data)
        assert (found[:, 0, 0] - torch.tensor([255, 0, 0])).abs().max() <= 3
        return
    length = 2 + int.from_bytes(data[marker + 2 : marker + 4], "big")
    with pytest.raises(DatasetDamaged, match="leaves open whether it is inverted"):
        read(tmp_path, "x.jpg", data[:marker] + data[marker + length :])


@pytest.mark.parametrize("bits", [0, 8])
def test_bits_of_opacity_of_targa(tmp_path, bits):
    """Of 32 bits without them the fourth byte means nothing."""
    pixels = RNG.integers(0, 256, (4, 8, 4))
    pixels[..., 3] = 0
    head = struct.pack("<3B2HB4H2B", 0, 0, 2, 0, 0, 0, 0, 0, 8, 4, 32, 32 | bits)
    found = read(tmp_path, "x.tga", head + packed(pixels, 8))
    assert torch.equal(
        found, shown(pixels[..., 2::-1] if bits == 0 else pixels[..., :3] * 0 + 255, 255)
    )


@pytest.mark.parametrize("n", [1, 3])
def test_bmp_of_a_palette(tmp_path, n):
    greys = RNG.permutation(256)
    palette = np.stack([greys, greys, greys if n == 1 else greys[::-1], greys * 0], 1)
    values = grey(8)
    head = struct.pack("<2sI2HI", b"BM", 54 + 1024 + 32, 0, 0, 54 + 1024)
    head += struct.pack("<I2i2H6I", 40, 8, 4, 1, 8, 0, 32, 0, 0, 256, 0)
    found = read(tmp_path, "x.bmp", head + packed(palette, 8) + packed(values[::-1], 8))
    assert torch.equal(found, shown(palette[values][..., 2::-1][..., :n], 255))


@pytest.mark.parametrize("kind", ["ICO", "PCX", "SGI", "PSD"])
def test_other_formats_under_a_known_ending_are_named(tmp_path, kind):
    if kind == "PSD":
        data = struct.pack(">4sH6xHIIHH3IH", b"8BPS", 1, 3, 4, 8, 8, 3, 0, 0, 0, 0) + bytes(96)
    else:
        Image.new("RGB", (16, 16)).save(tmp_path / "x", kind)
        data = (tmp_path / "x").read_bytes()
    with pytest.raises(DatasetDamaged, match=rf"x\.png is a file of the format {kind}"):
        read(tmp_path, "x.png", data)


@pytest.mark.parametrize("depths", [(4,), (8,) * 5, (8,) * 4, (12,) * 3, (135,), (8, 8, 16)])
def test_what_pillow_gives_wrongly_of_jpeg_2000_is_refused(tmp_path, depths):
    """Bands of 4 bits end at 240, white of 12 bits and colour is black, a fourth is no opacity."""
    size = struct.pack(">HIIIIIIIIH", 0, 8, 4, 0, 0, 8, 4, 0, 0, len(depths))
    size += b"".join(bytes([depth - 1, 1, 1]) for depth in depths)
    data = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size
    with pytest.raises(DatasetDamaged, match=r"x\.jp2 (is a JPEG 2000|holds \d bands)"):
        read(tmp_path, "x.jp2", data)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("opacity", [False, True])
def test_jpeg_2000(tmp_path, bits, opacity):
    values = grey(bits)
    picture = Image.fromarray(values.astype(f"u{bits // 8}"))
    if bits == 8 and opacity:
        picture = Image.merge("LA", [picture, Image.new("L", picture.size, 255)])
    picture.save(tmp_path / "x.jp2", num_resolutions=1)
    found = read(tmp_path, "x.jp2", (tmp_path / "x.jp2").read_bytes())
    assert torch.equal(found, shown(values, 2**bits - 1))


# --- Orientation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["tif", "png", "jpg", "webp", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [None, (8, 4)])
def test_every_format_is_turned_upright(tmp_path, ending, orientation, size):
    """Quarters of four colours, by the table of the Exif standard."""
    corners = torch.tensor([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]])
    stored = corners.repeat_interleave(16, 0).repeat_interleave(24, 1).to(torch.uint8)
    upright = {
        1: lambda x: x, 2: lambda x: x.flip(1), 3: lambda x: x.flip(0, 1), 4: lambda x: x.flip(0),
        5: lambda x: x.transpose(0, 1), 6: lambda x: x.transpose(0, 1).flip(1),
        7: lambda x: x.transpose(0, 1).flip(0, 1), 8: lambda x: x.transpose(0, 1).flip(0),
    }[orientation](stored)  # fmt: skip
    if ending == "tif":
        save(tmp_path, "x.tif", tiff(stored.numpy(), 8, 2, t274=(orientation,)))
    else:
        (tmp_path / "a").mkdir()
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(stored.numpy()).save(tmp_path / f"a/x.{ending}", exif=exif, quality=95)
    found = load_images(tmp_path, size=size and tuple(upright.shape[:2])).images[0]
    assert found.shape[1:] == upright.shape[:2]
    quarter = found[:, [8, -8]][:, :, [8, -8]].permute(1, 2, 0).int()
    assert (quarter - upright[[8, -8]][:, [8, -8]].int()).abs().max() < 40
