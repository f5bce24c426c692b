"""Bodies that nobody sends in good faith: cut files, bombs, other types, broken forms and broken JSON."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

# The status of a refusal.
REFUSED = {408, 413, 415, 422}
Body = tuple[bytes, str]


def image_file(format: str = "png", side: int = 64, **options: object) -> bytes:
    """Return an image file of a dark cross on white paper."""
    pixels = np.full((side, side), 255, np.uint8)
    pixels[side // 2 - 3 : side // 2 + 3, side // 8 : -side // 8] = 20
    pixels[side // 8 : -side // 8, side // 2 - 3 : side // 2 + 3] = 20
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


def png_bomb(width: int, height: int, bits: int = 8) -> bytes:
    """Return a valid PNG file of few bytes and very many pixels, all of them black."""
    row = bytes(1 + (width * bits + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    parts = (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")
    chunks = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def form(*files: tuple[str, bytes], end: bytes = b"--x--\r\n") -> Body:
    """Return a form with files."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + end, "multipart/form-data; boundary=x"


def as_json(*contents: bytes) -> Body:
    """Return files in JSON."""
    images = [{"file": f"{k}.png", "content": base64.b64encode(c).decode()} for k, c in enumerate(contents)]
    return json.dumps({"images": images}).encode(), "application/json"


def hostile_bodies(count: int, seed: int = 0) -> Iterator[Body]:
    """Yield bodies with their content types, of every kind in turn; the seed decides where files are cut and changed."""
    generator = np.random.default_rng(seed)
    files = {kind: image_file(kind) for kind in ("png", "jpeg", "bmp", "webp")}
    bombs = [png_bomb(20_000, 20_000, 1), png_bomb(9000, 9000), header_only(60_000, 60_000), header_only(2**31 - 1, 1)]
    whole = list(_whole_bodies(files, bombs))
    for number in range(count):
        if number % 2:
            yield whole[number // 2 % len(whole)]
            continue
        kind = list(files)[number // 2 % len(files)]
        cut = files[kind][: generator.integers(1, len(files[kind]) * 9 // 10)]
        yield [(cut, f"image/{kind}"), form((f"a.{kind}", cut)), as_json(cut)][number // 2 % 3]


def header_only(width: int, height: int) -> bytes:
    """Return a PNG file that announces a size and has no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def _whole_bodies(files: dict[str, bytes], bombs: list[bytes]) -> Iterator[Body]:
    good, json_kind = files["png"], "application/json"
    for bomb in bombs:
        yield bomb, "image/png"
        yield form(("a.png", good), ("b.png", bomb))
        yield as_json(bomb)
    for text in ("", "{", "[]", "null", "1", '{"images": []}', '{"images": 3}', '{"images": [3]}', '{"images": ["%"]}'):
        yield text.encode(), json_kind
    yield b'{"images": ["' + base64.b64encode(good)[:-7] + b'"', json_kind
    yield b"[" * 200_000, json_kind
    yield b'{"images": [' + b"1," * 200_000 + b"1]}", json_kind
    yield b'{"images": [' + b"9" * 100_000 + b"]}", json_kind
    yield b'{"images": ["\xff\xfe"]}', json_kind
    yield json.dumps({"images": ["data:image/png;base64,"]}).encode(), json_kind
    yield json.dumps({"images": [{"file": "a" * 5000, "content": ""}]}).encode(), json_kind
    yield as_json(*[good] * 65)
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/pdf",
        "text/html",
        "",
        "image",
        "\xff",
    ):
        yield good, kind
    yield good, "multipart/form-data"
    yield good, "multipart/form-data; boundary=x"
    yield form(("a.png", good), end=b"")
    yield form(("a.png", good), end=b"--x")
    yield form(*[("a.png", b"")] * 65)
    yield form(*[("a.png", b"")] * 20_000)
    yield b'--x\r\nContent-Disposition: form-data; name="top"\r\n\r\n3\r\n--x--\r\n', "multipart/form-data; boundary=x"
    yield b"--x\r\n" + b"A: b\r\n" * 50_000 + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
    yield b"--x--\r\n", "multipart/form-data; boundary=x"
    for content in (
        b"",
        b"\0" * 1000,
        b"GIF89a" + bytes(100),
        b"%PDF-1.7",
        b"PK\3\4" + bytes(100),
        b"<svg/>",
        b"\xff\xd8\xff",
    ):
        yield content, "application/octet-stream"
    yield bytes(33 * 2**20), "image/png"
