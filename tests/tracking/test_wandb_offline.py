"""W&B in offline mode: the files in the run directory hold what the run did."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="Weights & Biases is not installed: pip install 'kerasexp[wandb]'")
pytestmark = pytest.mark.slow

ONE = """
track: wandb
data: digits
model: {name: mlp, units: [8]}
training: {epochs: 2, batch_size: 64}
report: {plots: false}
"""
# Of a file of W&B, which has the format of LevelDB's log: its own header, a block, and the header of a record.
HEADER, BLOCK, RECORD = 7, 32768, 7


def records(path: Path):
    """Yield the records of a file of W&B, as its own protocol defines them."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, part = path.read_bytes(), HEADER, b""
    while at + RECORD <= len(content):
        if BLOCK - at % BLOCK < RECORD:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + RECORD])
        at += RECORD
        part += content[at : at + length]
        at += length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(part)
            part = b""
            yield record


def read(path: Path) -> dict:
    """Return id, curve, parameters and exit code of a file."""
    found = {"curve": {}, "parameters": {}}
    for record in records(path):
        if record.HasField("run"):
            found["id"], found["project"] = record.run.run_id, record.run.project
        if record.HasField("config"):
            found["parameters"] |= {item.key: json.loads(item.value_json) for item in record.config.update}
        if record.HasField("history"):
            row = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            found["curve"][row["epoch"]] = row["loss"]
        if record.HasField("exit"):
            found["exit"] = record.exit.exit_code
    return found


def test_files_of_offline_mode_hold_the_run_and_resume_continues_it(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "digits")
    (tmp_path / "one.yaml").write_text(ONE)
    answer = cli("run", "one.yaml")
    run = Path(answer.last_line)
    assert answer.code == 0 and f"wandb: {run.resolve()}/wandb, for `wandb sync`" in answer.out
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    first, files = read(file), file.parent / "files"
    assert first["project"] == "digits" and list(first["curve"]) == [1, 2] and first["exit"] == 0
    assert first["parameters"]["training.epochs"] == 2 and first["parameters"]["kerasexp.kind"] == "run"
    for name in ("report.html", "requirements.txt", "checkpoint/model.keras"):
        assert (files / name).is_file() and not (files / name).is_symlink()

    assert cli("run", "one.yaml", "--resume", "--set", "training.epochs=3").code == 0
    (other,) = {*run.glob("wandb/offline-run-*/*.wandb")} - {file}
    second = read(other)
    assert second["id"] == first["id"] and list(second["curve"]) == [3] and second["exit"] == 0
    rows = [line.split(",") for line in (run / "history.csv").read_text().splitlines()]
    losses = [float(row[rows[0].index("loss")]) for row in rows[1:]]
    assert [*first["curve"].values(), *second["curve"].values()] == pytest.approx(losses, abs=0)


def test_a_missing_key_stops_no_training(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "one.yaml").write_text(ONE)
    answer = cli("run", "one.yaml", "--set", "training.epochs=1")
    assert answer.code == 0
    (told,) = [line for line in answer.out.splitlines() if line.startswith("wandb")]
    assert "the training goes on" in told and "track sync" in told


def test_what_is_switched_off_is_said(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "one.yaml").write_text(ONE)
    answer = cli("run", "one.yaml", "--set", "training.epochs=1")
    assert answer.code == 0 and "it is switched off by WANDB_MODE or `wandb disabled`" in answer.out
