"""The pages of a new run and of the queue over HTTP, without a browser."""

import html
import os
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from kerasexp.browser.job_queue import JobQueue
from kerasexp.config import load
from kerasexp.environment import missing_of

pytestmark = pytest.mark.skipif(
    bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"
)
MINE = "# Does it learn?\ndata: digits\nmodel: {name: mlp, units: [32]}\ntraining: {epochs: 2, batch_size: 20}\n"


@pytest.fixture
def server():
    from kerasexp.browser.server import BrowserServer
    from kerasexp.web.access import Access

    Path("runs").mkdir()
    Path("mine.yaml").write_text(MINE)
    return BrowserServer(Path("runs"), Access.of("127.0.0.1"))


@pytest.fixture
def client(server):
    from fastapi.testclient import TestClient

    return TestClient(server.app, base_url="http://127.0.0.1:8686", follow_redirects=False)


@pytest.fixture
def draft(client):
    def ask(*changes: str, **more):
        data = {"experiment": "mine.yaml", "set": "\n".join(changes), **more}
        return client.post("/new/draft", data=data).json()

    return ask


def test_an_experiment_is_chosen(client):
    page = client.get("/new").text
    assert (
        '<option value="mine.yaml">' in page and '<option value="part1_digits">' in page and 'id="launch"' not in page
    )
    page = client.get("/new", params={"experiment": "part1_digits"}).text
    assert '<option value="part1_digits" selected>' in page and "Which initial weights" in page
    answer = client.get("/new", params={"experiment": "mine.yam"})
    assert answer.status_code == 400 and "did you mean &#39;mine.yaml&#39;?" in answer.text


def test_the_form_has_each_key_with_description_default_and_allowed_values(client):
    page = html.unescape(client.get("/new", params={"experiment": "mine.yaml"}).text)
    assert 'id="key-training.batch_size"' in page and "Images per training step." in page
    assert "Allowed: a whole number at least 1, at most 100,000." in page
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    labels, described = re.findall(r'for="([^"]*)"', page), " ".join(re.findall(r'aria-describedby="([^"]*)"', page))
    assert set(labels) <= set(ids) and set(described.split()) <= set(ids)
    # Fields are no part of what is sent: the text of the changes is.
    assert set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]*)"', page)) == {
        "experiment", "trust", "jobs", "quick", "name", "set",
    }  # fmt: skip


def test_changes_are_answered_with_errors_yaml_and_command(draft):
    good = draft("training.epochs=3")
    assert good["problems"] == [] and good["kind"] == "run"
    assert good["command"] == "python -m kerasexp run mine.yaml --set training.epochs=3"
    assert "<ins>+   epochs: 3\n</ins>" in good["yaml"] and "<del>-   epochs: 2\n</del>" in good["yaml"]
    bad = draft("training.epochs=3", "model.activation=rely")
    assert bad["yaml"] is None and bad["problems"][0]["key"] == "model.activation"
    assert "did you mean 'relu'?; allowed: relu, relu6" in bad["problems"][0]["message"]
    assert draft("training.epochs={int: [1, 3]}", jobs="2")["command"].endswith("--jobs 2")
    assert "from 1 to 64" in draft(jobs="0")["problems"][0]["message"]


def test_the_form_is_only_sent_when_it_has_other_fields(draft):
    shape = draft()["shape"]
    assert draft("training.epochs=3", shape=shape)["form"] is None
    other = draft("training.optimizer=sgd", shape=shape)
    assert other["shape"] != shape and "training.optimizer.momentum" in other["form"]
    # A change that cannot be read leaves the form as it is.
    assert draft("training.epochs=[", shape=shape)["form"] is None


def test_texts_of_files_are_text(client, draft):
    found = draft("reported={note: <b>x</b>}")
    assert "<b>" not in found["yaml"] and "&lt;b&gt;" in found["form"]
    page = client.get("/new", params={"experiment": "mine.yaml", "set": "</textarea><script>=1"}).text
    assert "<script>=1" not in page


def test_an_experiment_that_is_wrong_itself_says_so(client):
    Path("broken.yaml").write_text("data: digits\ntraining: {epochs: 0}\nmodl: cnn\n")
    found = client.post("/new/draft", data={"experiment": "broken.yaml"}).json()
    assert {problem["key"] for problem in found["problems"]} == {"training.epochs", "modl"}
    Path("broken.yaml").write_text("data: [")
    page = client.get("/new", params={"experiment": "broken.yaml"})
    assert page.status_code == 200 and "1 error" in page.text


