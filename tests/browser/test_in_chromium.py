"""The pages of all runs in a real browser: no request to elsewhere, no console message, the keyboard, contrast, narrow screens."""

import browser_pages
import pytest
from browser_pages import wait_until
from live_folders import at_step, end_trials, trial, write_search, write_study
from many_runs import write_run, write_runs

from kerasexp.browser.run_tags import RunTags, read_tags, write_tags
from kerasexp.config import load
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
    write_study(root / "study")
    write_search(root / "found", [trial(k, 0.5 + k / 100) for k in range(15)])
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
    [
        "/",
        "/?filter=vall.accuracy+>+1",
        "/?archived=1&sort=-val.accuracy",
        "/run/name_1/1",
        "/run/failed",
        "/compare",
        "/run/study",
        "/run/found",
    ],
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


def brushed(browser) -> tuple[str, list[str]]:
    """Return what a page says of the ranges, and the trials that its table shows."""
    rows = "return [...document.querySelectorAll('#trials tr[data-trial]')].filter(r => !r.hidden).map(r => r.dataset.trial)"
    return browser.find_element("css selector", "#parallel [role=status]").text, browser.execute_script(rows)


def test_ranges_on_the_axes_keep_trials_by_mouse_keyboard_and_finger(browser):
    from selenium.webdriver import ActionChains, Keys

    visit(browser, "/run/found")
    wait_until(browser, lambda: "15 finished" in brushed(browser)[0])
    assert len(brushed(browser)[1]) == 16  # one is running
    browser.execute_script("document.getElementById('parallel').scrollIntoView({behavior: 'instant'})")
    axis = browser.find_elements("css selector", "#parallel .hit")
    # The upper half of the scores, of 0.5 to 0.64.
    ActionChains(browser).move_to_element_with_offset(axis[-1], 0, 5).click_and_hold().move_by_offset(
        0, -200
    ).release().perform()
    assert brushed(browser)[0].startswith("8 of 15 finished trials: val_accuracy 0.56")
    assert brushed(browser)[1] == [f"{k:04d}" for k in range(14, 6, -1)]
    # And of these, the networks of one block; Home and Escape work too.
    upper = browser.find_element("css selector", "#parallel [role=slider][aria-label='depth, to']")
    assert upper.get_attribute("aria-valuetext") == "2"
    browser.execute_script("arguments[0].focus()", upper)
    ActionChains(browser).send_keys(Keys.HOME).perform()
    assert brushed(browser)[0].startswith("4 of 15 finished trials: depth 1, val_accuracy")
    assert brushed(browser)[1] == ["0014", "0012", "0010", "0008"]
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert brushed(browser)[0].startswith("8 of 15")
    browser.find_element("xpath", "//button[text()='Reset']").click()
    assert brushed(browser)[0] == "All 15 finished trials" and len(brushed(browser)[1]) == 16
    place = browser.execute_script(
        "const {x, y, width, height} = arguments[0].getBoundingClientRect(); return [x + width / 2, y + height / 2 + 5]",
        axis[-1],
    )
    for kind, up in (("touchStart", 0), ("touchMove", 60), ("touchMove", 200), ("touchEnd", None)):
        points = [] if up is None else [{"x": place[0], "y": place[1] - up}]
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert brushed(browser)[0].startswith("8 of 15")
    assert browser.get_log("browser") == []


def test_a_search_is_followed_and_ranges_and_order_stay(browser, folder):
    place = write_search(folder / "followed", [trial(k, 0.5 + k / 100) for k in range(3)])
    run = place / "trial_0003/run"

    def text(selector: str) -> str:
        return browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    with RunDirectory(place).locked():
        visit(browser, "/run/followed")
        wait_until(browser, lambda: "finished trials" in text("#parallel [role=status]"))
        with RunDirectory(run).locked():
            wait_until(browser, lambda: "epoch 4 of 10, step 20" in text(".jobs"))
            at_step(run, 5, 70)
            wait_until(browser, lambda: "epoch 5 of 10, step 70" in text(".jobs"))
        wait_until(browser, lambda: text("tr[data-trial='0003'] .status").endswith("killed"))  # it has no lock now
        browser.execute_script("document.querySelector('#trials th button').click()")
        browser.execute_script("document.querySelector(\"[aria-label='depth, to']\").focus()")
        browser.execute_script(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Home', cancelable: true}))"
        )
        assert brushed(browser)[1] == ["0000", "0002"]
        end_trials(place, load(folder / "space.yaml"), [trial(k, 0.5 + k / 100) for k in range(5)])
        wait_until(browser, lambda: "5 of 20 trials" in text("[data-part=now]"))
        assert brushed(browser) == ("3 of 5 finished trials: depth 1", ["0000", "0002", "0004"])
        assert browser.execute_script("return document.activeElement.ariaLabel") == "depth, to"
    wait_until(browser, lambda: "unfinished" in text(".lead"))
    assert browser.get_log("browser") == []


def test_a_study_is_followed(browser, folder):
    place = write_study(folder / "watched")

    def text(selector: str) -> str:
        return browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    with RunDirectory(place).locked():
        visit(browser, "/run/watched")
        assert "2 of 6 runs" in text("[data-part=now]") and text("#variants tbody tr:nth-child(2)").endswith("failed")
        write_run(place / "large/1", 6, "finished")
        wait_until(browser, lambda: "3 of 6 runs" in text("[data-part=now]"))
        assert "1 of 3" in text("#variants tbody tr:nth-child(2)")
        wait_until(browser, lambda: len(browser.find_elements("css selector", "#plot-variants canvas")) == 1)
    assert browser.get_log("browser") == []


def test_a_column_of_words_is_sorted(browser):
    column = """
        const heads = [...document.querySelectorAll("#trials th")];
        const at = heads.findIndex((head) => head.innerText.includes("units"));
        if (arguments[0]) heads[at].querySelector("button").click();
        return [...document.querySelectorAll("#trials tbody tr")].map((row) => row.cells[at].innerText.trim());
    """
    visit(browser, "/run/found")
    wait_until(browser, lambda: len(browser.execute_script(column, False)) > 3)
    before = browser.execute_script(column, False)
    rising = sorted(before, key=lambda text: text.strip("[]"))
    assert browser.execute_script(column, True) == rising and browser.execute_script(column, True) == rising[::-1]
    assert len({*before}) == 2


def test_a_list_of_what_runs_follows_what_starts_and_ends(browser, folder):
    visit(browser, "/?filter=status+=+running+and+name+=+begun")
    assert "no run has status = running" in browser.find_element("css selector", "main").text
    link = "a[href='/run/begun/1']"
    run = RunDirectory(write_run(folder / "begun/1", 41, "running", name="begun"))
    with run.locked():
        wait_until(browser, lambda: browser.find_elements("css selector", link))
    write_json(run.manifest, {**run.read_manifest(), "status": "finished"})
    wait_until(browser, lambda: not browser.find_elements("css selector", link))
    assert browser.get_log("browser") == []


def test_a_list_that_was_empty_shows_its_first_run(browser, folder):
    visit(browser, "/?filter=name+~+brand_new")
    assert "No run passes the filter" in browser.find_element("css selector", "main").text
    write_run(folder / "brand_new/1", 40, name="brand_new")
    wait_until(browser, lambda: browser.find_elements("css selector", "a[href='/run/brand_new/1']"))
    assert browser.get_log("browser") == []
