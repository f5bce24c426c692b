"""Teachers whose network needs code: whose it is, is asked in runs, studies and searches alike."""

import json
from pathlib import Path

import pytest

from kerasexp.config import load
from kerasexp.custom import trust
from kerasexp.saving.teacher_checkpoints import teacher_questions, trust_teachers

SMALL = "data: digits\nmodel: {name: mlp, units: [8]}\n"
ASKED = {
    "run": SMALL + "training: {epochs: 1, distill: teacher}\n",
    "study": "seeds: [0]\nvariants: {alone: {}, taught: {training: {distill: teacher}}}\n" + SMALL,
    "search": SMALL + "training: {epochs: 1, distill: teacher, optimizer: {learning_rate: {float: [0.001, 0.1]}}}\n"
    "search: {max_trials: 2}\n",
    "upstream": SMALL + "init: {experiment: taught.yaml}\n",
    "search of an upstream": SMALL.replace("[8]", "{choice: [[8], [16]]}")
    + "init: {experiment: taught.yaml, layers: none}\nsearch: {max_trials: 2}\n",
    "choice": SMALL
    + "training: {epochs: 1, distill: {checkpoint: {choice: [plain, teacher]}}}\nsearch: {max_trials: 2}\n",
}


@pytest.fixture(autouse=True)
def teachers():
    """Write what is read of a checkpoint before its network is built: one that needs code, and one that needs none."""
    for name in ("teacher", "plain"):
        folder = Path(name)
        folder.mkdir()
        for file in ("model.keras", "classes.json", "preprocessing.json"):
            (folder / file).write_bytes(b"")
    (Path("teacher") / "code").mkdir()
    Path("teacher/code/net.py").write_text("def build(images):\n    return images\n")
    Path("teacher/code.json").write_text(json.dumps({"model": {"name": "code/net.py:build"}, "precision": "float32"}))


@pytest.mark.parametrize("kind", ASKED)
def test_the_code_of_a_teacher_is_a_question_until_it_is_trusted(kind):
    Path("taught.yaml").write_text(ASKED["run"])
    Path("asked.yaml").write_text(ASKED[kind])
    asked = load(Path("asked.yaml"))
    (question,) = teacher_questions(asked)
    assert "net.py" in question.message and "--trust-code" in question.message
    trust_teachers(asked)
    assert teacher_questions(asked) == []
    trust._granted.clear()
    assert teacher_questions(asked) == []  # it is remembered


def test_a_search_without_teachers_asks_nothing():
    Path("asked.yaml").write_text(ASKED["search"].replace("distill: teacher, ", ""))
    assert teacher_questions(load(Path("asked.yaml"))) == []


def test_a_teacher_that_is_not_there_is_no_question():
    Path("asked.yaml").write_text(ASKED["run"].replace("teacher", "nothing"))
    assert teacher_questions(load(Path("asked.yaml"))) == []
