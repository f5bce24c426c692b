"""Whose code runs: one's own without a question, another's after one, and nothing that its digest does not cover."""

import json
import os
import py_compile
import shutil
from pathlib import Path

import pytest
from user_code import FILES, write_code

from kerasexp.config import code_reference, load_experiment
from kerasexp.custom import trust
from kerasexp.custom.code_import import import_code
from kerasexp.errors import UserError

MARKER = "ran.txt"
# Code that leaves a trace where it is run.
TRACED = f"open({MARKER!r}, 'a').write('x')\n" + FILES["my_net.py"]
MODEL = "data: digits\nmodel: {name: NET, width: 4}\ntraining: {epochs: 1}\n"


@pytest.fixture
def theirs(tmp_path) -> Path:
    """A network of somebody else's, and an experiment of one's own that names it."""
    write_code(tmp_path / "theirs", my_net__py=TRACED)
    (tmp_path / "mine").mkdir()
    experiment = tmp_path / "mine" / "exp.yaml"
    experiment.write_text(MODEL.replace("NET", "../theirs/my_net.py:build"))
    return experiment


def forget() -> None:
    """Be another user."""
    trust._granted.clear()
    trust.trust_file().unlink(missing_ok=True)


def has_run() -> bool:
    found = Path(MARKER).exists()
    Path(MARKER).unlink(missing_ok=True)
    return found


def test_reading_an_experiment_runs_nothing(cli, theirs):
    for command in ("show", "list"):
        assert cli(command, theirs if command == "show" else theirs.parent).code == 0
    load_experiment(theirs)
    assert not has_run()


@pytest.mark.parametrize("command", ["check", "run", "diagnose", "pack"])
def test_code_from_outside_the_folder_is_refused_with_its_file_and_digest(cli, theirs, command):
    more = ["--output", "packed"] if command == "pack" else []
    answer = cli(command, theirs, *more)
    net = theirs.parent.parent / "theirs" / "my_net.py"
    assert answer.code == 2 and not has_run()
    for part in ("model", str(net), load_experiment(theirs).model.digest, "--trust-code"):
        assert part in answer.err


def test_it_is_asked_once_and_again_after_a_change(cli, theirs):
    assert cli("check", theirs, "--trust-code").code == 0 and has_run()
    assert cli("check", theirs).code == 0
    content = json.loads(trust.trust_file().read_text())
    assert content.keys() == {load_experiment(theirs).model.digest}
    blocks = theirs.parent.parent / "theirs" / "blocks.py"
    blocks.write_text(blocks.read_text() + "\n# changed\n")
    answer = cli("check", theirs)
    assert answer.code == 2 and "--trust-code" in answer.err


def test_diagnose_takes_the_option_too(cli, tmp_path):
    write_code(tmp_path / "theirs")
    (tmp_path / "mine").mkdir()
    experiment = tmp_path / "mine" / "exp.yaml"
    experiment.write_text("data: {source: {name: '../theirs/my_source.py:load'}, preprocessing: {size: [12, 12]}}\n")
    assert cli("diagnose", experiment).code == 2
    answer = cli("diagnose", experiment, "--trust-code")
    assert answer.code == 0 and answer.last_line == "diagnosis.html", answer.err
    assert cli("diagnose", experiment).code == 0


def test_ones_own_folder_and_what_is_below_need_no_question(cli, tmp_path):
    write_code(tmp_path / "mine" / "nets")
    (tmp_path / "mine" / "exp.yaml").write_text(MODEL.replace("NET", "nets/my_net.py:build"))
    assert cli("check", tmp_path / "mine" / "exp.yaml").code == 0
    assert trust.trust_file().is_file()


def test_a_link_does_not_bring_code_into_the_folder(cli, theirs):
    os.symlink(theirs.parent.parent / "theirs", theirs.parent / "linked")
    theirs.write_text(MODEL.replace("NET", "linked/my_net.py:build"))
    assert cli("check", theirs).code == 2 and not has_run()


def test_a_link_to_a_module_beside_ones_own_code_is_asked_about(cli, theirs):
    mine = theirs.parent
    (mine / "net.py").write_text(
        "import helper\n\n\ndef build(images, *, width: int):\n    return helper.build(images, width=width)\n"
    )
    (mine / "helper.py").symlink_to(theirs.parent.parent / "theirs" / "my_net.py")
    theirs.write_text(MODEL.replace("NET", "net.py:build"))
    answer = cli("run", theirs)
    assert answer.code == 2 and "--trust-code" in answer.err and not has_run()


def test_the_folder_of_an_experiment_that_is_named_is_that_of_its_file(cli, theirs, monkeypatch, tmp_path):
    own = tmp_path / "experiments"
    theirs.parent.rename(own)
    answer = cli("run", "exp")
    assert answer.code == 2 and "--trust-code" in answer.err and not has_run()
    # Below the folder of the experiment, and not below the working folder's file of that name.
    (own / "nets").mkdir()
    write_code(own / "nets", my_net__py=TRACED)
    (own / "nets" / "exp.yaml").write_text(MODEL.replace("NET", "my_net.py:build"))
    assert cli("check", "nets/exp").code == 0


def test_a_base_in_another_folder_names_files_there_and_is_asked_about(cli, theirs):
    base = theirs.parent.parent / "theirs" / "base.yaml"
    base.write_text(MODEL.replace("NET", "my_net.py:build"))
    theirs.write_text("base: ../theirs/base.yaml\n")
    assert load_experiment(theirs).model.reference.file == base.with_name("my_net.py")
    assert cli("check", theirs).code == 2 and not has_run()


