"""Changes of an experiment: their errors with keys, the YAML with what differs, the command, and the file that they become."""

from pathlib import Path

import pytest

from kerasexp.browser.experiment_draft import LaunchOptions, changes_of, draft_of
from kerasexp.browser.launchable_files import LaunchableFiles
from kerasexp.browser.saved_changes import FileIsThere, save_changes
from kerasexp.config import load, resolved_yaml
from kerasexp.errors import UserError

MINE = "# Does it learn?\ndata: digits\nmodel: {name: mlp, units: [32]}\ntraining: {epochs: 2, batch_size: 20}\n"


@pytest.fixture
def files() -> LaunchableFiles:
    Path("mine.yaml").write_text(MINE)
    Path("runs").mkdir()
    return LaunchableFiles(Path("runs"))


@pytest.fixture
def draft(files):
    return lambda *changes: draft_of(files.find("mine.yaml"), changes)


def problems(draft) -> list[tuple[str | None, str]]:
    return [(problem.key, problem.message) for problem in draft.problems]


def test_errors_have_their_keys_allowed_values_and_the_closest_match(draft):
    assert problems(draft("training.optimizer.name=adan")) == [
        (
            "training.optimizer.name",
            "got 'adan'; did you mean 'adam'?; allowed: adam, adamw, nadam, lamb, lion, adafactor, muon, sgd, rmsprop",
        )
    ]
    found = dict(problems(draft("training.epochs=0", "model.nam=cnn")))
    assert found.keys() == {"training.epochs", "model.nam"} and "did you mean 'name'" in found["model.nam"]
    # What cannot be read is reported under its key, too; the others are applied.
    found = draft("training.epochs=[1", "seed=3", "nothing")
    assert [key for key, _ in problems(found)] == ["training.epochs", "nothing"] and found.fields() == []


def test_a_rule_between_keys_names_one_of_them(draft):
    assert problems(draft("training.schedule=cosine", "training.reduce_lr_on_plateau={}"))[0][0].startswith("training.")


def test_the_yaml_marks_what_differs_from_the_file(draft):
    assert all(mark == " " for mark, _ in draft().yaml_lines())
    marked = [(mark, line.strip()) for mark, line in draft("training.epochs=3").yaml_lines() if mark != " "]
    assert marked == [("-", "epochs: 2"), ("+", "epochs: 3")]
    # A search writes no defaults, a study indents each variant; what differs is marked in these too.
    searched = [line for mark, line in draft("training.epochs={int: [1, 4]}").yaml_lines() if mark == "-"]
    assert searched == ["  epochs: 2"]
    studied = [line for mark, line in draft("seeds=[0, 1]").yaml_lines() if mark == "-"]
    assert studied == ["seeds: [0]"]
    assert draft("training.epochs=0").yaml_lines() == []


def test_the_yaml_marks_what_differs_from_a_base_as_it_is_now(files):
    Path("base.yaml").write_text(MINE)
    Path("on_base.yaml").write_text("base: base.yaml\nseed: 1\n")

    def dropped() -> list[str]:
        found = draft_of(files.find("on_base.yaml"), ["training.epochs=9"])
        return [line.strip() for mark, line in found.yaml_lines() if mark == "-"]

    assert dropped() == ["epochs: 2"]
    Path("base.yaml").write_text(MINE.replace("epochs: 2", "epochs: 3"))
    assert dropped() == ["epochs: 3"]


def test_a_file_whose_name_begins_with_a_hyphen_is_no_option(files):
    Path("-x.yaml").write_text(MINE)
    found = files.find("-x.yaml")
    assert found.name == "./-x.yaml" and "./-x.yaml" in [file.name for file in files.all()]
    assert files.find(found.name) == found and draft_of(found, []).arguments(LaunchOptions())[1] == "./-x.yaml"


def test_the_command_is_the_one_to_type(draft):
    options = LaunchOptions(jobs=2, quick=True)
    assert draft("training.epochs=3").command(options) == "python -m kerasexp run mine.yaml --set training.epochs=3"
    searched = draft("training.epochs={int: [1, 4]}")
    assert searched.kind == "search"
    assert (
        searched.command(options)
        == "python -m kerasexp search mine.yaml --set 'training.epochs={int: [1, 4]}' --jobs 2"
    )
    assert draft("seeds=[0, 1]").command(options).endswith("--jobs 2 --quick")


def test_a_change_may_have_several_lines(draft):
    text = "training.epochs=3\r\n# not this\n\nvariants=\n  a: {seed: 1}\n  b: {}\n"
    assert changes_of(text) == ["training.epochs=3", "variants=\n  a: {seed: 1}\n  b: {}"]
    changes = changes_of("variants=\n  a: {training.epochs: 1}\n  b: {training.epochs: 2}")
    assert draft(*changes).kind == "study"


