"""Downloads that hang, drip, lie or break off: told within a bounded time, and nothing is left."""

import hashlib
import http.server
import threading
import time
from contextlib import suppress

import pytest

from kerasexp.data import download
from kerasexp.data.pictures import MissingData

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Gives the content in the manner that the path names."""

    def do_GET(self):
        if self.path == "/silent":
            time.sleep(3)
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
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_whole_download_is_there(address, tmp_path):
    target = download.download(f"{address}/whole", tmp_path / "new" / "file", SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("silent", "timed out"),
        ("dripping", "bytes in 1 s"),
        ("other", "SHA-256 differs"),
        ("broken", "SHA-256 differs|IncompleteRead|more expected"),
    ],
)
def test_what_goes_wrong_is_told_soon_and_leaves_nothing(address, tmp_path, path, said):
    begun = time.monotonic()
    with pytest.raises(MissingData, match=said):
        download.download(f"{address}/{path}", tmp_path / "file", SHA256)
    assert time.monotonic() - begun < 2.5
    assert list(tmp_path.glob("*file*")) == [] and list(tmp_path.glob(".file*")) == []


def test_a_file_that_is_there_stays_when_a_new_download_fails(address, tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises(MissingData):
        download.download(f"{address}/broken", tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == b"before"
