"""The pages of all runs over HTTP, without a browser."""

import html
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest
from live_folders import trial, write_search, write_study
from many_runs import write_run, write_runs

from kerasexp.browser.run_tags import RunTags, read_tags, write_tags
from kerasexp.environment import missing_of
from kerasexp.runs.directory import RunDirectory

pytestmark = pytest.mark.skipif(
    bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"
)


@pytest.fixture
def folder() -> Path:
    root = write_runs(Path("runs"), 5)
    (root / "name_0/1/report.html").write_text("<h1>the report</h1>")
    return root


def open_client(folder: Path, host: str = "127.0.0.1"):
    """Return a client of the server's pages, and the server's token."""
    from fastapi.testclient import TestClient

    from kerasexp.browser.server import BrowserServer
    from kerasexp.web.access import Access

    access = Access.of(host)
    server = BrowserServer(folder, access)
    return TestClient(server.app, base_url=f"http://{host}:8686", follow_redirects=False), access.token


@pytest.fixture
def client(folder):
    return open_client(folder)[0]


def paths(page: str) -> list[str]:
    return re.findall(r'type="checkbox" name="run" value="([^"]*)"', page)


def test_the_table_is_filtered_and_sorted(client):
    assert paths(client.get("/").text) == [f"name_{k}/1" for k in (4, 3, 2, 1, 0)]
    assert paths(client.get("/", params={"sort": "path"}).text)[0] == "name_0/1"
    assert paths(client.get("/", params={"filter": "model.name = mlp"}).text) == ["name_4/1", "name_3/1"]
    page = client.get("/", params={"columns": ["path", "learning_rate,seed"]}).text
    assert (
        'title="training.optimizer.learning_rate: sort">learning_rate</a>' in page and "val.accuracy: sort" not in page
    )


def test_headings_sort_the_best_first_and_then_the_other_way(client):
    page = client.get("/").text
    assert 'href="/?sort=-val.accuracy"' in page and 'href="/?sort=seconds"' in page
    page = client.get("/", params={"sort": "-val.accuracy"}).text
    assert 'href="/?sort=val.accuracy"' in page and 'aria-sort="descending"' in page


def test_a_mistake_in_the_filter_is_shown_on_the_page(client):
    answer = client.get("/", params={"filter": "acuracy > <b>"})
    assert answer.status_code == 200 and "<b>" not in answer.text
    shown = html.unescape(client.get("/", params={"filter": "vall.accuracy > 1"}).text)
    assert "no run has 'vall.accuracy'; did you mean 'val.accuracy'?\n  vall.accuracy > 1\n  ^" in shown
    assert "did you mean 'cnn'?" in html.unescape(client.get("/", params={"filter": "model.name = cn"}).text)


def test_a_list_without_rows_can_follow_whatever_its_reason(client):
    for question in ("status = running", "epochs > 100", "vall.accuracy > 1"):
        page = client.get("/", params={"filter": question}).text
        assert 'data-live="empty"' in page and 'data-live="message"' in page and 'data-live="rows"' not in page


def test_runs_of_a_study_are_counted_until_they_are_asked_for(client, folder):
    study = folder / "study"
    write_run(study / "a/0", 8)
    (study / "study.json").write_text('{"name": "study", "status": "unfinished"}')
    page = client.get("/").text
    assert "study" in paths(page) and "study/a/0" not in paths(page) and "1 more within studies" in page
    assert "study/a/0" in paths(client.get("/?within=1").text)
    assert paths(client.get("/run/study").text) == ["study/a/0"]


def test_the_list_has_pages(folder):
    write_runs(folder / "more", 230)
    client, _ = open_client(folder)
    first, last = client.get("/").text, client.get("/?page=99").text
    assert len(paths(first)) == 100 and "Page 1 of 3" in first and 'rel="next" href="/?page=2"' in first
    assert len(paths(last)) == 35 and "Page 3 of 3" in last


