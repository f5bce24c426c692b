"""The public names: what `import kerasexp` offers, and what it leaves for later."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import kerasexp

HEAVY = ("numpy", "tensorflow", "keras", "pydantic", "yaml", "rich", "typer", "matplotlib", "cv2", "sklearn")
# Not the attributes: one of them may be a package, which tests import.
PUBLIC = {name: kerasexp.__getattr__(name) for name in kerasexp.__all__}
FUNCTIONS = [name for name, value in PUBLIC.items() if inspect.isfunction(value)]


def imported_after(code: str) -> set[str]:
    """Return the modules that a new process has after some code."""
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def test_importing_the_package_imports_nothing_else():
    found = imported_after("import kerasexp; dir(kerasexp); kerasexp.__version__")
    assert [name for name in found if name.startswith("kerasexp.") or name in HEAVY] == []


def test_loading_an_experiment_imports_no_arrays_and_no_tensorflow():
    found = imported_after("import kerasexp; kerasexp.load({'data': 'digits'}, set={'training.epochs': 1})")
    assert found & {"numpy", "tensorflow", "keras", "matplotlib", "cv2"} == set()


def test_all_names_are_there_and_no_others():
    public = {name for name in dir(kerasexp) if not name.startswith("__")}
    assert public == set(kerasexp.__all__)
    for name in kerasexp.__all__:
        assert PUBLIC[name].__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        kerasexp.runn  # noqa: B018


def test_one_public_name_is_that_of_a_subpackage():
    """Importing a subpackage puts it in place of the function; this one can be called."""
    parts = {path.stem for path in Path(kerasexp.__file__).parent.iterdir()}
    assert parts & set(kerasexp.__all__) == {"search"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_documents_its_arguments_and_errors(name):
    function = PUBLIC[name]
    text = function.__doc__
    assert "Raises:" in text and ">>> " in text and "Args:" in text
    for argument in inspect.signature(function).parameters:
        assert f"{argument}:" in text, argument


def test_type_checkers_see_the_names_that_are_imported_later():
    source = Path(kerasexp.__file__).read_text()
    declared = source.partition("if TYPE_CHECKING:")[2].partition("_MODULES")[0]
    for name in kerasexp.__all__:
        assert name in declared


def test_search_can_be_called_before_and_after_its_package_is_imported():
    code = (
        "import kerasexp\n"
        "from unittest.mock import patch\n"
        "import kerasexp.api.launch_from_python as launch\n"
        "for _ in range(2):\n"
        "    with patch.object(launch, 'search', lambda experiment, run_dir: (experiment, run_dir)):\n"
        "        assert kerasexp.search('a.yaml', run_dir='b') == ('a.yaml', 'b')\n"
        "    import kerasexp.search.table\n"
        "    assert kerasexp.search.table.__name__ == 'kerasexp.search.table'\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""
