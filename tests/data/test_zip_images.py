"""Images in archives as different programs write them: separators, encodings of names, blank pages."""

import struct
import unicodedata
import zipfile
from pathlib import Path

import pytest
from folder_trees import images, load, write_zip
from PIL import Image

from kerasexp.data.image_archive import open_files
from kerasexp.errors import UserError

SPLITS = images("train/cat", "train/dog", each=6) | images("test/cat", "test/dog", seed=1)


@pytest.mark.parametrize("system", [0, 3])
def test_an_archive_with_backslashes_is_read(tmp_path, system):
    with zipfile.ZipFile("x.zip", "w") as archive:
        for path, data in (SPLITS | {"train/.DS_Store": b"", "train/bird/": b""}).items():
            member = zipfile.ZipInfo(path.replace("/", "\\"))
            member.create_system = system
            archive.writestr(member, data)
    source = load(Path("x.zip"))
    assert {split: len(of) for split, of in source.splits.items()} == {"train": 12, "test": 8}
    assert source.splits["train"].read(0).shape == (6, 6, 1)
    assert list(source.accounting.lines()) == [
        "1 class folder without an image: train/bird",
        "not used: 1 file hidden or of macOS",
    ]


def test_a_backslash_in_a_name_that_linux_wrote_is_a_character(tmp_path):
    source = load(write_zip(tmp_path / "x.zip", images("a\\b", "c")))
    assert source.class_names == ["a\\b", "c"]


def test_one_path_written_with_both_separators_is_refused(tmp_path):
    with zipfile.ZipFile("x.zip", "w") as archive:
        for name in ("a/1.png", "a\\1.png"):
            member = zipfile.ZipInfo(name)
            member.create_system = 0
            archive.writestr(member, b"")
    with pytest.raises(UserError, match="appears twice; unsafe archives are refused"):
        open_files(Path("x.zip"))


def test_names_in_utf_8_without_the_flag_are_read_as_macos_writes_them(tmp_path):
    content = images(unicodedata.normalize("NFD", "café"), "thé")
    file = write_zip(tmp_path / "x.zip", content)
    data = bytearray(file.read_bytes())
    for header, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(header, at + 1)) >= 0:
            struct.pack_into("<H", data, at + offset, 0)
    file.write_bytes(data)
    source = load(file)
    assert source.class_names == ["café", "thé"] and source.splits["train"].read(7).shape == (6, 6, 1)


@pytest.mark.parametrize("kind", ["BMP", "PNG"])
def test_blank_uncompressed_pages_in_an_archive_are_read(tmp_path, kind):
    """A page of A4 at 300 dpi is 26 MB and compresses 1,000:1; forty of them are more than 1 GiB."""
    page = tmp_path / f"page.{kind.lower()}"
    Image.new("RGB", (2480, 3508), "white").save(page, kind, **({"compress_level": 0} if kind == "PNG" else {}))
    with zipfile.ZipFile("x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(page, f"a/0{page.suffix}")
        packed = archive.infolist()[0]
        assert packed.file_size > 500 * packed.compress_size
    with zipfile.ZipFile("x.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(1, 42 if kind == "BMP" else 3):
            archive.write(page, f"{'ab'[number % 2]}/{number}{page.suffix}")
    source = load(Path("x.zip"))
    assert source.splits["train"].read(0).shape[:2] == (3508, 2480)


@pytest.mark.parametrize(
    "start",
    [
        b"BM" + bytes(4) + bytes(4) + struct.pack("<IIiiHHI", 54, 40, 100, 100, 1, 24, 0),
        b"BM" + bytes(8) + struct.pack("<IIiiHHI", 2**31, 40, 8000, 8000, 1, 24, 0),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 100, 100, 8, 2, 0, 0, 0),
        b"\xff\xd8\xff\xe0",
        b"RIFF\0\0\0\0WEBP",
    ],
    ids=["a small BMP", "a BMP whose pixels start late", "a small PNG", "JPEG", "WebP"],
)
def test_a_bomb_that_begins_like_an_image_is_refused(tmp_path, start):
    file = write_zip(tmp_path / "x.zip", {"a/1.bmp": start + bytes(2**25)})
    with pytest.raises(UserError, match="as a zip bomb does; unsafe archives are refused"):
        open_files(file)
