"""The pages fit the code: links lead somewhere, YAML blocks are experiments, the reference is the generated one."""

import re
import runpy
import shutil

import pytest
from doc_pages import PAGES, ROOT, blocks, name_of

from kerasexp.config import load


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            other = page.parent / file if file else page
            assert other.exists(), target
            assert not anchor or anchor in anchors(other.read_text()), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_of_the_project_that_a_page_names_exist(page):
    named = re.findall(r"`((?:kerasexp|tests|docs|experiments|benchmarks|checkpoints)/[\w./-]*)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


# The experiment of docs/extending.md needs its parts; test_extending.py runs it with them.
WITH_EXPERIMENTS = [page for page in PAGES if blocks(page, "yaml") and page.stem != "extending"]


@pytest.mark.parametrize("page", WITH_EXPERIMENTS, ids=name_of)
def test_yaml_blocks_are_experiments(page, tmp_path):
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    for number, text in enumerate(blocks(page, "yaml")):
        file = tmp_path / "experiments" / f"block{number}.yaml"
        file.write_text(text)
        load(file)


@pytest.mark.parametrize(
    ("name", "script", "function"),
    [
        ("experiment-file.md", "experiment_file.py", "experiment_reference"),
        ("backbones.md", "backbones.py", "backbones"),
    ],
)
def test_generated_pages_are_up_to_date(name, script, function):
    page = ROOT / "docs" / name
    generator = runpy.run_path(str(page.with_name(script)))
    assert page.read_text() == generator[function](), f"python docs/{script} > docs/{name}"
