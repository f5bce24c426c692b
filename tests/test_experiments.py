"""Every shipped experiment loads, builds, and says what it is for."""

from dataclasses import replace
from pathlib import Path

import pytest
from stl10_files import CLASSES as STL10

from kerasexp.config import Experiment, Search, Study, load, resolved_yaml
from kerasexp.config.model_section import classical_head
from kerasexp.models import build_classifier, build_model

FOLDER = Path(__file__).resolve().parent.parent / "experiments"
EXPERIMENTS = sorted(p for p in FOLDER.rglob("*.yaml") if "_base" not in p.parts)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_experiment_loads_builds_and_explains_itself(path, tmp_path):
    asked = load(path)
    for experiment in experiments_of(asked):
        select, names = experiment.data.labels.select, experiment.data.class_names
        classes = len(select or names or range(10))
        names = list(select or (names or {}).values() or STL10)
        model = build_classifier(experiment, names, [1] * classes)
        zero_shot = classical_head(experiment.model) is not None and experiment.model.head.zero_shot
        assert model.output_shape == (None, len(zero_shot.answers(names)) if zero_shot else classes)
    question, expected, command, *_ = path.read_text().splitlines()
    assert question.startswith("# ") and "on two cores; expect" in expected.replace(", pretraining included", "")
    verb = "search" if isinstance(asked, Search) else "run"
    assert f"python -m kerasexp {verb} experiments/{path.relative_to(FOLDER)}" in command
    assert "yaml-language-server: $schema=" in path.read_text()
    again = tmp_path / path.name
    again.write_text(resolved_yaml(asked))
    assert load(again) == (replace(asked, place=again) if isinstance(asked, Search) else asked)


@pytest.mark.parametrize(
    ("base", "classes", "size"), [("stl10", 10, 96), ("tiny_imagenet_50", 50, 64), ("dogs_vs_cats", 2, 64)]
)
def test_a_base_of_a_data_set_alone_is_an_experiment(base, classes, size):
    experiment = load(FOLDER / "_base" / f"{base}.yaml")
    model = build_model(experiment.model, experiment.data.preprocessing, classes, base)
    assert model.input_shape == (None, size, size, 3) and model.output_shape == (None, classes)


def experiments_of(asked: Experiment | Study | Search) -> list[Experiment]:
    """The experiment, those of all variants, or those at some corners of the space."""
    if isinstance(asked, Search):
        return [asked.experiment(values) for values in asked.space.corners(8)]
    return list(asked.variants.values()) if isinstance(asked, Study) else [asked]


def test_the_shipped_schema_is_the_one_that_the_command_prints(cli):
    assert cli("schema").out == (FOLDER / "schema.json").read_text()
