"""What a range test suggests, from curves that are known, and on real batches."""

from pathlib import Path

import numpy as np
import pytest

from kerasexp.training.range_test import RangeTest

RATES = np.geomspace(1e-4, 1, 101)


def found(losses, diverged=False):
    losses = np.array(losses)
    return RangeTest(RATES[: len(losses)], losses, losses, diverged)


def test_a_tenth_of_the_rate_with_the_lowest_loss_is_suggested():
    test = found(np.abs(np.log(RATES) - np.log(0.03)))
    assert test.rates[test.lowest] == pytest.approx(0.03, rel=0.05)
    assert test.suggestion == pytest.approx(0.003, rel=0.05) and "a tenth of it" in test.explanation


def test_a_loss_that_still_falls_or_never_falls_gives_no_suggestion():
    still = found(np.linspace(2, 1, 101))
    assert still.suggestion is None and "try a higher --highest" in still.explanation
    never = found(np.linspace(1, 2, 101))
    assert never.suggestion is None and "try a lower --lowest" in never.explanation
    ended = found(np.linspace(2, 1, 60), diverged=True)
    assert ended.suggestion == pytest.approx(0.1 * RATES[59], rel=0.05)


def test_the_command_writes_a_curve_and_no_run(cli, tiny_yaml):
    asked = ["find-learning-rate", tiny_yaml, "--steps", "30", "--set", "training.loss={class_weights: balanced}"]
    # What a course of the rate or an average would disturb is left out.
    more = ["training.schedule=cosine", "training.average=ema", "training.fine_tune={head_epochs: 1}"]
    answer = cli(*asked, *(word for change in more for word in ("--set", change)))
    assert answer.code == 0, answer.err
    assert answer.last_line == "no suggestion" or answer.last_line.startswith("--set training.optimizer.learning_rate=")
    page = Path("learning_rate.html").read_text()
    assert "tiny: learning rate</h1>" in page and "data:image/png;base64," in page
    first = Path("learning_rate.png").read_bytes()
    assert not Path("runs").exists()
    assert cli(*asked, "--output", "new/again.html").code == 0
    assert cli(*asked, "--output", "new/seeded.html", "--set", "seed=1").code == 0
    assert Path("new/again.png").read_bytes() == first != Path("new/seeded.png").read_bytes()


def test_mixed_images_are_trained_on_too(cli, tiny_yaml):
    mixed = "data.augmentation={mixup: 0.4, cutmix: 1, shift: 0.1}"
    answer = cli("find-learning-rate", tiny_yaml, "--steps", "20", "--set", mixed)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--lowest", "1", "--highest", "0.1"], "--lowest, --highest: got 1 and 0.1"),
        (["--set", "init={experiment: upstream.yaml}"], "init.experiment: upstream has not been run here"),
        (["--output", "."], "the name of the page must end in .html"),
        (["--output", "lr.png"], "lr.png: --output: the name of the page must end in .html"),
        (["--output", "images.html"], "images.html: --output: is a folder, and the page is a file"),
    ],
)
def test_what_has_no_range_is_refused(cli, tiny_yaml, monkeypatch, arguments, told):
    monkeypatch.setattr("kerasexp.runs.learning_rate_range.range_test", None)
    Path("images.html").mkdir()
    tiny_yaml.with_name("upstream.yaml").write_text("base: tiny.yaml")
    answer = cli("find-learning-rate", tiny_yaml, *arguments)
    assert answer.code == 2 and told in answer.err and "Traceback" not in answer.err, answer.err
    assert not Path("runs").exists() and not Path("learning_rate.html").exists()


def test_a_classical_head_has_no_learning_rate(cli, tmp_path):
    (tmp_path / "svm.yaml").write_text("{data: digits, model: {name: cnn, head: {svm: {kernel: linear}}}}")
    answer = cli("find-learning-rate", "svm.yaml")
    assert answer.code == 2 and "has no learning rate (model.head.svm)" in answer.err
