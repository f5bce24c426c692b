"""The pages of the documentation, and what is written in their fenced blocks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """Return the text of every fenced block of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def shell_lines(page: Path) -> list[str]:
    """Return the lines of every `sh` block, continued lines joined; a `console` block is for reading only."""
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def commands(page: Path) -> list[list[str]]:
    """Return the arguments of every `python -m kerasexp` in the page's shell blocks, but for the installation's."""
    found = [shlex.split(line, comments=True) for line in shell_lines(page)]
    return [words[3:] for words in found if words[:3] == ["python", "-m", "kerasexp"]]