def test_a_function_of_an_installed_module_is_asked_about(cli, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text("data: {source: {name: 'subprocess:getoutput', cmd: touch ran.txt}}\n")
    answer = cli("check", path)
    assert answer.code == 2 and "subprocess.py" in answer.err and not has_run()


def test_the_code_in_a_run_directory_may_be_anyones(cli, theirs, tmp_path):
    done = cli("run", theirs, "--trust-code", "--set", "report.plots=false", "--run-dir", tmp_path / "run")
    assert done.code == 0 and has_run(), done.err
    forget()
    for command in ("run", "check", "diagnose"):
        assert cli(command, tmp_path / "run" / "experiment.yaml").code == 2
    assert cli("report", tmp_path / "run").code == 2 and not has_run()
    # An ordinary network is loaded without its code.
    assert cli("evaluate", tmp_path / "run", "--data", "digits").code == 0 and not has_run()


def test_only_what_the_digest_covers_is_imported(theirs):
    net = theirs.parent.parent / "theirs" / "my_net.py"
    hidden = net.with_name("hidden.py")
    hidden.write_text(f"open({MARKER!r}, 'a').write('x')\n")
    net.write_text(
        "import importlib\n"
        + FILES["my_net.py"].replace("    x =", "    importlib.import_module('hidden')\n    x =", 1)
    )
    code = load_experiment(theirs).model
    trust.remember([code])
    import keras

    with pytest.raises(Exception, match="ModuleNotFoundError"):
        import_code(code)(keras.Input((8, 8, 1)))
    assert not has_run()


def test_bytecode_beside_the_source_is_not_run(theirs):
    """A stranger could send a file of bytecode that has the time and size of the source."""
    blocks = theirs.parent.parent / "theirs" / "blocks.py"
    honest, times = blocks.read_text(), blocks.stat()
    evil = f"open({MARKER!r}, 'a').write('x')\ndef down(x, width, name): return x\n"
    blocks.write_text(evil.ljust(len(honest), "#"))
    os.utime(blocks, ns=(times.st_atime_ns, times.st_mtime_ns))
    py_compile.compile(str(blocks), doraise=True)
    blocks.write_text(honest)
    os.utime(blocks, ns=(times.st_atime_ns, times.st_mtime_ns))
    code = load_experiment(theirs).model
    trust.remember([code])
    Path(MARKER).unlink(missing_ok=True)
    import keras

    import_code(code)(keras.Input((8, 8, 1)))
    assert Path(MARKER).read_text() == "x"  # of my_net.py alone


def test_code_that_changes_after_it_was_read_does_not_run(theirs):
    code = load_experiment(theirs).model
    trust.remember([code])
    net = theirs.parent.parent / "theirs" / "my_net.py"
    net.write_text(net.read_text() + "\n# changed\n")
    with pytest.raises(UserError, match="has changed"):
        import_code(code)
    assert not has_run()


def test_a_checkpoint_names_only_code_that_lies_in_it(cli, tmp_path, theirs):
    """Else it could have trusted code of this machine run with arguments of its own."""
    trust.remember([load_experiment(theirs).model])
    root = Path(__file__).resolve().parents[2]
    shutil.copytree(root / "checkpoints" / "part2_pretrained", tmp_path / "sent")
    for name in ("../theirs/my_net.py:build", str(tmp_path / "theirs" / "my_net.py:build")):
        content = {"model": {"name": name, "width": 4}, "precision": "float32"}
        (tmp_path / "sent" / "code.json").write_text(json.dumps(content))
        answer = cli("predict", tmp_path / "sent", root / "docs" / "report.png")
        assert answer.code == 2 and "not in the checkpoint" in answer.err and not has_run()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": 3}', '{"model": {"name": "x"}}', "[" * 10**5, "{" * 9])
def test_a_strange_code_json_is_refused(cli, tmp_path, content):
    root = Path(__file__).resolve().parents[2]
    shutil.copytree(root / "checkpoints" / "part2_pretrained", tmp_path / "sent")
    (tmp_path / "sent" / "code.json").write_text(content)
    answer = cli("predict", tmp_path / "sent", root / "docs" / "report.png")
    assert answer.code == 2 and "code.json" in answer.err


def test_a_damaged_memory_is_an_empty_one(theirs, cli):
    trust.trust_file().parent.mkdir(parents=True)
    for content in ("", "[1]", "{"):
        trust.trust_file().write_text(content)
        assert cli("check", theirs).code == 2
    assert cli("check", theirs, "--trust-code").code == 0 and cli("check", theirs).code == 0


def test_a_name_that_an_installed_package_registers_needs_no_question(cli, tmp_path, monkeypatch):
    site = tmp_path / "site"
    write_code(site / "their_package", nets__py=FILES["my_net.py"].replace("from blocks", "from their_package.blocks"))
    info = site / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kerasexp.models]\ntheir_net = their_package.nets:build\n")
    monkeypatch.syspath_prepend(str(site))
    (tmp_path / "exp.yaml").write_text(MODEL.replace("NET", "their_net"))
    for cached in (code_reference.registered, code_reference._entry_points):
        cached.cache_clear()
    try:
        checked = cli("check", tmp_path / "exp.yaml")
        assert checked.code == 0 and not trust.trust_file().exists(), checked.err
        assert "kerasexp.models: their_net (their_package.nets:build)" in cli("doctor").out
        (tmp_path / "exp.yaml").write_text(MODEL.replace("NET", "their_package.nets:build"))
        assert cli("check", tmp_path / "exp.yaml").code == 2  # any module may be named so
        (tmp_path / "exp.yaml").write_text(MODEL.replace("NET", "their_nett"))
        assert "did you mean 'their_net'" in cli("check", tmp_path / "exp.yaml").err
    finally:
        for cached in (code_reference.registered, code_reference._entry_points):
            cached.cache_clear()
