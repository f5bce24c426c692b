"""The pages in a real browser: no requests to outside, no console messages, no broken images, sortable tables."""

import json
import shutil
from pathlib import Path

import pytest
from chromium import start_chromium

pytestmark = [pytest.mark.slow, pytest.mark.plots]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Start a headless Chromium."""
    driver = start_chromium(tmp_path_factory.mktemp("browser"))
    yield driver
    driver.quit()


def open_page(browser, page: Path, width: int, height: int = 900) -> dict:
    """Open a page and return console messages, requests and measurements of the browser."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.resolve().as_uri())
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return {
        "console": browser.get_log("browser"),
        "outside": [url for url in requests if not url.startswith(("data:", "file:"))],
        "files": [url for url in requests if url.startswith("file:")],
        "broken": browser.execute_script(
            "return [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt)"
        ),
        "images": browser.execute_script("return document.images.length"),
        "without_alt": browser.execute_script("return [...document.images].filter(i => !i.alt.trim()).length"),
        "overflow": browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth"),
    }


def assert_sound(browser, page: Path, images: int) -> None:
    for width in (360, 1280):
        seen = open_page(browser, page, width)
        assert seen["console"] == [] and seen["outside"] == [] and seen["broken"] == []
        assert seen["files"] == [page.resolve().as_uri()]
        assert seen["images"] >= images and seen["without_alt"] == 0
        assert seen["overflow"] <= 0, f"wider than the window at {width} px"


def column(browser, heading: str) -> list[str]:
    """Return the cells of the column below a heading that can be sorted by."""
    return browser.execute_script(
        """
        const head = [...document.querySelectorAll("table.sortable th")].find(h => h.textContent.trim() === arguments[0]);
        return [...head.closest("table").tBodies[0].rows].map(row => row.cells[head.cellIndex].textContent.trim());
        """,
        heading,
    )


def click(browser, heading: str) -> str:
    """Click a heading; return the direction that it announces."""
    return browser.execute_script(
        """
        const head = [...document.querySelectorAll("table.sortable th")].find(h => h.textContent.trim() === arguments[0]);
        head.querySelector("button").click();
        return head.getAttribute("aria-sort");
        """,
        heading,
    )


def test_report_and_comparison_in_a_browser(browser, cli, tiny_yaml):
    first = Path(cli("run", tiny_yaml).last_line)
    second = Path(cli("run", tiny_yaml, "--set", "seed=1").last_line)
    assert_sound(browser, first / "report.html", 10)
    before = column(browser, "class")
    assert click(browser, "class") == "ascending" and column(browser, "class") == sorted(before)
    assert click(browser, "class") == "descending" and column(browser, "class") == sorted(before, reverse=True)
    assert click(browser, "images") == "ascending"
    counts = [int(text) for text in column(browser, "images")]
    assert counts == sorted(counts)
    answer = cli("compare", first, second)
    assert answer.code == 0, answer.err
    assert_sound(browser, Path("comparison.html"), 2)


def test_diagnosis_in_a_browser(browser, cli, tiny_yaml):
    reference = Path(cli("run", tiny_yaml).last_line)
    shutil.copytree("images/disc", "images/dish")
    answer = cli("diagnose", "images", "--reference", reference)
    assert answer.code == 0, answer.err
    assert_sound(browser, Path("diagnosis.html"), 3)
    assert column(browser, "class") == ["across", "disc", "dish", "upright"]


def test_study_in_a_browser(browser, cli, tiny_yaml):
    tiny_yaml.write_text(
        f"{tiny_yaml.read_text()}variants: {{plain: {{}}, '<b>$x$ 数字': {{training: {{epochs: 1}}}}}}\n"
    )
    answer = cli("run", tiny_yaml)
    assert answer.code == 0, answer.err
    page = Path(answer.last_line) / "study.html"
    assert_sound(browser, page, 2)
    assert column(browser, "variant") == ["plain", "<b>$x$ 数字"]
    links = browser.execute_script("return [...document.querySelectorAll('table a')].map(a => a.getAttribute('href'))")
    assert len(links) == 2 and all((page.parent / link).is_file() for link in links)


def test_search_in_a_browser(browser, cli, tiny_yaml):
    space = (
        "model: {head: {units: {choice: [[], [8]]}}}\ntraining: {optimizer: {learning_rate: {float: [0.001, 0.1]}}}\n"
    )
    Path("space.yaml").write_text(
        f"base: tiny.yaml\n{space}search: {{algorithm: random, max_trials: 4, confirm: [0], against: tiny.yaml}}\n"
    )
    answer = cli("search", "space.yaml", "--set", "training.epochs=1")
    assert answer.code == 0, answer.err
    page = Path(answer.last_line) / "search.html"
    assert_sound(browser, page, 4)
    assert click(browser, "trial") == "ascending"
    assert column(browser, "trial") == ["0000", "0001", "0002", "0003"]
    links = browser.execute_script("return [...document.querySelectorAll('p a')].map(a => a.getAttribute('href'))")
    assert links and all((page.parent / link).is_file() for link in links)


def test_an_injected_script_does_not_run(browser, cli, tiny_yaml):
    """The content security policy admits only the page's own script, by its digest."""
    report = Path(cli("run", tiny_yaml, "--set", "training.epochs=1").last_line) / "report.html"
    report.write_text(report.read_text().replace("</h1>", "</h1><script>document.title = 'taken over'</script>"))
    seen = open_page(browser, report, 1280)
    assert browser.title == "tiny" and "Content Security Policy" in seen["console"][0]["message"]


def test_strange_names_in_a_browser(browser, npz_run, odd_names):
    report = npz_run(5, [0, 1, 2, 4], 3, odd_names) / "report.html"
    assert_sound(browser, report, 10)
    assert browser.title == "odd"
    assert column(browser, "class") == odd_names
    click(browser, "recall")
    assert column(browser, "recall")[-1] == "–"