def test_without_javascript_the_text_of_the_changes_is_shown_with_its_errors(client):
    page = html.unescape(client.post("/new", data={"experiment": "mine.yaml", "set": "training.epochs=0"}).text)
    assert "<b>training.epochs</b>: got 0" in page and "\ntraining.epochs=0</textarea>" in page


def test_a_job_is_added_shown_moved_and_removed(client, server):
    for epochs in (3, 4):
        answer = client.post("/new/add", data={"experiment": "mine.yaml", "set": f"training.epochs={epochs}"})
        assert answer.status_code == 303 and answer.headers["location"] == "/queue"
    queue = JobQueue(Path("runs"))
    assert [job.changes for job in queue.read().jobs] == [("training.epochs=3",), ("training.epochs=4",)]
    page = html.unescape(client.get("/queue").text)
    assert "python -m kerasexp run mine.yaml --set training.epochs=3" in page and page.count("waiting") > 1
    assert client.post("/queue/up", data={"job": "2"}).headers["location"] == "/queue#job-2"
    assert [job.id for job in queue.read().jobs] == [2, 1]
    again = re.search(r'href="(/new\?[^"]*)">New run like this', page)[1]
    assert parse_qs(urlsplit(again).query) == {"experiment": ["mine.yaml"], "set": ["training.epochs=3"]}
    client.post("/queue/remove", data={"job": "2"})
    assert [job.id for job in queue.read().jobs] == [1]
    for number in ("9", "x", "", "²"):
        assert client.post("/queue/remove", data={"job": number}).status_code == 400
    assert "Nothing has been printed yet" in client.get("/queue/log/1").text
    assert client.get("/queue/log/7").status_code == 400


def test_a_search_and_a_study_are_added_with_their_options(client):
    domain = "training.epochs={int: [1, 3]}"
    client.post("/new/add", data={"experiment": "mine.yaml", "set": domain, "jobs": "2"})
    client.post("/new/add", data={"experiment": "mine.yaml", "set": "seeds=[0, 1]", "quick": "1"})
    search, study = JobQueue(Path("runs")).read().jobs
    assert search.arguments == ("search", "mine.yaml", "--set", domain, "--jobs", "2") and search.kind == "search"
    assert study.arguments == ("run", "mine.yaml", "--set", "seeds=[0, 1]", "--quick") and study.kind == "study"
    assert client.post("/new/add", data={"experiment": "mine.yaml", "jobs": "65"}).status_code == 400


def test_what_is_wrong_is_not_added(client):
    answer = client.post("/new/add", data={"experiment": "mine.yaml", "set": "training.epochs=0"})
    assert "got 0" in answer.text and JobQueue(Path("runs")).read().jobs == ()


def test_code_of_others_only_runs_if_it_is_trusted(client):
    run = Path("runs/mine/1")
    run.mkdir(parents=True)
    run.joinpath("net.py").write_text("def build(images):\n    return images\n")
    run.joinpath("manifest.json").write_text("{}")
    run.joinpath("experiment.yaml").write_text("name: mine\ndata: digits\nmodel: net.py:build\n")
    data = {"experiment": "runs/mine/1/experiment.yaml"}
    assert "would run with all your rights" in client.post("/new/draft", data=data).json()["questions"][0]
    assert "tick the box that trusts it" in client.post("/new/add", data=data).text
    assert JobQueue(Path("runs")).read().jobs == ()
    client.post("/new/add", data={**data, "trust": "1"})
    (job,) = JobQueue(Path("runs")).read().jobs
    assert job.arguments[-1] == "--trust-code"


def test_code_of_a_teacher_only_runs_if_it_is_trusted(client):
    folder = Path("teacher")
    (folder / "code").mkdir(parents=True)
    for file in ("model.keras", "classes.json", "preprocessing.json"):
        folder.joinpath(file).write_bytes(b"")
    folder.joinpath("code/net.py").write_text("def build(images):\n    return images\n")
    folder.joinpath("code.json").write_text('{"model": {"name": "code/net.py:build"}, "precision": "float32"}')
    data = {"experiment": "mine.yaml", "set": "training.distill=teacher"}
    assert "net.py" in client.post("/new/draft", data=data).json()["questions"][0]
    assert "tick the box that trusts it" in client.post("/new/add", data=data).text
    client.post("/new/add", data={**data, "trust": "1"})
    assert [job.arguments[-1] for job in JobQueue(Path("runs")).read().jobs] == ["--trust-code"]


