"""`serve` in a process of its own: many clients, hostile ones, and its end."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hostile_bodies import REFUSED, form, hostile_bodies, image_file
from served import served

from kerasexp.environment import missing_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"),
]
NAME = "part2_pretrained"


def post(site: str, body: bytes, kind: str, address: str = "/predict") -> tuple[int, object]:
    """Return status and content of an answer."""
    request = urllib.request.Request(site + address, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def resident_kib(process: subprocess.Popen) -> int:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.fixture(scope="module")
def server():
    with served(NAME) as (process, site):
        yield process, site


def test_eight_clients_get_the_answers_of_predict(server, cli):
    files = []
    for k in range(24):
        files.append(Path(f"{k}.{('png', 'jpeg', 'bmp', 'webp')[k % 4]}"))
        files[-1].write_bytes(image_file(files[-1].suffix[1:], 40 + 9 * k))
    expected = json.loads(cli("predict", NAME, *files, "--format", "json").out)
    with ThreadPoolExecutor(8) as clients:
        found = list(clients.map(lambda k: post(server[1], files[k % 24].read_bytes(), "image/*"), range(200)))
    for k, (status, (answer,)) in enumerate(found):
        assert status == 200 and answer["class"] == expected[k % 24]["class"]
        assert answer["probability"] == pytest.approx(expected[k % 24]["probability"], abs=1e-4)
    with urllib.request.urlopen(f"{server[1]}/metrics") as metrics:
        lines = [line.rpartition(" ") for line in metrics.read().decode().splitlines() if not line.startswith("#")]
    counted = {name: float(value) for name, _, value in lines}
    batches = counted[f'kerasexp_batch_images_count{{model="{NAME}"}}']
    assert counted[f'kerasexp_batch_images_sum{{model="{NAME}"}}'] > batches > 0


def test_two_hundred_hostile_bodies_are_refused_and_it_goes_on_answering(server):
    process, site = server
    good = image_file()
    before = resident_kib(process) if sys.platform == "linux" else 0

    def hostile(body: bytes, kind: str) -> tuple[int, object]:
        try:
            return post(site, body, kind)
        except urllib.error.URLError:  # refused before all was sent
            return 413, {"detail": "closed"}

    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda one: hostile(*one), hostile_bodies(200)))
        assert {status for status, _ in answers} <= REFUSED
        assert all(content["detail"] and "Traceback" not in content["detail"] for _, content in answers)
    assert post(site, good, "image/png")[0] == 200
    if sys.platform == "linux":
        assert resident_kib(process) - before < 700_000
    assert process.poll() is None


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 1073741824",
        "Content-Length: 99999999999999999999999999",
        "Content-Length: 1073741824\r\nExpect: 100-continue",
    ],
)
def test_a_gigabyte_that_is_announced_is_refused_before_it_is_sent(server, head):
    host, port = server[1].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        request = f"POST /predict HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: image/png\r\n{head}\r\n\r\n"
        connection.sendall(request.encode() + bytes(1000))
        answer = connection.recv(2000).decode()
    # Some numbers are refused by the HTTP server itself.
    assert answer.startswith(("HTTP/1.1 413", "HTTP/1.1 400"))
    assert post(server[1], image_file(), "image/png")[0] == 200


def test_a_body_in_pieces_without_a_length_is_bounded(server):
    def pieces():
        for _ in range(40):
            yield bytes(2**20)

    request = urllib.request.Request(f"{server[1]}/predict", pieces(), {"Content-Type": "image/png"})
    with pytest.raises(urllib.error.URLError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert getattr(refused.value, "code", 413) == 413


def test_clients_that_stop_halfway_hold_nothing_up(server):
    host, port = server[1].removeprefix("http://").split(":")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
    waiting = [socket.create_connection((host, int(port))) for _ in range(20)]
    for connection in waiting:
        connection.sendall(head.encode() + bytes(10))
    assert post(server[1], image_file(), "image/png")[0] == 200
    for connection in waiting:
        connection.close()
    assert post(server[1], image_file(), "image/png")[0] == 200


def test_connections_whose_request_does_not_arrive_are_closed(server):
    from kerasexp.serving.silent_connections import HEADER_SECONDS

    host, port = server[1].removeprefix("http://").split(":")
    request = f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    silent, first, second = (socket.create_connection((host, int(port)), timeout=3 * HEADER_SECONDS) for _ in range(3))
    with silent, first, second:
        first.sendall(request[:9])
        second.sendall(request)
        assert second.recv(2**16).startswith(b"HTTP/1.1 200")
        second.sendall(request[:9])  # a part of the next one ends the time of `timeout_keep_alive`
        for connection in (silent, first, second):
            with suppress(ConnectionError):
                while connection.recv(2**16):  # raises TimeoutError where it is not closed
                    pass
    assert post(server[1], image_file(), "image/png")[0] == 200


def test_more_than_may_wait_is_refused_with_words(server):
    body, kind = form(*[("a.png", image_file(side=700))] * 64)
    with ThreadPoolExecutor(24) as clients:
        answers = list(clients.map(lambda _: post(server[1], body, kind), range(24)))
    refused = [content["detail"] for status, content in answers if status == 503]
    assert refused and all("too many images wait" in words for words in refused)
    assert {status for status, _ in answers} == {200, 503}
    assert post(server[1], image_file(), "image/png")[0] == 200


def test_sigterm_lets_it_answer_what_is_in_flight():
    body, kind = form(*[("a.png", image_file(side=1500))] * 40)
    with served(NAME) as (process, site), ThreadPoolExecutor(3) as clients:
        answers = [clients.submit(post, site, body, kind) for _ in range(3)]
        time.sleep(0.25)
        process.send_signal(signal.SIGTERM)
        found = [answer.result() for answer in answers]
        assert [(status, len(content)) for status, content in found] == [(200, 40)] * 3
        assert process.wait(30) == 0
        with pytest.raises(urllib.error.URLError):
            post(site, image_file(), "image/png")


def test_ctrl_c_ends_it():
    with served(NAME) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "kerasexp", "serve", NAME, "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and f"127.0.0.1:{port}: cannot be listened at" in done.stderr
