"""The answers of `serve`, without a socket: those of `predict`, and refusals in words."""

import asyncio
import base64
import json
import re
import shutil
import struct
from pathlib import Path

import keras
import pytest
from hostile_bodies import REFUSED, as_json, form, header_only, hostile_bodies, image_file, png_bomb
from keras import layers
from prediction_client import NAME, open_client, send

from kerasexp.config.data_section import Preprocessing
from kerasexp.config.shipped_files import shipped_checkpoints
from kerasexp.environment import missing_of
from kerasexp.errors import Problem, UserError
from kerasexp.saving.checkpoint import write_sidecars
from kerasexp.saving.fitted_values import write_calibration

pytestmark = pytest.mark.skipif(
    bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"
)

LARGE = png_bomb(3000, 3000, 1)


def bmp_of_size(width: int, height: int) -> bytes:
    """A BMP file that declares another size than it has."""
    file = image_file("bmp")
    return file[:18] + struct.pack("<ii", width, height) + file[26:]


@pytest.fixture(scope="module")
def bounded():
    """A client of a server with low limits."""
    return open_client({NAME: Path(NAME)}, body_bytes=20_000, images=3, pixels=10_000, explained=1)[0]


@pytest.fixture
def files() -> list[Path]:
    for name, format, side in (
        ("a.png", "png", 64),
        ("b.jpg", "jpeg", 200),
        ("c.bmp", "bmp", 30),
        ("d.webp", "webp", 90),
    ):
        Path(name).write_bytes(image_file(format, side))
    return [Path(name) for name in ("a.png", "b.jpg", "c.bmp", "d.webp")]