def test_changes_are_saved_and_a_file_only_replaced_after_a_question(client):
    data = {"experiment": "mine.yaml", "set": "training.epochs=3", "name": "longer"}
    answer = client.post("/new/save", data=data)
    assert answer.status_code == 303 and answer.headers["location"] == "/new?experiment=longer.yaml&saved=1"
    assert "Saved as longer.yaml" in client.get(answer.headers["location"]).text
    page = client.post("/new/save", data={**data, "set": "training.epochs=4"}).text
    assert "is there already" in page and 'name="replace"' in page and load("longer.yaml").training.epochs == 3
    client.post("/new/save", data={**data, "set": "training.epochs=4", "replace": "1"})
    assert load("longer.yaml").training.epochs == 4
    assert "a name has letters" in client.post("/new/save", data={**data, "name": "../up"}).text


@pytest.mark.parametrize(
    "path",
    [
        "/new/draft",
        "/new/check",
        "/new/save",
        "/new/add",
        "/queue/remove",
        "/queue/stop",
        "/queue/pause",
        "/queue/clear",
    ],
)
def test_another_site_can_start_nothing(client, path):
    data = {"experiment": "mine.yaml", "job": "1", "name": "x"}
    assert client.post(path, data=data, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get(path).status_code in (404, 405)
    assert client.post(path, data=data, headers={"host": "evil.example"}).status_code == 403
    assert JobQueue(Path("runs")).read().jobs == () and not Path("x.yaml").exists()


def test_with_a_token_nothing_is_shown_without_it():
    from fastapi.testclient import TestClient

    from kerasexp.browser.server import BrowserServer
    from kerasexp.web.access import Access

    Path("runs").mkdir()
    app = BrowserServer(Path("runs"), Access.of("127.0.0.1", with_token=True)).app
    client = TestClient(app, base_url="http://127.0.0.1:8686")
    assert (
        client.get("/new").status_code == client.post("/new/add").status_code == client.get("/queue").status_code == 401
    )


def test_the_pause_and_the_number_at_once(client, server):
    assert "Pause" in client.get("/queue").text
    client.post("/queue/pause")
    assert server.worker.is_paused
    client.post("/new/add", data={"experiment": "mine.yaml"})
    assert "1 job waits; none begins before you say so." in client.get("/queue").text
    client.post("/queue/go_on")
    assert not server.worker.is_paused
    client.post("/queue/set_at_once", data={"count": "3"})
    assert 'value="3"' in client.get("/queue").text
    assert client.post("/queue/set_at_once", data={"count": "0"}).status_code == 400


def test_the_server_imports_no_tensorflow(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from fastapi.testclient import TestClient\n"
        "from kerasexp.web.access import Access; from kerasexp.browser.server import BrowserServer\n"
        "client = TestClient(BrowserServer(Path('runs'), Access.of('127.0.0.1')).app, base_url='http://127.0.0.1')\n"
        "answer = client.post('/new/draft', data={'experiment': 'part1_digits', 'set': 'training.epochs=0'})\n"
        "assert answer.json()['problems'], answer.text\n"
        "client.post('/new/draft', data={'experiment': 'part1_digits', 'set': 'training.distill=part1_digits'})\n"
        "print(sorted({'tensorflow', 'keras', 'cv2'} & sys.modules.keys()))"
    )
    Path("runs").mkdir()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_second_check_is_refused_and_waits_in_no_thread(client):
    from kerasexp.browser import launch_pages

    with launch_pages._check._running:
        answer = client.post("/new/check", data={"experiment": "mine.yaml"})
    assert answer.status_code == 200 and "check: another one is running; try again when it has ended" in answer.text


def test_the_page_of_the_queue_says_why_it_cannot_go_on(client, server):
    assert "cannot go on" not in client.get("/queue").text
    server.worker.failure = "the disk is <full>"
    server.worker.is_paused = False
    assert "cannot go on now, and tries again: the disk is &lt;full&gt;" in client.get("/queue").text
    server.worker.is_paused = True
    assert "cannot go on: the disk is &lt;full&gt;" in client.get("/queue").text


@pytest.mark.slow
def test_the_check_with_the_data_runs_in_a_process_of_its_own(client):
    assert "found nothing wrong" in client.post("/new/check", data={"experiment": "mine.yaml"}).text
    few = {"experiment": "mine.yaml", "set": 'data.labels.select=["0", "x"]'}
    page = html.unescape(client.post("/new/check", data=few).text)
    assert "The check with the data found:" in page and "'x'" in page