def test_the_page_of_a_run(client):
    page = client.get("/run/name_0/1").text
    assert "seconds of training" in page and "60.5" in page and 'href="/files/name_0/1/report.html"' in page
    again = html.unescape(re.search(r'href="(/new[^"]*)"', page.partition("<main>")[2])[1])
    assert 'id="key-training.epochs"' in client.get(again).text
    answer = client.get("/run/nowhere")
    assert answer.status_code == 400 and "it may have been deleted meanwhile" in answer.text


def test_tags_note_archive_and_restore(client, folder):
    place = folder / "name_0/1"
    answer = client.post("/tags", data={"run": "name_0/1", "tags": "good, paper", "note": "two\r\nlines <i>"})
    assert answer.status_code == 303 and answer.headers["location"] == "/run/name_0/1"
    assert read_tags(place) == RunTags(("good", "paper"), "two\nlines <i>")
    assert "two\nlines &lt;i&gt;" in client.get("/run/name_0/1").text
    both = urlencode({"run": ["name_0/1", "name_1/1"], "tag": "new", "back": "/?page=1"}, doseq=True)
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/tag_runs", content=both, headers=form).headers["location"] == "/?page=1"
    assert read_tags(place).tags == ("good", "paper", "new") and read_tags(folder / "name_1/1").tags == ("new",)
    client.post("/archive", data={"run": "name_0/1"})
    assert "name_0/1" not in paths(client.get("/").text) and "name_0/1" in paths(client.get("/?archived=1").text)
    assert (place / "metrics.json").is_file()
    client.post("/restore", data={"run": "name_0/1"})
    assert "name_0/1" in paths(client.get("/").text)
    answer = client.post("/tags", data={"run": "name_0/1", "tags": "a" * 60})
    assert answer.status_code == 400 and "a tag has 1 to 50 characters" in answer.text
    for run in ("", "../elsewhere", "name_0"):
        assert client.post("/archive", data={"run": run} if run else {}).status_code == 400
    elsewhere = client.post("/archive", data={"run": "name_1/1", "back": "//example.org/"})
    assert elsewhere.headers["location"] == "/"


@pytest.mark.parametrize("tag", ["Anna's", 'the "best"', "100 % & more"])
def test_a_tag_leads_to_the_runs_that_have_it(client, folder, tag):
    write_tags(folder / "name_0/1", RunTags((tag,)))
    address = html.unescape(re.search(r'class="tag" href="([^"]*)"', client.get("/").text)[1])
    assert paths(client.get(address).text) == ["name_0/1"]


def test_only_files_of_runs_are_sent(client, folder):
    Path("secret.json").write_text("{}")
    (folder / "name_0/1/link.json").symlink_to(Path("secret.json").resolve())
    (folder / "name_0/1/model.keras").write_text("")
    (folder / "name_0/1/.lock.json").write_text("")
    answer = client.get("/files/name_0/1/report.html")
    assert answer.text == "<h1>the report</h1>" and answer.headers["content-security-policy"].startswith("sandbox")
    assert client.get("/files/name_0/1/metrics.json").headers["content-type"] == "application/json"
    for path in (
        "link.json",
        "model.keras",
        ".lock.json",
        "../../../secret.json",
        "%2e%2e/%2e%2e/%2e%2e/secret.json",
        "",
        "no",
    ):
        assert client.get(f"/files/name_0/1/{path}").status_code == 404, path


def test_other_sites_can_neither_read_nor_change(client, folder):
    assert client.get("/", headers={"host": "example.org:8686"}).status_code == 403
    assert client.get("/", headers={"host": "localhost:8686"}).status_code == 200
    form = {"run": "name_0/1"}
    assert client.post("/archive", data=form, headers={"origin": "http://example.org"}).status_code == 403
    assert client.post("/archive", data=form, headers={"origin": "null"}).status_code == 403
    assert not read_tags(folder / "name_0/1").archived
    own = client.post("/archive", data=form, headers={"origin": "http://127.0.0.1:8686"})
    assert own.status_code == 303 and read_tags(folder / "name_0/1").archived
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert client.post("/archive", content=b"a" * 300_000).status_code == 413


