"""The example of docs/python.md and the tutorial notebook are executed."""

import ast
import json
import os
import re

import nbformat
import pytest
from doc_pages import ROOT, blocks
from nbclient import NotebookClient

import kerasexp

PAGE, NOTEBOOK = ROOT / "docs" / "python.md", ROOT / "docs" / "tutorial.ipynb"


def test_the_notebook_is_stored_without_outputs():
    """So that its changes can be read, and no output is older than the code."""
    notebook = json.loads(NOTEBOOK.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    assert NOTEBOOK.stat().st_size < 20_000


def test_links_of_the_notebook_lead_to_pages():
    links = re.findall(r"\]\(([^)\s]+)\)", NOTEBOOK.read_text())
    assert links and [link for link in links if not (NOTEBOOK.parent / link).exists()] == []


def test_the_page_names_what_there_is():
    text = PAGE.read_text()
    for name in kerasexp.__all__:
        assert re.search(rf"`{name}\b", text) or name in ("ImagePredictions",), name
    for name in re.findall(r"`run\.(\w+)", text):
        assert hasattr(kerasexp.Run, name) or name in kerasexp.Run.__annotations__, name
    for block in blocks(PAGE, "python"):
        ast.parse(block)


@pytest.mark.slow
def test_the_example_of_the_page_runs(capsys):
    space: dict = {}
    for block in blocks(PAGE, "python"):
        exec(block, space)
    assert "digits_mlp against digits: " in capsys.readouterr().out


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {output.output_type for output in outputs}
    assert kinds == {"display_data", "execute_result", "stream"}
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    # An experiment, a run, a comparison and a study.
    assert len(pages) == 4 and "framing: center" in pages[0]
    assert "95 % interval of test" in pages[1] and pages[1].count("data:image/png") == 2
    assert "McNemar p" in pages[2] and "dropout against plain: " in pages[3]
    progress = [output.data["text/plain"] for output in outputs if output.output_type == "display_data"]
    # Bars have gone when a cell ends.
    assert len(progress) == 2 and "epoch 8/8" in progress[0] and "6/6" in progress[1]
    texts = "".join(progress) + "".join(output.get("text", "") for output in outputs)
    assert "\x1b" not in texts and "█" not in texts and "did you mean 'epochs'?" in texts
    assert (tmp_path / "runs" / "digits_cnn" / "1" / "report.html").is_file()