def test_code_of_others_is_a_question(files):
    run = Path("runs/mine/1")
    run.mkdir(parents=True)
    run.joinpath("net.py").write_text("def build(images):\n    return images\n")
    run.joinpath("manifest.json").write_text("{}")
    run.joinpath("experiment.yaml").write_text("name: mine\ndata: digits\nmodel: net.py:build\n")
    found = draft_of(files.find("runs/mine/1/experiment.yaml"), ())
    assert found.asked is not None and "would run with all your rights" in found.questions[0].message
    Path("net.py").write_text("def build(images):\n    return images + 1\n")
    Path("own.yaml").write_text("data: digits\nmodel: net.py:build\n")
    assert draft_of(files.find("own.yaml"), ()).questions == ()


def test_experiments_are_those_of_the_user_and_the_shipped_ones(files):
    Path("other.yaml").write_text("services: {web: 1}\n")
    Path("runs/mine/1").mkdir(parents=True)
    Path("runs/mine/1/experiment.yaml").write_text(MINE)
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/study.yml").write_text("base: ../../mine.yaml\nseeds: [0, 1]\n")
    Path("deep/_base").mkdir()
    Path("deep/_base/part.yaml").write_text(MINE)
    found = files.all()
    assert [file.name for file in found if not file.is_shipped] == ["deep/er/study.yml", "mine.yaml"]
    assert "part1_digits" in [file.name for file in found]
    assert files.find("mine.yaml").question() == "Does it learn?"


def test_a_shipped_experiment_whose_name_the_user_has_taken_is_there_too(files):
    Path("part1_digits.yaml").write_text(MINE)
    shipped = [file for file in files.all() if file.is_shipped and file.path.stem == "part1_digits"]
    assert len(shipped) == 1 and files.find(shipped[0].name) == shipped[0]
    assert draft_of(shipped[0], ()).asked.data.source == "image_folder"
    assert files.find("part1_digits.yaml").path == Path("part1_digits.yaml").resolve()


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../outside.yaml", "nothing.yaml", "mine.txt", ".hidden/a.yaml", "a\0b", ""]
)
def test_no_other_file_is_an_experiment(files, name, tmp_path):
    (tmp_path.parent / "outside.yaml").write_text(MINE)
    Path("mine.txt").write_text(MINE)
    Path(".hidden").mkdir()
    Path(".hidden/a.yaml").write_text(MINE)
    with pytest.raises(UserError, match="no such experiment|is not a YAML file below"):
        files.find(name)


def test_a_link_that_leads_out_is_no_experiment(files, tmp_path):
    (tmp_path.parent / "outside.yaml").write_text(MINE)
    Path("link.yaml").symlink_to(tmp_path.parent / "outside.yaml")
    with pytest.raises(UserError, match="is not a YAML file below"):
        files.find("link.yaml")


@pytest.mark.parametrize(
    "changes",
    [
        ["training.epochs=3", "training.optimizer=sgd"],
        ["model.name=cnn", "model.blocks.0.filters=8", "model.blocks.1.dropout=0.5"],
        ["data.augmentation.rotation=5", "training.early_stopping={}"],
        ["training.epochs={int: [1, 4]}", "search.max_trials=2"],
        ["seeds=[0, 1]", "variants={a: {training.epochs: 1}, b: {}}"],
        ["training.optimizer={name: sgd, momentum: 0.9}", "training.optimizer.learning_rate=0.1"],
        [],
    ],
)
def test_saved_changes_load_to_the_same_experiment(draft, changes):
    made = draft(*changes)
    path = save_changes(made, "changed.yaml")
    assert path.name == "changed.yaml" and path.read_text().startswith("base: mine.yaml\n")
    found, expected = (
        sorted(line for line in resolved_yaml(each).splitlines() if not line.startswith("name:"))
        for each in (load(path), load("mine.yaml", changes))
    )
    assert found == expected and load(path).name == "changed"
    assert sorted(path.name for path in Path().glob("*")) == ["changed.yaml", "mine.yaml", "runs"]


def test_changes_of_a_shipped_experiment_are_saved_among_the_users(files):
    path = save_changes(draft_of(files.find("part1_digits"), ["training.epochs=3"]), "own")
    assert path == Path.cwd() / "experiments/own.yaml"
    assert path.read_text() == "base: part1_digits\ntraining:\n  epochs: 3\n"


def test_a_file_is_only_replaced_when_that_is_asked_for(draft):
    save_changes(draft("training.epochs=3"), "changed")
    with pytest.raises(FileIsThere, match="tick `replace`"):
        save_changes(draft("training.epochs=4"), "changed")
    assert load("changed.yaml").training.epochs == 3
    save_changes(draft("training.epochs=4"), "changed", replace=True)
    assert load("changed.yaml").training.epochs == 4
    with pytest.raises(UserError, match="cannot be its own base"):
        save_changes(draft(), "mine", replace=True)
    assert Path("mine.yaml").read_text() == MINE


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "ü", "a b", "/etc/x"])
def test_the_name_of_a_file_is_plain(draft, name):
    with pytest.raises(UserError, match="a name has letters"):
        save_changes(draft(), name)


def test_what_is_wrong_is_not_saved(draft):
    with pytest.raises(UserError, match="got 0"):
        save_changes(draft("training.epochs=0"), "changed")
    assert not Path("changed.yaml").exists()
