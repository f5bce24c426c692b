"""Files of a folder and of a zip archive: the same content; unsafe archives are refused."""

import os
import warnings
import zipfile
from pathlib import Path

import pytest

from kerasexp.data.image_archive import MAX_MEMBER, open_files
from kerasexp.data.source import BrokenImage
from kerasexp.errors import UserError

CONTENT = {"a/1.png": b"one", "a/10.png": b"ten", "b/2.png": b"", "b/deep/3.txt": b"three", "top.png": b"top"}
HIDDEN = {
    ".DS_Store": b"x",
    "a/.1.png.swp": b"x",
    ".git/config": b"x",
    "__MACOSX/a/1.png": b"x",
    "a/__MACOSX/2": b"x",
    "a/Icon\r": b"",
}


def make_folder(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def make_zip(path: Path, content: dict[str, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a name given twice
        for name, data in content.items() if isinstance(content, dict) else content:
            archive.writestr(name, data)
    return path


def patched(path: Path, header: bytes, offset: int, value: bytes) -> Path:
    """Overwrite bytes of the first header of this kind, as a forger would."""
    data = bytearray(path.read_bytes())
    at = data.find(header) + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


def digest(place: Path) -> str:
    files = open_files(place)
    return files.digest_of(files.paths)


CENTRAL = b"PK\x01\x02"


@pytest.fixture(params=["folder", "zip"])
def make(request, tmp_path):
    """Makes a folder, and then an archive, of the same content."""
    if request.param == "folder":
        return lambda content: make_folder(tmp_path / "files", content)
    return lambda content: make_zip(tmp_path / "files.zip", content)


def test_a_folder_and_a_zip_archive_list_and_read_the_same(make):
    files = open_files(make(CONTENT))
    assert files.paths == sorted(CONTENT)
    assert {path: files.read(path) for path in files.paths} == CONTENT


def test_hidden_files_and_those_of_macos_are_not_listed(make):
    assert open_files(make({**CONTENT, **HIDDEN})).paths == sorted(CONTENT)


def test_a_hidden_folder_can_be_opened_by_name(tmp_path):
    assert open_files(make_folder(tmp_path / ".hidden", CONTENT)).paths == sorted(CONTENT)


def test_folder_entries_of_an_archive_are_not_files(tmp_path):
    assert open_files(make_zip(tmp_path / "x.zip", [("a/", b""), ("a/1.png", b"1")])).paths == ["a/1.png"]


def test_the_digest_covers_names_and_content(tmp_path):
    digests = [
        digest(make_folder(tmp_path / str(number), content))
        for number, content in enumerate(
            [CONTENT, dict(reversed(CONTENT.items())), {**CONTENT, "b/2.png": b"!"}, {**CONTENT, "b/4.png": b""}]
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_digest_of_an_archive_covers_its_content(tmp_path):
    one, other = make_zip(tmp_path / "1.zip", CONTENT), make_zip(tmp_path / "2.zip", {**CONTENT, "b/2.png": b"!"})
    copy = tmp_path / "copy.zip"
    copy.write_bytes(one.read_bytes())
    assert digest(one) == digest(copy) != digest(other)


def test_links_are_followed_and_dangling_links_reported_when_read(tmp_path):
    folder = make_folder(tmp_path / "files", {"a/1.png": b"one"})
    (folder / "a" / "2.png").symlink_to("1.png")
    (folder / "a" / "3.png").symlink_to("nowhere.png")
    (folder / "b").symlink_to(make_folder(tmp_path / "elsewhere", {"4.png": b"four"}))
    files = open_files(folder)
    assert files.paths == ["a/1.png", "a/2.png", "a/3.png", "b/4.png"]
    assert [files.read(name) for name in ("a/2.png", "b/4.png")] == [b"one", b"four"]
    with pytest.raises(BrokenImage, match="No such file"):
        files.read("a/3.png")
    assert len(files.digest_of(files.paths)) == 64


def test_circular_links_end(tmp_path):
    folder = make_folder(tmp_path / "files", {"a/1.png": b"one"})
    (folder / "a" / "above").symlink_to("..")
    (folder / "a" / "itself").symlink_to("itself")
    assert open_files(folder).paths == ["a/1.png", "a/itself"]


def test_a_folder_without_permission_is_reported(tmp_path, monkeypatch):
    folder, may = make_folder(tmp_path / "files", {"a/1.png": b"one"}), os.listdir

    def may_not(path):
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return may(path)

    monkeypatch.setattr(os, "listdir", may_not)
    with pytest.raises(UserError, match="files/a.*: the folder cannot be listed: Permission denied"):
        open_files(folder)


def test_names_that_are_not_unicode_are_read(tmp_path):
    folder = os.fsencode(tmp_path / "files")
    os.mkdir(folder)
    with open(folder + b"/\xff.png", "wb") as file:
        file.write(b"one")
    files = open_files(tmp_path / "files")
    assert files.read(files.paths[0]) == b"one"
    assert len(files.digest_of(files.paths)) == 64


def test_a_file_that_vanished_is_a_broken_image(tmp_path):
    files = open_files(make_folder(tmp_path / "files", CONTENT))
    (tmp_path / "files" / "a" / "1.png").unlink()
    with pytest.raises(BrokenImage, match="changed or removed"):
        files.read("a/1.png")
    assert len(files.digest_of(files.paths)) == 64


def test_a_member_that_unpacks_to_more_than_it_declares_is_a_broken_image(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a/1.png": bytes(100_000)})
    files = open_files(patched(path, CENTRAL, 24, (1000).to_bytes(4, "little")))
    with pytest.raises(BrokenImage, match="cannot be unpacked"):
        files.read("a/1.png")


def test_a_damaged_member_is_a_broken_image_and_the_others_are_read(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a/1.png": os.urandom(1000), "b/2.png": b"two"})
    files = open_files(patched(path, b"a/1.png", 100, bytes(50)))
    with pytest.raises(BrokenImage, match="cannot be unpacked"):
        files.read("a/1.png")
    assert files.read("b/2.png") == b"two"


def test_names_that_differ_in_case_or_in_composed_accents_are_different(tmp_path):
    """`A` and `a` are two classes; nothing is unpacked to a disk that could take one for the other."""
    content = {"A/1.png": b"A", "a/1.png": b"a", "\u00e9/1.png": b"composed", "e\u0301/1.png": b"decomposed"}
    files = open_files(make_zip(tmp_path / "x.zip", content))
    assert {path: files.read(path) for path in files.paths} == content


def test_an_archive_in_an_archive_is_not_opened(tmp_path):
    inner = make_zip(tmp_path / "inner.zip", {"a/1.png": b"1"})
    assert open_files(make_zip(tmp_path / "x.zip", {"a/inner.zip": inner.read_bytes()})).paths == ["a/inner.zip"]


def test_a_file_larger_than_any_image_is_a_broken_image(tmp_path):
    path = make_folder(tmp_path / "files", {"a/1.png": b"1"}) / "a" / "2.png"
    with path.open("wb") as file:
        file.truncate(MAX_MEMBER + 1)
    with pytest.raises(BrokenImage, match="is larger than 268,435,456 bytes"):
        open_files(tmp_path / "files").read("a/2.png")


def test_neither_folder_nor_archive_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with pytest.raises(UserError, match="no such file or folder"):
        open_files(path)
    for content in (b"", b"hello", b"PK\x03\x04 and no more"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="neither a folder nor a zip archive"):
            open_files(path)


def test_a_truncated_archive_is_refused(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a/1.png": os.urandom(1000)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="zip archive"):
        open_files(path)
