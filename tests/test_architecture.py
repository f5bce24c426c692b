"""The package's structure: which way imports go, what file names say, and how long files and functions are."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "kerasexp"
# Low to high: a package imports from its own level and below. Packages of one level do not import each other.
LEVELS = [
    {"errors", "console", "storage", "backend", "environment"},
    {"config"},
    {"custom"},
    {"models", "losses", "plots", "data", "report", "web"},
    {"saving"},
    {"training"},
    {"evaluation"},
    {"diagnosis"},
    {"runs"},
    {"comparison", "export", "serving"},
    {"executors"},
    {"studies"},
    {"search"},
    {"api"},
    {"browser"},
    {"tracking"},
    {"commands"},
    {"cli"},
    {"__main__"},
    {"__init__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
# Files of one role in parallel packages may share a name; those of commands are named after the commands.
ROLES = {"__init__", "check", "directory", "page", "page_plots", "results", "run", "table"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and imported package, also of imports inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "kerasexp":
            parts = node.module.split(".")
            yield from ((node.lineno, name) for name in (parts[1:2] or [alias.name for alias in node.names]))


def package_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_imports_go_one_way():
    climbing = [
        f"{file.relative_to(PACKAGE)}:{line} imports {name}"
        for file in FILES
        for own in [package_of(file)]
        for line, name in imports(file)
        if name in LEVEL and name != own and (LEVEL[name] > LEVEL[own] or LEVEL[name] == LEVEL[own] > 0)
    ]
    assert climbing == []


def test_every_imported_module_exists():
    """An import inside a function is not run by the import of its module."""
    nodes = ((file, node) for file in FILES for node in ast.walk(ast.parse(file.read_text())))
    missing = [
        f"{file.relative_to(PACKAGE)}:{node.lineno} imports {node.module}"
        for file, node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE.name
        for path in [PACKAGE.parent.joinpath(*node.module.split("."))]
        if not path.with_suffix(".py").is_file() and not (path / "__init__.py").is_file()
    ]
    assert missing == []


def test_every_package_has_a_level():
    assert {package_of(file) for file in FILES} <= LEVEL.keys()
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_no_two_modules_share_a_name():
    names = Counter(file.stem for file in FILES if package_of(file) != "commands")
    assert {name for name, count in names.items() if count > 1} <= ROLES


def test_files_and_functions_are_short():
    long = [f"{file.name}: {count} lines" for file in FILES if (count := len(file.read_text().splitlines())) > 320]
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                lines, taken = node.end_lineno - node.lineno + 1, len(node.args.args) + len(node.args.kwonlyargs)
                # The parameters of a command are its options.
                if lines > 60 or taken > (10 if package_of(file) == "commands" else 8):
                    long.append(f"{file.name}: {node.name} has {lines} lines and {taken} parameters")
    assert long == []
