"""The page of a new run in a real browser: an error is made, seen at its field and mended, and a tiny run is launched."""

import pytest
from browser_pages import opened_pages, visit, wait_until

from kerasexp.browser.job_queue import JobQueue
from kerasexp.environment import missing_of
from kerasexp.saving.saved_files import RunFiles

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"),
]
PORT = 8798
MINE = (
    "data: {source: digits, labels: {at_most: 300}}\nmodel: {name: mlp, units: [8]}\n"
    "training: {epochs: 2, batch_size: 20}\nreport: {plots: false}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("launch")
    (where / "mine.yaml").write_text(MINE)
    (where / "runs").mkdir()
    return where


@pytest.fixture(scope="module")
def opened(folder, tmp_path_factory):
    with opened_pages(folder / "runs", PORT, tmp_path_factory.mktemp("browser"), folder) as pages:
        yield pages


def state(browser) -> str:
    return browser.find_element("id", "state").text


def write(browser, key: str, text: str) -> None:
    """Write into the field of a key with the keyboard, its sections opened."""
    from selenium.webdriver import Keys

    opening = "for (let n = arguments[0].closest('details'); n; n = n.parentElement.closest('details')) n.open = true;"
    field = browser.find_element("id", f"key-{key}")
    browser.execute_script(opening, field)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text)


def click(browser, selector: str) -> None:
    """Click a button, wherever the page is scrolled to: it scrolls smoothly, and a click by its place may miss."""
    browser.execute_script("arguments[0].click()", browser.find_element("css selector", selector))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/new", "/new?experiment=mine.yaml", "/queue",
                                  "/new?experiment=mine.yaml&set=training.epochs%3D0%0Amodl%3Dcnn"])  # fmt: skip
def test_pages_are_sound(opened, path, dark, width):
    browser, site = opened
    visit(browser, site, path, width, dark)


def test_an_error_is_seen_at_its_field_and_a_run_is_launched(opened, folder):
    browser, site = opened
    visit(browser, site, "/new?experiment=mine.yaml")
    wait_until(browser, lambda: state(browser) == "Ready: a run")
    write(browser, "training.optimizer.learning_rate", "fast")
    wait_until(browser, lambda: state(browser) == "1 error")
    problem = browser.find_element("id", "problem-training.optimizer.learning_rate")
    field = browser.find_element("id", "key-training.optimizer.learning_rate")
    assert problem.is_displayed() and "got 'fast'" in problem.text and field.get_attribute("aria-invalid") == "true"
    assert not browser.find_element("id", "add").is_enabled()
    # The focus stays, so that one goes on writing.
    assert browser.switch_to.active_element == field
    write(browser, "training.optimizer.learning_rate", "0.02")
    wait_until(browser, lambda: state(browser) == "Ready: a run")
    assert not problem.is_displayed() and field.get_attribute("aria-invalid") is None
    marked = [line.text for line in browser.find_elements("css selector", "#yaml ins")]
    assert marked == ["+     learning_rate: 0.02"]
    command = "python -m kerasexp run mine.yaml --set training.optimizer.learning_rate=0.02"
    assert browser.find_element("id", "command").text == command
    assert browser.get_log("browser") == []
    click(browser, "#add")
    wait_until(browser, lambda: browser.find_element("css selector", "#job-1 .status").text.endswith("running"))
    wait_until(browser, lambda: browser.find_element("css selector", "#job-1 .status").text.endswith("finished"), 120)
    (job,) = JobQueue(folder / "runs").read().jobs
    assert (job.status, job.place) == ("finished", "mine/1")
    assert RunFiles(folder / "runs/mine/1").metrics.is_file()
    for width, dark in ((1280, False), (390, True)):
        visit(browser, site, "/queue", width, dark)
    browser.find_element("link text", "Log").click()
    wait_until(browser, lambda: "val_accuracy" in browser.find_element("id", "log").text)
    assert browser.get_log("browser") == []


def test_the_form_follows_the_kind_of_a_section(opened):
    from selenium.webdriver.support.ui import Select

    browser, site = opened
    visit(browser, site, "/new?experiment=mine.yaml")
    wait_until(browser, lambda: state(browser) == "Ready: a run")

    def choose(kind: str) -> None:
        browser.execute_script("document.querySelectorAll('#keys details').forEach((node) => { node.open = true; })")
        Select(browser.find_element("id", "key-training.optimizer.name")).select_by_value(kind)

    def text() -> str:
        return browser.find_element("id", "set").get_property("value")

    choose("sgd")
    wait_until(browser, lambda: browser.find_element("id", "key-training.optimizer.momentum").is_displayed())
    write(browser, "training.optimizer.momentum", "0.9")
    wait_until(browser, lambda: text() == "training.optimizer.name=sgd\ntraining.optimizer.momentum=0.9")
    # The momentum goes with the optimizer that has one.
    choose("rmsprop")
    choose("adam")
    wait_until(browser, lambda: text() == "" and state(browser) == "Ready: a run")
    assert browser.find_elements("id", "key-training.optimizer.momentum") == []


def test_a_domain_makes_a_search_and_the_text_of_the_changes_is_the_form(opened):
    browser, site = opened
    visit(browser, site, "/new?experiment=mine.yaml", width=390)
    wait_until(browser, lambda: state(browser) == "Ready: a run")
    find = browser.find_element("id", "find")
    find.send_keys("learning rate")
    assert browser.find_element("id", "found").text == "4 keys"
    click(browser, ".domain[data-of='training.optimizer.learning_rate']")
    wait_until(browser, lambda: state(browser) == "Ready: a search")
    field = browser.find_element("id", "key-training.optimizer.learning_rate")
    assert field.get_property("value") == "{float: [0.0001, 0.01], sampling: log}"
    assert browser.find_element("name", "jobs").is_displayed()
    click(browser, ".reset[data-of='training.optimizer.learning_rate']")
    wait_until(browser, lambda: state(browser) == "Ready: a run")
    find.clear()
    find.send_keys(" ")
    click(browser, "#as-text summary")
    browser.find_element("id", "set").send_keys("model.units=[4, 4]")
    wait_until(browser, lambda: browser.find_element("id", "key-model.units").get_property("value") == "[4, 4]")
    assert browser.get_log("browser") == []
