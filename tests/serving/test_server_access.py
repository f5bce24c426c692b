"""Who reaches `serve`: other sites, the token of an address for others, and what its command line refuses."""

from pathlib import Path

import pytest
from hostile_bodies import image_file
from prediction_client import NAME, open_client

from kerasexp.environment import missing_of

pytestmark = pytest.mark.skipif(
    bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"
)


def test_other_sites_and_other_names_are_refused(client):
    body = image_file()
    elsewhere = {"origin": "http://example.org", "content-type": "image/png"}
    refused = client.post("/predict", content=body, headers=elsewhere)
    assert refused.status_code == 403 and "of a page of another site" in refused.json()["detail"]
    own = elsewhere | {"origin": "http://127.0.0.1:8000"}
    assert client.post("/predict", content=body, headers=own).status_code == 200
    assert client.get("/", headers={"host": "example.org"}).status_code == 403
    assert client.get("/health", headers={"host": "example.org"}).status_code == 200


def test_an_address_for_others_needs_the_token(monkeypatch):
    monkeypatch.setenv("KERASEXP_TOKEN", "a-token-of-my-own")
    client, token = open_client({NAME: Path(NAME)}, "0.0.0.0")
    assert token == "a-token-of-my-own" and client.get("/health").status_code == 200
    for address in ("/", "/docs", "/metrics", "/models", "/static/page.css"):
        assert client.get(address).status_code == 401
    body, kind = image_file(), {"content-type": "image/png"}
    for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": token}):
        refused = client.post("/predict", content=body, headers=kind | wrong)
        assert refused.status_code == 401 and "token" in refused.json()["detail"]
    right = {"authorization": f"Bearer {token}"}
    assert client.post("/predict", content=body, headers=kind | right).status_code == 200
    assert client.get("/metrics", headers=right).status_code == 200
    assert client.get("/", params={"token": token}).status_code == 303 and client.get("/").status_code == 200


@pytest.mark.parametrize("token", ["short", "with spaces in the token", "ümläute-in-the-token"])
def test_a_token_that_will_not_do(cli, monkeypatch, token):
    monkeypatch.setenv("KERASEXP_TOKEN", token)
    answer = cli("serve", NAME)
    assert answer.code == 2 and f"KERASEXP_TOKEN: has a token of {len(token)} characters" in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        ([NAME, NAME], "two checkpoints are called 'part2_pretrained'"),
        (["a b=" + NAME], "'a b' is no name"),
        ([NAME, "--threshold", 2], "--threshold"),
        ([NAME, "--port", 0], "--port"),
    ],
)
def test_mistakes_on_the_command_line(cli, arguments, words):
    answer = cli("serve", *arguments)
    assert answer.code == 2 and words in answer.err


def test_names_of_checkpoints():
    from kerasexp.serving.named_checkpoints import named_checkpoints

    given = [
        "part1_scans",
        "runs/digits/2",
        "b=runs/digits/2/checkpoint",
        "a/my_net/checkpoint/model.keras",
        "runs/x=1/net",
    ]
    assert [one.name for one in named_checkpoints(given)] == ["part1_scans", "digits-2", "b", "my_net", "net"]
    assert named_checkpoints(["b=x/y"])[0].path == Path("x/y")


def test_without_the_extra_the_command_says_how_to_get_it(cli, monkeypatch):
    monkeypatch.setattr("kerasexp.environment.missing_of", lambda extra: ["fastapi"])
    answer = cli("serve", NAME)
    assert answer.code == 2 and "`serve` needs fastapi: pip install 'kerasexp[serve]'" in answer.err
