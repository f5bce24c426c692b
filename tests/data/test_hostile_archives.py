"""Malicious archives: each is refused with the name of archive and member, at once and in little memory."""

import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from bounds import at_once_and_in_little_memory
from test_archive import make_zip

from kerasexp.data.image_archive import open_files
from kerasexp.data.source import BrokenImage
from kerasexp.errors import UserError

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def forged(path: Path, *members: dict, before: bytes = b"", **end) -> Path:
    """Write an archive with a forged directory.

    Args:
        path: where to.
        members: `name` and `content` as they are stored, and what the directory says of them: `method`, `flags`, `packed`,
            `unpacked`, `crc`, `offset`, `mode`; what is true where it is left out.
        before: bytes before the first member, which the directory takes into account.
        end: `size` and `offset` of the directory, as its end says.
    """
    data, directory = bytearray(before), b""
    for member in members:
        name, content = member["name"].encode(), member.get("content", b"")
        offset, method, flags = member.get("offset", len(data)), member.get("method", STORED), member.get("flags", 0)
        sizes = member.get("packed", len(content)), member.get("unpacked", len(content))
        common = struct.pack("<HHHLLLL", 20, flags, method, 0, member.get("crc", zlib.crc32(content)), *sizes)
        data += b"PK\3\4" + common + struct.pack("<HH", len(name), 0) + name + content
        mode = member.get("mode", 0) << 16
        directory += b"PK\1\2" + struct.pack("<H", 0x0314) + common
        directory += struct.pack("<HHHHHLL", len(name), 0, 0, 0, 0, mode, offset) + name
    size, offset = end.get("size", len(directory)), end.get("offset", len(data))
    count = min(len(members), 65535)
    path.write_bytes(data + directory + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, count, count, size, offset, 0))
    return path


def image(name: str = "a/2.png", **member) -> dict:
    return {"name": name, "content": b"two", **member}


def deflated(size: int, **member) -> dict:
    packer = zlib.compressobj(9, wbits=-15)
    return image(content=packer.compress(bytes(size)) + packer.flush(), method=DEFLATED, unpacked=size, **member)


HONEST = {"name": "a/1.png", "content": b"one"}
REFUSED = {
    "a folder above": ([HONEST, image("../evil.png")], "'../evil.png' points outside the archive"),
    "a folder above, later": ([HONEST, image("a/../../e.png")], "'a/../../e.png' points outside the archive"),
    "from the root": ([HONEST, image("/etc/evil.png")], "'/etc/evil.png' points outside the archive"),
    "a folder above on Windows": ([HONEST, image("..\\e.png")], r"'..\\e.png' points outside the archive"),
    "from the root on Windows": ([HONEST, image("\\e.png")], r"'\\e.png' points outside the archive"),
    "a drive": ([HONEST, image("C:\\e.png")], r"'C:\\e.png' points outside the archive"),
    "a drive's folder": ([HONEST, image("c:e.png")], "'c:e.png' points outside the archive"),
    "a link": ([HONEST, image(content=b"/etc/passwd", mode=stat.S_IFLNK | 0o777)], "'a/2.png' is a link"),
    "a name twice": ([HONEST, HONEST], "'a/1.png' appears twice"),
    "a name twice, up to a zero byte": ([HONEST, image("a/1.png\0.txt")], "'a/1.png' appears twice"),
    "a name that a terminal obeys": ([HONEST, image("a/\x1b[2J.png")], r"'a/\x1b[2J.png' has control characters"),
    "an encrypted member": ([HONEST, image(flags=1)], "'a/2.png' is encrypted"),
    "a method that unpacks in one go": ([HONEST, image(method=12)], "'a/2.png' is compressed by method 12"),
    "a bomb": ([HONEST, deflated(2**25)], "to 33,554,432 bytes, as a zip bomb does"),
    "a member larger than any image": (
        [HONEST, image(content=bytes(2**21), method=DEFLATED, unpacked=2**28 + 1)],
        "'a/2.png' unpacks from 2,097,152 to 268,435,457 bytes",
    ),
    "a member declared huge": ([HONEST, image(unpacked=4 * 10**9)], "to 4,000,000,000 bytes"),
    "many members declared large": (
        [image(f"a/{n}.png", unpacked=2**24) for n in range(100)],
        "to 1,677,721,600 bytes, as a zip bomb does",
    ),
    "members in one place": (
        [deflated(2**23, name="a/1.png"), *(deflated(2**23, name=f"a/{n}.png", offset=0) for n in range(2, 9))],
        "'a/2.png' overlaps 'a/1.png'",
    ),
    "a member across the next": ([{**HONEST, "packed": 40}, image()], "'a/2.png' overlaps 'a/1.png'"),
    "a member beyond the end": ([HONEST, image(packed=10**6)], "'a/2.png' reaches into the directory"),
}


