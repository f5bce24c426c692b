"""Pages of `ui` and `serve` in a real browser: opened, checked, waited for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromium import start_chromium

# The contrast of each text with the background that it is on (WCAG 2): texts that have less than 4.5, large ones less than 3.
LOW_CONTRAST = """
const linear = (v) => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
const luminance = (color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (node) => {
  for (; node; node = node.parentElement) {
    const color = getComputedStyle(node).backgroundColor;
    if (!/, 0\\)$/.test(color)) return color;
  }
  return "rgb(255, 255, 255)";
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), low = [];
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !node.offsetParent || node.closest(":disabled, script")) continue;
  const [a, b] = [luminance(getComputedStyle(node).color), luminance(background(node))].sort((x, y) => y - x);
  const least = parseFloat(getComputedStyle(node).fontSize) >= 24 ? 3 : 4.5;
  if ((a + 0.05) / (b + 0.05) < least) low.push(walker.currentNode.textContent.trim());
}
return low;
"""


@contextmanager
def opened_pages(folder: Path, port: int, home: Path, where: Path | None = None) -> Iterator[tuple[Any, str]]:
    """Yield a browser and the address of `ui`, which serves a folder of runs.

    Args:
        folder: of the runs.
        port: that no other test uses.
        home: where the browser keeps its profile.
        where: the working folder of the server.
    """
    command = [sys.executable, "-m", "kerasexp", "ui", str(folder), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=where)
    try:
        site = f"http://127.0.0.1:{port}"
        driver = start_chromium(home)
        try:
            assert server.stdout.readline().startswith(site)
            yield driver, site
        finally:
            driver.quit()
    finally:
        server.terminate()
        server.wait()


def visit(browser: Any, site: str, path: str, width: int = 1280, dark: bool = False) -> None:
    """Open a page, and assert that it is sound."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(site + path)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in requests if not url.startswith(("data:", site))] == []
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.execute_script(LOW_CONTRAST) == []


def wait_until(browser: Any, condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until a condition holds: a key or a click returns before the page that it leads to is there."""
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
    from selenium.webdriver.support.ui import WebDriverWait

    missing = (NoSuchElementException, StaleElementReferenceException)
    WebDriverWait(browser, seconds, poll_frequency=0.1, ignored_exceptions=missing).until(lambda _: condition())