def assert_same(found: list[dict], expected: list[dict]) -> None:
    assert [one.keys() for one in found] == [one.keys() for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["file"] == other["file"] and one["class"] == other["class"]
        assert [listed["class"] for listed in one["top"]] == [listed["class"] for listed in other["top"]]
        pairs = zip(one["top"], other["top"], strict=True)
        assert all(a["probability"] == pytest.approx(b["probability"], abs=2e-5) for a, b in pairs)


def test_answers_are_those_of_predict_in_every_kind_of_body(client, cli, files):
    expected = json.loads(cli("predict", NAME, *files, "--format", "json", "--top", 4).out)
    contents = [file.read_bytes() for file in files]
    address = "/predict?top=4"
    answer = client.post(address, files=[("files", (file.name, file.read_bytes())) for file in files])
    assert answer.status_code == 200, answer.text
    assert_same(answer.json(), expected)
    images = [{"file": f.name, "content": base64.b64encode(c).decode()} for f, c in zip(files, contents, strict=True)]
    assert_same(client.post(address, json={"images": images}).json(), expected)
    for k, content in enumerate(contents):
        (found,) = send(client, content, "application/octet-stream", address).json()
        assert_same([found | {"file": files[k].name}], [expected[k]])
        assert found["file"] == "image 0"
    url = "data:image/png;base64," + base64.b64encode(contents[0]).decode()
    found = client.post("/models/part2_pretrained/predict?top=4", json={"images": [url, url]}).json()
    assert [one["file"] for one in found] == ["image 0", "image 1"] and found[0]["top"] == found[1]["top"]


def test_an_explained_answer_has_images(client):
    (found,) = send(client, image_file(), "image/png", "/predict?explain=true").json()
    for key in ("input", "heat_map"):
        assert base64.b64decode(found[key].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert "input" not in send(client, image_file(), "image/png").json()[0]


def test_an_image_below_the_threshold_is_unknown():
    client, _ = open_client({NAME: Path(NAME)}, threshold=1.0)
    (found,) = send(client, image_file(), "image/png").json()
    assert found["class"] == "unknown" and found["is_unknown"] is True and found["probability"] < 1
    assert f'kerasexp_unknown_images_total{{model="{NAME}"}} 1.0' in client.get("/metrics").text


def test_the_threshold_of_the_checkpoint_counts(tmp_path):
    folder = shutil.copytree(shipped_checkpoints()[NAME], tmp_path / "strict")
    write_calibration(folder, 1.0, 1.0)
    client, _ = open_client({"strict": folder})
    assert send(client, image_file(), "image/png").json()[0]["class"] == "unknown"
    assert client.get("/models").json()[0]["threshold"] == 1.0


def test_several_labels_and_networks_without_heat_maps(tmp_path):
    from kerasexp.errors import UserError

    images = keras.Input((8, 8, 1), dtype="uint8")
    features = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    folder = tmp_path / "labels"
    folder.mkdir()
    keras.Model(images, layers.Dense(3, activation="sigmoid")(features)).save(folder / "model.keras")
    names = ["cat", "dog", "horse"]
    write_sidecars(folder, names, dict(zip(names, names, strict=True)), Preprocessing(size=[8, 8]), multi_label=True)
    client, _ = open_client({"labels": folder})
    (found,) = send(client, image_file(), "image/png").json()
    assert len(found["top"]) == 3 and "class" not in found and isinstance(found["labels"], list)
    answer = send(client, image_file(), "image/png", "/predict?explain=true")
    assert answer.status_code == 422 and "labels has no heat maps" in answer.json()["detail"]
    with pytest.raises(UserError, match="have thresholds of their own"):
        open_client({"labels": folder}, threshold=0.5)


def test_several_models_by_name(tmp_path):
    client, _ = open_client({"one": Path(NAME), "two": Path("part1_scans")})
    body = image_file(), "image/png"
    assert client.get("/health").json()["models"] == ["one", "two"]
    assert [len(model["classes"]) for model in client.get("/models").json()] == [10, 62]
    answer = send(client, *body)
    assert answer.status_code == 422 and answer.json()["detail"].endswith("served: one, two")
    by_query, by_path = (
        send(client, *body, address).json() for address in ("/predict?model=two&top=62", "/models/two/predict?top=62")
    )
    assert by_query == by_path and len(by_path[0]["top"]) == 62
    for address in ("/predict?model=tow", "/models/tow/predict"):
        answer = send(client, *body, address)
        assert answer.status_code == 404 and "did you mean 'two'?; served: one, two" in answer.json()["detail"]
    for text in ('<select id="model">', "<option>one</option>"):
        assert text in client.get("/").text


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"x" * 20_001, "image/png", 413, "the body is too long; at most 20,000 bytes"),
        (*form(*[("a.png", image_file())] * 4), 413, "too many images; at most 3 a request"),
        (*as_json(*[image_file()] * 4), 413, "too many images; at most 3 a request"),
        (image_file(side=101), "image/png", 413, "image 0: 10,201 pixels; at most 10,000"),
        (image_file("tiff", side=101), "image/tiff", 413, "image 0: 10,201 pixels; at most 10,000"),
        (LARGE, "image/png", 413, "image 0: 9,000,000 pixels"),
        # Two headers: decoders differ in which of them they take.
        (LARGE[:33] + png_bomb(10, 10, 1)[8:33] + LARGE[33:], "image/png", 413, "image 0: 9,000,000 pixels"),
        # More pixels than any image may have.
        (header_only(12_000, 10_000)[:33] + LARGE[33:], "image/png", 413, "image 0: 120,000,000 pixels"),
        (bmp_of_size(12_000, 10_000), "image/bmp", 413, "image 0: 120,000,000 pixels; at most 10,000"),
        (bmp_of_size(60_000, 60_000), "image/bmp", 413, "pixels; at most 10,000"),
        (image_file(), "text/plain", 415, "got 'text/plain'; send multipart/form-data"),
        (image_file(), "", 415, "got no content type"),
        (image_file()[:-20], "image/png", 422, "image 0: the PNG file is cut off"),
        (b"hello", "image/png", 422, "image 0: the file is no image of a supported format"),
        (b"", "image/png", 422, "the request has no image"),
        (*form(("a.png", image_file()), ("b.png", b"%PDF-1.7")), 422, "b.png: the file is PDF"),
        (*form(("a.png", image_file()), end=b""), 422, "the form is cut off"),
        (b'{"images": ["???"]}', "application/json", 422, "images.0: is not base64"),
        (b'{"images": []}', "application/json", 422, "images: List should have at least 1 item"),
        (b'{"image": []}', "application/json", 422, "images: Field required"),
        (b"{", "application/json", 422, "Invalid JSON"),
    ],
)
def test_refusals_say_why(bounded, body, kind, status, words):
    answer = send(bounded, body, kind)
    assert answer.status_code == status and words in answer.json()["detail"], answer.text


def test_wrong_parameters_are_named(bounded):
    body = image_file(), "image/png"
    answer = send(bounded, *body, "/predict?top=0")
    assert (
        answer.status_code == 422
        and answer.json()["detail"].startswith("top: ")
        and "got '0'" in answer.json()["detail"]
    )
    answer = send(bounded, *form(*[("a.png", image_file())] * 2), "/predict?explain=1")
    assert answer.status_code == 413 and answer.json()["detail"] == "too many images to explain; at most 1 a request"
    assert bounded.get("/predict").status_code == 405 and bounded.get("/nothing").json() == {"detail": "Not Found"}


def test_a_refusal_names_each_file(bounded):
    answer = send(bounded, *form(("a.png", b"1"), ("b.png", image_file()), ("a.png", image_file()[:99])))
    assert [file["file"] for file in answer.json()["files"]] == ["a.png", "a.png"]
    assert answer.json()["files"][1]["message"] == "the PNG file is cut off"


