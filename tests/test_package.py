"""The distribution: what a wheel holds, and that it works alone, from an empty folder with an empty home."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import cv2
import numpy as np
import pytest

from kerasexp import __version__
from kerasexp.environment import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("kerasexp", "experiments", "checkpoints", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
# Links and images that lead to a file of the repository.
RELATIVE = re.compile(r"\]\((?!\w+:)[^)]*\)")


def run(*command: object, **options) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=500, **options)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout


def build(source: Path, folder: Path) -> Path:
    """Build the wheel of a source tree or archive; the setuptools that is installed will do, so that no network is needed."""
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, source]
    run(sys.executable, *command)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what a distribution is built from, with nothing that an earlier build left."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    return build(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder that the wheel is installed into."""
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


@pytest.fixture
def alone(installed, tmp_path, monkeypatch):
    """Return a function that runs the installed command line in an empty folder with an empty home."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(installed)}

    def command(*words: object) -> str:
        return run(sys.executable, "-m", "kerasexp", *words, cwd=here, env=environment)

    origin = run(sys.executable, "-c", "import kerasexp; print(kerasexp.__file__)", cwd=here, env=environment)
    assert Path(origin.strip()).is_relative_to(installed)
    return command


def expected_files() -> set[str]:
    package = {p for kind in ("*.py", "*.html", "*.css", "*.js", "*.LICENSE") for p in (ROOT / "kerasexp").rglob(kind)}
    shipped = {
        *(ROOT / "experiments").rglob("*.yaml"),
        *(ROOT / "experiments").rglob("*.py"),
        ROOT / "experiments" / "schema.json",
    }
    shipped |= {p for p in (ROOT / "checkpoints").rglob("*") if p.is_file()}
    return {p.relative_to(ROOT).as_posix() for p in package} | {
        f"kerasexp/shipped/{p.relative_to(ROOT).as_posix()}" for p in shipped
    }


@pytest.mark.slow
def test_a_wheel_holds_the_package_the_experiments_and_the_checkpoints(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == expected_files()
    assert wheel.stat().st_size < 6e6


@pytest.mark.slow
def test_a_source_distribution_builds_the_same_wheel(source, wheel, tmp_path):
    copy = shutil.copytree(source, tmp_path / "copy")
    build_sdist = "from setuptools import build_meta; print(build_meta.build_sdist('dist'))"
    archive = copy / "dist" / run(sys.executable, "-c", build_sdist, cwd=copy).split()[-1]
    again = build(archive, tmp_path / "again")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())
        for name in one.namelist():
            assert name.endswith("RECORD") or one.read(name) == other.read(name), name


@pytest.mark.slow
def test_metadata_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        about = message_from_bytes(archive.read(f"{folder}/METADATA"))
        commands = archive.read(f"{folder}/entry_points.txt").decode()
    assert (about["Name"], about["Version"]) == ("kerasexp", __version__)
    assert set(EXTRAS) == set(about.get_all("Provides-Extra")) - {"gpu"}
    assert about["Description-Content-Type"] == "text/markdown"
    text = about.get_payload(decode=True).decode()
    assert text.startswith("# kerasexp") and not RELATIVE.search(text)
    assert "kerasexp = kerasexp.cli:main" in commands


@pytest.mark.slow
def test_the_installed_package_works_from_an_empty_folder(alone, tmp_path):
    page = np.full((900, 1200), 255, np.uint8)
    cv2.putText(page, "7", (500, 650), cv2.FONT_HERSHEY_SIMPLEX, 15, 0, 40)
    cv2.imwrite(str(tmp_path / "scan.png"), page)
    assert "part2_pretrained" in alone("list") and "mlp/mlp" in alone("list")
    assert alone("schema").strip() == (ROOT / "experiments" / "schema.json").read_text().strip()
    assert "name: part2_pretrained" in alone("show", "part2_pretrained")
    assert alone("new", "--example", "part3_pretrained").strip() == "part3_pretrained.yaml"
    assert "name: part3_pretrained" in alone("show", "part3_pretrained.yaml")
    (answer,) = json.loads(alone("predict", "part1_scans", tmp_path / "scan.png", "--format", "json"))
    assert answer["class"] == "7"
    assert alone().startswith("kerasexp trains and evaluates image classifiers")
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["part3_pretrained.yaml"]


def test_the_description_is_the_readme_without_what_needs_the_repository():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = runpy.run_path(str(ROOT / "setup.py"))["description"](readme)
    assert RELATIVE.search(readme) and not RELATIVE.search(text)
    assert "| Your own images |" in text and "![" not in text
    headings = re.findall(r"^#.*$", readme, re.MULTILINE)
    assert re.findall(r"^#.*$", text, re.MULTILINE) == headings