ENDINGS = {"'a/2.png' is encrypted": "; unpack it with its password and give the folder, or make it again without one"}


@pytest.mark.parametrize(("members", "message"), REFUSED.values(), ids=REFUSED)
def test_an_archive_is_refused_by_its_name_and_its_member(tmp_path, members, message):
    path = forged(tmp_path / "x.zip", *members)
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(f"{path}: ")) as refusal:
        open_files(path)
    assert message in str(refusal.value) and str(refusal.value).endswith(
        ENDINGS.get(message, "; unsafe archives are refused")
    )


def test_the_base_of_these_archives_is_valid(tmp_path):
    members = HONEST, image("b/2.png"), deflated(1000, name="b/3.png", crc=zlib.crc32(bytes(1000)))
    files = open_files(forged(tmp_path / "x.zip", *members))
    assert [files.read(path) for path in files.paths] == [b"one", b"two", bytes(1000)]


@pytest.mark.parametrize(
    ("before", "end", "message"),
    [
        (b"#!/bin/sh\n", {}, "has data before its first member, 'a/1.png', which is at byte 10"),
        (b"", {"size": 10**9}, "is not a readable zip archive: Bad offset for central directory"),
        (b"", {"size": 10}, "is not a readable zip archive"),
        (b"", {"offset": 10**9}, "has data before its first member, 'a/1.png', which is at byte -999,999,960"),
    ],
)
def test_wrong_offsets_are_refused(tmp_path, before, end, message):
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=re.escape(message)):
        open_files(forged(tmp_path / "x.zip", HONEST, before=before, **end))


def test_millions_of_members_are_refused_before_listing(tmp_path):
    """zipfile alone takes 4 s and 280 MB for each million."""
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 65535, 65535, len(entry) * 2_000_000, 0, 0)
    path = tmp_path / "x.zip"
    path.write_bytes(entry * 2_000_000 + end)
    with at_once_and_in_little_memory(), pytest.raises(UserError, match=r"its directory has 94,000,000 bytes"):
        open_files(path)


def test_a_member_is_unpacked_up_to_its_declared_size_only(tmp_path):
    """zipfile alone unpacks all of it, and then keeps the first thousand bytes."""
    bomb = deflated(3 * 10**8, name="a/2.png") | {"unpacked": 1000}
    files = open_files(forged(tmp_path / "x.zip", HONEST, bomb))
    with at_once_and_in_little_memory(), pytest.raises(BrokenImage, match="cannot be unpacked: Bad CRC-32"):
        files.read("a/2.png")
    assert files.read("a/1.png") == b"one"


@pytest.mark.parametrize("name", ["a folder above", "a bomb", "members in one place", "an encrypted member"])
def test_the_commands_report_it_in_one_message(cli, tmp_path, name):
    members, message = REFUSED[name]
    path = forged(tmp_path / "x.zip", *members)
    for command in (["new", path], ["predict", "nothing", path]):
        answer = cli(*command)
        assert answer.code == 2 and f"{path}: " in answer.err and message in answer.err
    assert [p.name for p in tmp_path.iterdir()] == ["x.zip"]


def test_an_archive_in_an_archive_is_no_image(cli, tmp_path):
    inner = make_zip(tmp_path / "inner.zip", {"a/1.png": b"1"}).read_bytes()
    answer = cli("new", make_zip(tmp_path / "x.zip", {"inner.zip": inner}))
    assert answer.code == 2 and "has no image" in answer.err
