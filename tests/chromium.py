"""A headless Chromium for tests that open pages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

CHROME, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")


def start_chromium(home: Path, *switches: str) -> Any:
    """Start a browser with its own profile in a folder, and with further switches; skip the test if there is none."""
    if not (CHROME and DRIVER):
        pytest.skip("no browser: chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    selenium = pytest.importorskip(
        "selenium.webdriver", reason="selenium is not installed (it comes with kerasexp[test])"
    )
    options = selenium.ChromeOptions()
    options.binary_location = CHROME
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        f"user-data-dir={home}",
        *switches,
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return selenium.Chrome(options, selenium.ChromeService(DRIVER))
