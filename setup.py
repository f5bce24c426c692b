"""The packages and the description of the distribution; everything else is in setup.cfg.

The experiments and checkpoints lie beside the package, where people read them. A wheel has them in it.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

# A link or an image of the README that leads to a file of the repository, which a page elsewhere does not have.
IMAGE = re.compile(r"^!\[[^]]*\]\((?!\w+:)[^)]*\)\n+", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[([^]]*)\]\((?!\w+:)[^)]*\)")


def description(readme: str) -> str:
    """Return the README as a page that needs no other file: without its images, and with text in place of such links."""
    return LINK.sub(r"\1", IMAGE.sub("", readme))


if __name__ == "__main__":
    setup(
        packages=[
            *find_packages(include=["kerasexp", "kerasexp.*"]),
            "kerasexp.shipped.experiments",
            "kerasexp.shipped.checkpoints",
        ],
        package_dir={
            "kerasexp.shipped.experiments": "experiments",
            "kerasexp.shipped.checkpoints": "checkpoints",
        },
        package_data={
            "kerasexp.report": ["templates/*.html", "templates/*.css", "templates/*.js", "templates/*.LICENSE"],
            "kerasexp.shipped.experiments": ["schema.json", "**/*.yaml", "**/*.py"],
            "kerasexp.shipped.checkpoints": ["*/*.keras", "*/*.json", "*/*.md"],
        },
        include_package_data=False,
        long_description=description(Path(__file__).with_name("README.md").read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
    )
