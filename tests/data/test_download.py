"""Downloads that hang, drip, lie or break off are reported soon and leave only what the next try can resume."""

import fcntl
import hashlib
import http.server
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from kerasexp.data import download
from kerasexp.data.source import MissingData

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Gives the content in the manner that the path names."""

    def do_GET(self):
        if self.path == "/silent":
            time.sleep(3)
            return
        if self.path.startswith("/parts"):
            self.give_parts()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/whole":
            self.wfile.write(CONTENT)
        elif self.path == "/other":
            self.wfile.write(CONTENT[::-1])
        elif self.path == "/broken":
            self.wfile.write(CONTENT[:1000])
        elif self.path == "/dripping":
            for byte in CONTENT[:100]:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)

    def give_parts(self):
        """Answer as a server that knows of ranges, or as the path says; note what was asked for."""
        asked = self.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if asked and self.path == "/parts-ignored":
            start, asked = 0, None
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            first = 0 if self.path == "/parts-from-elsewhere" else start
            self.send_header("Content-Range", f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        # The first answer breaks off; a slow one takes a while.
        if self.path == "/parts-slow":
            time.sleep(0.3)
        elif len(self.asked) == 1:
            body = body[:30_000]
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

    def handle(self):
        with suppress(OSError):  # the other side has gone, as it should
            super().handle()


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 0.5)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        monkeypatch.setattr(Server, "asked", [], raising=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_complete_download(address, tmp_path):
    target = download.download(f"{address}/whole", tmp_path / "new" / "file", SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("silent", "timed out"),
        ("dripping", "bytes in 1 s"),
        ("other", "SHA-256 differs"),
        ("broken", "SHA-256 differs|IncompleteRead|bytes missing"),
    ],
)
def test_failures_are_reported_soon_and_leave_nothing(address, tmp_path, path, message):
    begun = time.monotonic()
    with pytest.raises(MissingData, match=message):
        download.download(f"{address}/{path}", tmp_path / "file", SHA256)
    assert time.monotonic() - begun < 2.5
    assert list(tmp_path.glob("*file*")) == [] and list(tmp_path.glob(".file*")) == []


def test_an_existing_file_stays_when_a_new_download_fails(address, tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises(MissingData):
        download.download(f"{address}/broken", tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == b"before"


# Going on


PART = f"file.{SHA256[:12]}.part"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("checksum", [f"sha256:{SHA256}", f"md5:{MD5}", SHA256], ids=["sha256", "md5", "bare"])
def test_the_checksum_may_be_of_either_kind(address, tmp_path, checksum):
    assert download.download(f"{address}/whole", tmp_path / "file", checksum).read_bytes() == CONTENT
    with pytest.raises(MissingData, match="its MD5 differs" if checksum.startswith("md5") else "its SHA-256 differs"):
        download.download(f"{address}/other", tmp_path / "another", checksum)
    assert names(tmp_path) == ["file"]


def test_an_interrupted_download_is_resumed(address, tmp_path):
    with pytest.raises(MissingData, match="72,400 bytes missing.*; 30,000 bytes are kept, and the next try"):
        download.download(f"{address}/parts", tmp_path / "file", SHA256)
    assert names(tmp_path) == [PART]
    download.download(f"{address}/parts", tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT and names(tmp_path) == ["file"]
    assert Server.asked == [None, "bytes=30000-"]


@pytest.mark.parametrize("path", ["parts-ignored", "parts-from-elsewhere"])
def test_without_range_support_the_download_restarts(address, tmp_path, path):
    with pytest.raises(MissingData):
        download.download(f"{address}/{path}", tmp_path / "file", SHA256)
    download.download(f"{address}/{path}", tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT and names(tmp_path) == ["file"]
    assert Server.asked == [None, "bytes=30000-", None]


@pytest.mark.parametrize("part", [b"?" * 30_000, b"?" * len(CONTENT), CONTENT + b"?"], ids=["other", "whole", "longer"])
def test_a_part_of_another_file_is_discarded(address, tmp_path, part):
    Server.asked.append("an answer before")
    (tmp_path / PART).write_bytes(part)
    assert download.download(f"{address}/parts", tmp_path / "file", SHA256).read_bytes() == CONTENT
    assert names(tmp_path) == ["file"] and Server.asked[-1] is None


def test_a_complete_part_needs_no_server(tmp_path):
    (tmp_path / PART).write_bytes(CONTENT)
    download.download("http://127.0.0.1:9/file", tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT and names(tmp_path) == ["file"]


def test_a_part_is_kept_without_a_connection(tmp_path):
    (tmp_path / PART).write_bytes(CONTENT[:1000])
    with pytest.raises(MissingData, match="refused.*; 1,000 bytes are kept"):
        download.download("http://127.0.0.1:9/file", tmp_path / "file", SHA256)
    assert (tmp_path / PART).read_bytes() == CONTENT[:1000] and names(tmp_path) == [PART]


def test_an_endless_file_is_given_up(address, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 20_000)
    with pytest.raises(MissingData, match=r"\(more than 20,000 bytes\)$"):
        download.download(f"{address}/parts", tmp_path / "file", SHA256)
    assert names(tmp_path) == []


def test_concurrent_processes_download_once(address, tmp_path, capfd):
    with ThreadPoolExecutor(3) as pool:
        fetched = [pool.submit(download.download, f"{address}/parts-slow", tmp_path / "file", SHA256) for _ in range(3)]
        assert [one.result().read_bytes() for one in fetched] == [CONTENT] * 3
    assert names(tmp_path) == ["file"] and Server.asked == [None]
    assert "waiting for another process" in capfd.readouterr().err


def test_a_waiting_process_resumes_a_failed_download(address, tmp_path):
    Server.asked.append("an answer before")
    lock = tmp_path / PART.replace(".part", ".lock")
    with lock.open("a") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = pool.submit(download.download, f"{address}/parts", tmp_path / "file", SHA256)
        time.sleep(0.2)
        assert not waiting.done()
        (tmp_path / PART).write_bytes(CONTENT[:5000])
        lock.unlink()
        held.close()
        assert waiting.result().read_bytes() == CONTENT
    assert Server.asked[-1] == "bytes=5000-" and names(tmp_path) == ["file"]
