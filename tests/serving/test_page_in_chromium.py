"""The page of `serve` in a real browser: sound at every width, drawings, files, the clipboard, the camera, the keyboard."""

import base64

import pytest
from browser_pages import visit, wait_until
from chromium import start_chromium
from drawn_digits import drawn_digits
from hostile_bodies import image_file
from served import answer, draw, served

from kerasexp.environment import missing_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"),
]
CAMERA = ("use-fake-device-for-media-stream", "use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = start_chromium(tmp_path_factory.mktemp("browser"), *CAMERA)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def site():
    with served("part2_pretrained", "part1_scans", "tiny_imagenet") as (_, address):
        yield address


@pytest.fixture
def page(browser, site):
    """A browser with the page open, and its first model ready."""
    visit(browser, site, "/")
    wait_until(browser, lambda: browser.find_element("id", "about").text)
    return browser


def text(page, name: str) -> str:
    return page.find_element("id", name).text


def bars(page) -> list[str]:
    return [row.text for row in page.find_elements("css selector", "#bars li span:first-child")]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_pages_are_sound(browser, site, dark, width):
    from browser_pages import LOW_CONTRAST

    visit(browser, site, "/docs", width, dark)
    visit(browser, site, "/", width, dark)
    draw(browser, drawn_digits()[3][1])
    assert answer(browser) == "3" and len(bars(browser)) == 10
    first = browser.execute_script("return document.querySelector('#bars meter').value")
    shown = [part.text for part in browser.find_elements("css selector", "#bars li:first-child span")]
    assert first > 0.5 and shown == ["3", f"{100 * first:.1f} %"]
    wide = "return document.querySelector('#bars meter').offsetWidth / document.getElementById('bars').offsetWidth"
    assert browser.execute_script(wide) > 0.4
    assert browser.execute_script(LOW_CONTRAST) == [] and browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    for name in ("input", "heat"):
        assert browser.execute_script(f"return document.getElementById('{name}').naturalWidth") == 28
    # The answer is seen without scrolling, on a phone too.
    assert (
        browser.execute_script("return document.querySelector('#answer strong').getBoundingClientRect().bottom") < 900
    )


def test_at_least_17_of_20_drawn_digits_are_right(page):
    wrong = []
    for digit, strokes in drawn_digits():
        page.find_element("id", "clear").click()
        draw(page, strokes)
        if (found := answer(page)) != str(digit):
            wrong.append((digit, found))
    assert len(wrong) <= 3, wrong


def test_a_small_drawing_in_a_corner_is_seen_as_a_large_one(page):
    (_, strokes) = drawn_digits()[2]
    draw(page, [[(0.02 + 0.25 * x, 0.02 + 0.25 * y) for x, y in stroke] for stroke in strokes])
    assert answer(page) == "2"


def test_undo_and_clear_by_the_keyboard(page):
    from selenium.webdriver import ActionChains, Keys

    draw(page, drawn_digits()[1][1])
    assert answer(page) == "1"
    draw(page, [[(0.2, 0.2), (0.21, 0.2)]])
    answer(page)
    ActionChains(page).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    assert answer(page) == "1" and page.execute_script("return drawing.strokes.length") == 1
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    wait_until(page, lambda: text(page, "answer") == "No image yet.")
    assert bars(page) == []


def test_every_control_is_reached_by_the_tab_key(page):
    from selenium.webdriver import ActionChains, Keys

    reached = []
    for _ in range(12):
        ActionChains(page).send_keys(Keys.TAB).perform()
        reached.append(page.execute_script("return document.activeElement.id"))
    assert {"model", "canvas", "clear", "undo", "pen", "file", "camera"} <= set(reached)


def test_a_file_that_is_chosen_and_one_that_is_no_image(page, tmp_path):
    one = tmp_path / "one.png"
    one.write_bytes(image_file())
    page.find_element("id", "file").send_keys(str(one))
    answer(page)
    assert len(bars(page)) == 10
    broken = tmp_path / "broken.png"
    broken.write_bytes(image_file()[:99])
    page.find_element("id", "file").send_keys(str(broken))
    wait_until(page, lambda: text(page, "answer") == "image 0: the PNG file is cut off")
    assert bars(page) == []


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_file_that_is_dropped_or_pasted(page, event):
    page.execute_script(
        """
        const bytes = Uint8Array.from(atob(arguments[1]), (c) => c.charCodeAt(0)), data = new DataTransfer();
        data.items.add(new File([bytes], "a.png", { type: "image/png" }));
        const Kind = arguments[0] === "drop" ? DragEvent : ClipboardEvent;
        const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
        document.body.dispatchEvent(new Kind(arguments[0], options));
        """,
        event,
        base64.b64encode(image_file()).decode(),
    )
    answer(page)
    assert len(bars(page)) == 10


def test_the_camera(page):
    page.find_element("id", "camera").click()
    wait_until(page, lambda: page.execute_script("return document.getElementById('video').videoWidth > 0"))
    page.find_element("id", "take").click()
    answer(page)
    assert len(bars(page)) == 10 and not page.find_element("id", "video").is_displayed()
    assert page.find_element("id", "camera").is_displayed()


def test_another_model_answers_for_what_is_on_the_paper(page):
    from selenium.webdriver.support.ui import Select

    draw(page, drawn_digits()[4][1])
    assert answer(page) == "4"
    Select(page.find_element("id", "model")).select_by_visible_text("part1_scans")
    wait_until(page, lambda: "62 classes" in text(page, "about"))
    assert answer(page) == "4"
    Select(page.find_element("id", "model")).select_by_visible_text("tiny_imagenet")
    wait_until(page, lambda: "64x64" in text(page, "about"))
    answer(page)
    assert "Choose a photograph" in text(page, "hint") and len(bars(page)) == 10