def test_other_sites_may_link_here_and_embed_nothing(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
    refused = client.get("/", headers=headers)
    assert refused.status_code == 403 and "of another site" in refused.text
    assert client.get("/", headers={**headers, "Sec-Fetch-Dest": "document"}).status_code == 200
    own = client.get("/", headers={**headers, "Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 200 and own.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_pages_of_a_folder_that_is_a_run_itself(folder):
    client, _ = open_client(folder / "name_0/1")
    assert 'href="/run/."' in client.get("/").text
    # A browser makes /run/ of it.
    page = client.get("/run/")
    assert page.status_code == 200 and "no such run" not in page.text
    assert client.get("/live/").status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux alone")
def test_a_file_whose_name_is_no_text_is_not_linked(folder):
    Path(os.fsdecode(os.fsencode(folder / "name_0/1") + b"/caf\xe9.png")).write_bytes(b"")
    assert open_client(folder)[0].get("/run/name_0/1").status_code == 200


def test_an_address_for_others_needs_the_token(folder):
    client, token = open_client(folder, "0.0.0.0")
    for path in ("/", "/run/name_0/1", "/files/name_0/1/report.html", "/static/page.css", "/?token=wrong"):
        assert client.get(path).status_code == 401
    assert client.post("/archive", data={"run": "name_0/1"}).status_code == 401
    answer = client.get("/", params={"token": token})
    assert answer.status_code == 303 and "HttpOnly" in answer.headers["set-cookie"]
    assert client.get("/").status_code == 200  # the cookie
    # A sandboxed report is of no site: its links lead here, and its forms and what others embed are refused.
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    assert client.get("/run/name_0/1", headers=link).status_code == 200
    assert client.get("/run/name_0/1", headers={**link, "Sec-Fetch-Dest": "image"}).status_code == 403
    assert client.post("/archive", data={"run": "name_0/1"}, headers={**link, "Origin": "null"}).status_code == 403


def test_the_comparison_is_the_page_of_compare_and_its_messages_are_shown(client, folder):
    for runs, words in ((["name_0/1"], "give 2 to 12 runs"), (["name_0/1", "name_1/1"], "experiment.yaml")):
        (folder / "name_0/1/experiment.yaml").write_text("nonsense: true\n")
        answer = client.get("/compare", params={"run": runs})
        assert answer.status_code == 400 and words in answer.text


@pytest.mark.slow
def test_two_real_runs_are_compared(cli, tiny_yaml):
    for _ in range(2):
        cli("run", tiny_yaml, "--set", "training.epochs=1")
    client, _ = open_client(Path("runs"))
    client.get("/")
    answer = client.get("/compare", params={"run": ["tiny/1", "tiny/2"]})
    assert answer.status_code == 200 and "no difference can be claimed" in answer.text


def test_the_command_serves_until_it_is_stopped(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "kerasexp", "ui", str(folder), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and f"127.0.0.1:{port}: cannot be listened at" in done.stderr
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f"http://127.0.0.1:{port}/\n"
        time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        process.wait()


def test_without_the_extra_the_command_says_how_to_get_it(cli, folder, monkeypatch):
    monkeypatch.setattr("kerasexp.environment.missing_of", lambda extra: ["fastapi"])
    answer = cli("ui", folder)
    assert answer.code == 2 and "`ui` needs fastapi: pip install 'kerasexp[serve]'" in answer.err


def test_a_folder_that_is_not_there(cli):
    answer = cli("ui", "nowhere")
    assert answer.code == 2 and "no such folder" in answer.err


def test_tags_of_a_damaged_file_are_none(folder):
    write_tags(folder / "name_0/1", RunTags(("a",)))
    (folder / "name_0/1/tags.json").write_text('{"tags": 3}')
    assert read_tags(folder / "name_0/1") == RunTags()


def test_the_curves_of_a_run_and_where_it_is(client, folder):
    place = write_run(folder / "live", 7, "running")
    progress = {
        "phase": "training",
        "epoch": 2,
        "epochs": 4,
        "step": 5,
        "steps": 10,
        "steps_per_second": 0.5,
        "points": [[15, 1.0, 0.5]],
    }
    (place / "progress.json").write_text(json.dumps(progress))
    (place / "gradients.csv").write_text("step,layer,mean_gradient,max_gradient,update_ratio\n1,a,1,2,3\n2,a,4,5,inf\n")
    with RunDirectory(place).locked():
        found = client.get("/live/live").json()
    assert found["status"] == "running" and found["points"] == [[15, 1.0, 0.5]]
    assert found["progress"]["share"] == 15 / 40 and found["progress"]["left"] == "50 s"
    assert found["gradients"] == [{"layer": "a", "step": 2, "mean_gradient": 4.0, "update_ratio": None}]
    assert client.get("/live/live").json()["status"] == "killed"
    (place / "progress.json").write_text("{")
    assert client.get("/live/live").json()["progress"] is None
    done = client.get("/live/name_0/1").json()
    assert done["status"] == "finished" and done["history"]["epoch"] == [1.0] and done["progress"] is None
    for path in ("nowhere", "", "../runs/name_0/1", "name_0"):
        assert client.get(f"/live/{path}").status_code == 404


def test_the_page_of_an_unfinished_run_offers_to_resume_it(client, folder, monkeypatch):
    started = []
    monkeypatch.setattr("kerasexp.browser.server.resume", lambda place, status: started.append((place.name, status)))
    write_run(folder / "stopped", 7, "interrupted")
    assert 'formaction="/resume"' in client.get("/run/stopped").text
    assert 'formaction="/resume"' not in client.get("/run/name_0/1").text
    assert client.post("/resume", data={"run": "stopped"}).status_code == 303 and started == [
        ("stopped", "interrupted")
    ]
    assert client.post("/stop", data={"run": "stopped"}).status_code == 400


def test_a_token_can_be_asked_for_on_this_machine_too():
    from kerasexp.web.access import Access

    assert Access.of("127.0.0.1").token is None
    own = Access.of("127.0.0.1", with_token=True)
    assert not own.admits_token(None) and own.admits_token(own.token)


def test_a_study_is_on_its_page_and_answers_what_has_changed(client, folder):
    write_study(folder / "study")
    page = client.get("/run/study").text
    assert "2 of 6 runs have finished" in page and 'id="variants"' in page and "the disk is &lt;full&gt;" in page
    assert 'data-address="/live/study"' in page
    first = client.get("/live/study").json()
    assert set(first["parts"]) == {"now", "results"} and first["curves"][0]["label"] == "small"
    again = client.get("/live/study", params={"seen": first["version"]}).json()
    assert again == {"status": first["status"], "version": first["version"], "parts": {"now": first["parts"]["now"]}}


def test_a_search_is_on_its_page_and_answers_with_its_plots(client, folder):
    write_search(folder / "found/1", [trial(k, 0.5 + k / 100) for k in range(4)])
    page = client.get("/run/found/1").text
    assert "4 of 20 trials have ended" in page and 'href="/run/found/1/trial_0003/run"' in page
    found = client.get("/live/found/1").json()
    assert found["best"]["scores"] == [0.5, 0.51, 0.52, 0.53] and found["scored"] == 4
    assert client.get("/importance/found/1").json()["scored"] == 4


def test_only_directories_below_the_folder_are_followed(client, folder):
    write_study(folder.parent / "outside")
    for path in ("../outside", "%2e%2e/outside", "name_9", "", "/etc"):
        for kind in ("live", "importance"):
            assert client.get(f"/{kind}/{path}").status_code == 404
