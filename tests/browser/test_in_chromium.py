"""The pages of all runs in a real browser: no request to elsewhere, no console message, the keyboard, contrast, narrow screens."""

import browser_pages
import pytest
from browser_pages import wait_until
from many_runs import write_run, write_runs

from kerasexp.browser.run_tags import RunTags, read_tags, write_tags
from kerasexp.environment import missing_of
from kerasexp.runs.directory import RunDirectory
from kerasexp.storage import write_json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"),
]
PORT = 8797
SITE = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = write_runs(tmp_path_factory.mktemp("site") / "runs", 30)
    write_run(root / "killed", 31, "running")
    write_run(root / "failed", 32, "failed")
    write_tags(root / "name_1/1", RunTags(("paper",), "a note", True))
    return root


@pytest.fixture(scope="module")
def browser(tmp_path_factory, folder):
    with browser_pages.opened_pages(folder, PORT, tmp_path_factory.mktemp("browser")) as (driver, _):
        yield driver


def visit(browser, path: str, width: int = 1280, dark: bool = False) -> None:
    """Open a page, and assert that it is sound."""
    browser_pages.visit(browser, SITE, path, width, dark)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "path",
    ["/", "/?filter=vall.accuracy+>+1", "/?archived=1&sort=-val.accuracy", "/run/name_1/1", "/run/failed", "/compare"],
)
def test_pages_are_sound(browser, path, dark, width):
    if path != "/compare":
        return visit(browser, path, width, dark)
    # The page of a mistake has an error status, which the console names.
    browser.get(SITE + path)
    assert "tick a run first" in browser.page_source


def test_rows_are_ticked_and_tagged_by_the_keyboard(browser, folder):
    from selenium.webdriver import ActionChains, Keys

    visit(browser, "/?filter=name+=+name_2&sort=path")
    compare = browser.find_element("xpath", "//button[text()='Compare']")
    boxes = browser.find_elements("css selector", "tbody input[type=checkbox]")
    assert len(boxes) == 2 and not compare.is_enabled()
    browser.execute_script("arguments[0].focus()", boxes[0])
    ActionChains(browser).send_keys(Keys.SPACE).perform()
    assert browser.find_element("id", "ticked").text == "1 ticked:" and not compare.is_enabled()
    browser.execute_script("arguments[0].focus()", boxes[1])
    ActionChains(browser).send_keys(Keys.SPACE).perform()
    assert compare.is_enabled()
    browser.find_element("name", "tag").send_keys("good")
    browser.find_element("xpath", "//button[text()='Add tag']").click()
    wait_until(browser, lambda: [a.text for a in browser.find_elements("css selector", "a.tag")] == ["good", "good"])
    assert browser.current_url.startswith(f"{SITE}/?filter=name")
    assert read_tags(folder / "name_2/1").tags == ("good",)


def test_enter_in_the_field_of_a_tag_does_not_compare(browser, folder):
    from selenium.webdriver import Keys

    visit(browser, "/?filter=name+=+name_3&sort=path")
    for box in browser.find_elements("css selector", "tbody input[type=checkbox]"):
        box.click()
    browser.find_element("name", "tag").send_keys("entered", Keys.ENTER)
    wait_until(browser, lambda: read_tags(folder / "name_3/1").tags == ("entered",))


def test_the_filter_and_the_headings_work_by_the_keyboard(browser):
    from selenium.webdriver import Keys

    visit(browser, "/")
    browser.find_element("id", "filter").send_keys("status = killed", Keys.ENTER)
    wait_until(browser, lambda: browser.find_element("tag name", "h1").text == "1 run")
    visit(browser, "/")
    browser.find_element("partial link text", "val.accuracy").send_keys(Keys.ENTER)
    sorted_by = "th[aria-sort=descending]"
    wait_until(browser, lambda: "val.accuracy" in browser.find_element("css selector", sorted_by).text)


def test_a_training_is_followed_and_its_end_is_shown(browser, folder):
    """The page asks every second; how long an answer takes depends on what else this machine does."""
    from selenium.webdriver.support.ui import WebDriverWait

    place = write_run(folder / "live", 40, "running")
    run, wait = RunDirectory(place), WebDriverWait(browser, 30, poll_frequency=0.1)

    def at(epoch: int) -> None:
        metrics = {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.4, "val_loss": 0.9}
        run.write_history([{"epoch": k, "step": 10 * k, "seconds": 1.0 * k, **metrics} for k in range(1, epoch)])
        content = {
            "phase": "training", "epoch": epoch, "epochs": 9, "step": 5, "steps": 10, "loss": 1.0, "accuracy": 0.5,
            "steps_per_second": 2.0, "images_per_second": 64.0, "memory_bytes": 2**30,
            "points": [[5, 1.2, 0.4], [10 * epoch - 5, 1.0, 0.5]],
        }  # fmt: skip
        write_json(run.progress, content)

    def text(selector: str) -> str:
        # In one call: between two, the page may replace what it shows.
        return browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    with run.locked():
        at(2)
        visit(browser, "/run/live")
        wait.until(lambda _: text("#position"))
        assert text("#position").split(" · ") == [
            "epoch 2 of 9, step 5 of 10", "2.0 steps a second", "64 images a second", "about 38 s left", "1.00 GiB of memory",
        ]  # fmt: skip
        assert len(browser.find_elements("css selector", ".uplot canvas")) == 2
        at(3)
        wait.until(lambda _: text("#position").startswith("epoch 3 of 9"))
        # The list shows it too, and what is ticked stays ticked while it changes.
        visit(browser, "/?columns=path,status,epochs&filter=status+!=+finished&sort=path")
        browser.execute_script("document.querySelector('input[value=live]').click()")
        at(7)
        wait.until(lambda _: text("tr:has(input[value=live]) td:last-child") == "6")
        assert text("#ticked") == "1 ticked:"
        visit(browser, "/run/live")
    write_json(run.manifest, {**run.read_manifest(), "status": "interrupted"})
    wait.until(lambda _: "interrupted" in text(".lead"))
    assert browser.get_log("browser") == []
