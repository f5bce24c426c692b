"""Questions about runs: keys, sorting, messages; the best run; texts of the list."""

import csv
import io
import json
from pathlib import Path

import pytest
from many_runs import write_run, write_runs

from kerasexp.browser.best_run import ranking, remarks
from kerasexp.browser.run_index import RunIndex
from kerasexp.browser.run_query import Answer, Question, ask
from kerasexp.browser.run_tags import RunTags, read_tags, write_tags
from kerasexp.browser.table import cell, runs_text
from kerasexp.errors import UserError


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> RunIndex:
    folder = write_runs(tmp_path_factory.mktemp("all"), 8)
    write_run(folder / "failed", 8, "failed")
    write_tags(folder / "name_1/1", RunTags(("old",), archived=True))
    return RunIndex(folder)


@pytest.fixture
def asked(index):
    def answer(*arguments, **more) -> Answer:
        index.refresh()
        return ask(index, Question(*arguments, **more))

    return answer


def test_runs_are_sorted_newest_first_and_those_without_the_key_come_last(asked):
    assert [row["path"] for row in asked().rows][:2] == ["failed", "name_7/1"]
    by = [row.get("test.accuracy") for row in asked(sort="test.accuracy").rows]
    assert by[:-1] == sorted(by[:-1]) and by[-1] is None
    assert [row.get("test.accuracy") for row in asked(sort="-test.accuracy").rows] == [*reversed(by[:-1]), None]


def test_archived_runs_are_left_out_unless_they_are_asked_for(asked):
    assert len(asked().rows) == 8 and len(asked(archived=True).rows) == 9
    assert [row["path"] for row in asked("archived = true").rows] == ["name_1/1"]


def test_the_end_of_a_key_is_enough_if_no_other_key_has_it(asked):
    answer = asked("learning_rate >= 0.003", columns=["learning_rate", "path"])
    assert answer.columns == ["training.optimizer.learning_rate", "path"] and 0 < len(answer.rows) < 8


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"filter": "test.acuracy > 1"}, "no run has 'test.acuracy'; did you mean 'test.accuracy'?\n  test.acuracy > 1\n  ^"),
        ({"filter": "accuracy > 0.9"}, "several keys end so: val.accuracy, test.accuracy"),
        ({"filter": "test.accuracy > high"}, "test.accuracy is a number"),
        ({"filter": "model.name > 3"}, "model.name is a text, such as "),
        ({"sort": "-acuracy"}, "--sort: no run has 'acuracy'; did you mean"),
        ({"columns": ["nothing.at.all.like.it"]}, "--columns: no run has"),
    ],
)  # fmt: skip
def test_mistakes_are_named(asked, question, words):
    with pytest.raises(UserError) as error:
        asked(**question)
    assert words in str(error.value)


def test_a_word_that_no_run_has_is_a_hint(asked):
    assert asked("model.name = cn").hint == "no run has model.name = cn; did you mean 'cnn'?"
    assert asked("status = zzzzzz").hint.startswith("no run has status = zzzzzz; it is failed, finished")
    assert asked("test.accuracy > 0.9 and epochs > 100").hint == ""


def test_the_best_run_has_the_highest_metric_or_the_lowest_loss(asked):
    rows = asked(columns=["val.accuracy"], archived=True).rows
    best = ranking(asked(columns=["val.accuracy"], archived=True))
    assert best.rows[0]["val.accuracy"] == max(row.get("val.accuracy", 0) for row in rows)
    losses = ranking(asked(columns=["val.loss"]))
    assert losses.rows[0]["val.loss"] == min(row["val.loss"] for row in losses.rows)
    assert list(remarks(best)) == []
    assert "choose by val" in " ".join(remarks(ranking(asked(columns=["test.accuracy"]))))
    assert "8 of 8 runs have the same epochs" in " ".join(remarks(ranking(asked(columns=["epochs"], archived=True))))
    for columns, words in ((["name"], "is a text"), (["cause"], "no finished run has it")):
        with pytest.raises(UserError, match=words):
            ranking(asked(columns=columns))


def test_texts_of_the_list(asked):
    answer = asked("name = name_2", columns=["path", "test.accuracy", "seconds", "model.name", "cause"])
    (row,) = answer.rows
    low, value, high = (row[f"test.accuracy{end}"] for end in ("_low", "", "_high"))
    assert cell(row, "test.accuracy") == f"{value:.4f} ({low:.4f} to {high:.4f})"
    head, line = runs_text(answer, "table").splitlines()
    assert head.split() == answer.columns and line.split()[-3:] == ["60.5", "cnn", "–"]
    (read,) = csv.DictReader(io.StringIO(runs_text(answer, "csv")))
    assert float(read["test.accuracy_low"]) == low and read["cause"] == "" and read["path"] == "name_2/1"
    (read,) = json.loads(runs_text(answer, "json"))
    assert read["test.accuracy"] == value and read["cause"] is None


def test_every_key_can_be_shown(asked):
    answer = asked("name = name_2", columns=["all"])
    assert {"training.optimizer.learning_rate", "test.macro_f1", "kerasexp"} <= set(answer.columns)
    assert json.loads(runs_text(answer, "json"))[0]["data.source"] == "digits"


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (RunTags(("a,b",)), "no comma"),
        (RunTags(("",)), "1 to 50"),
        (RunTags(("5'10\"",)), "not both ' and \""),
        (RunTags(tuple(map(str, range(31)))), "at most 30"),
        (RunTags(note="a" * 2001), "2,001 characters"),
    ],
)
def test_tags_are_checked(tmp_path, tags, words):
    with pytest.raises(UserError, match=words):
        write_tags(tmp_path, tags)
    assert read_tags(tmp_path) == RunTags()
    write_tags(tmp_path, RunTags(("a", "b", "a"), "several\nlines", True))
    assert read_tags(Path(tmp_path)) == RunTags(("a", "b"), "several\nlines", True)