def test_what_requests_share_is_bounded():
    from fastapi import HTTPException

    from kerasexp.serving.request_limits import Budget

    shared = Budget(10, "full; try again")
    with shared.held(50):  # the first request gets what it needs
        with pytest.raises(HTTPException, match="full; try again") as refused:
            shared.take(1)
        assert refused.value.status_code == 503 and refused.value.headers == {"Retry-After": "1"}
    with shared.held(3), shared.held(7):
        assert shared.taken == 10
    assert shared.taken == 0


def test_a_body_that_does_not_end_is_given_up():
    from fastapi import HTTPException

    from kerasexp.serving.request_body import BodyReader
    from kerasexp.serving.request_limits import RequestLimits

    class Request:
        headers: dict[str, str] = {}

        async def stream(self):
            yield b"1"
            await asyncio.sleep(60)

    async def read() -> None:
        async with BodyReader(RequestLimits(upload_seconds=0.05)).read(Request()):
            pass

    with pytest.raises(HTTPException, match="the body took more than 0.05 s") as refused:
        asyncio.run(read())
    assert refused.value.status_code == 408


def test_some_hostile_bodies(client):
    for body, kind in hostile_bodies(40):
        answer = send(client, body, kind)
        assert answer.status_code in REFUSED, (kind, body[:80], answer.text)
        assert answer.json()["detail"] and "Traceback" not in answer.text
    assert send(client, image_file(), "image/png").status_code == 200


def test_a_failure_of_the_server_has_no_traceback(monkeypatch, capsys):
    client, _ = open_client({NAME: Path(NAME)})
    monkeypatch.setattr("kerasexp.serving.served_model.model_input", lambda *args: 1 / 0)
    answer = send(client, image_file(), "image/png")
    assert answer.status_code == 500 and answer.json() == {"detail": "the server failed; its output says why"}
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


def test_a_client_is_told_nothing_of_the_files_of_the_server(monkeypatch, capsys):
    client, _ = open_client({NAME: Path(NAME)})

    def fail(*args):
        raise UserError(Problem("cannot be read", "/home/someone/model.keras"))

    monkeypatch.setattr("kerasexp.serving.served_model.model_input", fail)
    answer = send(client, image_file(), "image/png")
    assert answer.status_code == 500 and answer.json() == {"detail": "the server failed; its output says why"}
    assert "/home/someone/model.keras: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["cancelled", "disconnected"])
def test_a_request_whose_client_went_away_is_no_failure_of_the_server(way):
    from fastapi import HTTPException
    from starlette.requests import ClientDisconnect

    from kerasexp.serving.prediction_server import PredictionServer
    from kerasexp.serving.request_limits import RequestLimits
    from kerasexp.serving.server_metrics import ServerMetrics
    from kerasexp.web.access import Access

    class Model:
        name = "m"

        def close(self):
            pass

    metrics = ServerMetrics()
    server = PredictionServer([Model()], Access.of("127.0.0.1"), RequestLimits(), metrics)

    async def leave(*args):
        raise asyncio.CancelledError if way == "cancelled" else ClientDisconnect

    server._answers = leave
    with pytest.raises((asyncio.CancelledError, HTTPException)):
        asyncio.run(server.predict_by(None, "m"))
    server.close()
    assert 'kerasexp_requests_total{model="m",status="499"} 1.0' in metrics.text().decode()


def test_the_pages_load_nothing_from_elsewhere(client):
    for address in ("/", "/docs"):
        answer = client.get(address)
        assert answer.status_code == 200 and "default-src 'none'" in answer.headers["content-security-policy"]
        links = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
        assert [link for link in links if not link.startswith(("/", "data:"))] == []
        assert all(client.get(link).status_code == 200 for link in links if link.startswith("/"))
    assert "POST /models/{name}/predict" in client.get("/docs").text
    assert client.get("/static/report.html").status_code == 404


def test_the_schema_is_whole(client):
    schema = client.get("/openapi.json").json()
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(schema)))
    assert references and references <= schema["components"]["schemas"].keys()
    assert '"#/$defs' not in json.dumps(schema)
    assert set(schema["paths"]["/predict"]["post"]["requestBody"]["content"]) == {
        "multipart/form-data",
        "application/json",
        "image/*",
    }


def test_a_form_may_have_as_many_images_as_the_limits_allow():
    """The parser of forms has a limit of its own, which is lower than that of --max-images."""
    from kerasexp.serving.request_limits import RequestLimits
    from kerasexp.serving.sent_images import sent_images

    body, kind = form(*[("a.png", b"1")] * 1100)
    files = asyncio.run(sent_images(body, kind, RequestLimits(images=1100)))
    assert len(files) == 1100 and files[-1].name == "a.png"
