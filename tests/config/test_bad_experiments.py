"""Wrong experiments, made by breaking one thing in a sound one: each is refused with exit code 2 and the place.

An ordinary test run makes some 150 wrong ones, always the same; 2,000 new ones by

    KERASEXP_FULL=1 python -m pytest tests/config/test_bad_experiments.py
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from drawn_experiments import EXPERIMENTS, dotted, drawn, part_of, sections_in
from hypothesis import assume, given
from hypothesis import strategies as st
from spoilt_keys import KEYS, Bad, typos
from spoilt_texts import TEXTS

from kerasexp.config import Experiment, load_experiment
from kerasexp.config.yaml_text import dump_yaml


@pytest.fixture
def load(tmp_path):
    """Loads an experiment from its text, beside an empty `up.yaml`."""
    (tmp_path / "up.yaml").write_text("{}")

    def load_text(text: str, *overrides: str) -> Experiment:
        (tmp_path / "exp.yaml").write_text(text, encoding="utf-8", newline="")
        return load_experiment(tmp_path / "exp.yaml", overrides)

    return load_text


@drawn(40, 500)
@given(raw=EXPERIMENTS)
def test_a_sound_experiment_loads_and_what_show_prints_loads_to_the_same(cli, load, tmp_path, raw):
    experiment = load(dump_yaml(raw))
    if not raw.get("init"):  # whose upstream was resolved, and so is no longer as it stands in `raw`
        assert experiment == Experiment.model_validate(raw)
    shown = cli("show", tmp_path / "exp.yaml")
    assert (shown.code, shown.err) == (0, "")
    assert load(shown.out) == experiment


@drawn(30, 300)
@given(raw=EXPERIMENTS, data=st.data())
def test_a_value_given_by_set_is_as_good_as_one_in_the_file(load, raw, data):
    whole = load(dump_yaml(raw))
    keys = [
        (at, key) for at, _, here in sections_in(raw) for key in here if key not in ("name", "source", "experiment")
    ]
    assume(keys)
    at, key = data.draw(st.sampled_from(sorted(keys, key=str)))
    assume(at[:2] != ("init", "experiment"))
    value = part_of(raw, at).pop(key)
    assert load(dump_yaml(raw), f"{dotted(*at, key)}={dump_yaml(value)}") == whole


KINDS = {kind.__name__: kind for kind in (*KEYS, *TEXTS)}


@pytest.mark.parametrize("kind", KINDS)
@drawn(7, 84)
@given(data=st.data())
def test_a_wrong_experiment_is_refused_with_its_place(cli, tmp_path, kind, data):
    bad: Bad = data.draw(KINDS[kind]())
    for left in tmp_path.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    for name, content in {"up.yaml": b"{}", **bad.files}.items():
        Path(name).mkdir() if content is None else Path(name).write_bytes(content)
    if bad.grown:
        Path("exp.yaml").write_bytes(bad.files["exp.yaml"] + bad.grown.encode() * 1_000_000)
    answer = cli("show", "exp.yaml", *(part for override in bad.overrides for part in ("--set", override)))
    assert (answer.code, answer.out) == (2, ""), answer
    assert answer.err.startswith("error: ") and "Traceback" not in answer.err
    assert len(answer.err) < 3000 + sum(map(len, bad.overrides)), "nobody reads so long a message"
    assert bad.file in answer.err
    if bad.key:
        assert re.search(rf"{re.escape(bad.file)}: {re.escape(bad.key)}[.:]", answer.err), answer.err
    assert re.search(bad.message, answer.err), answer.err
    if bad.misspelt:
        meant = re.search("did you mean '([^']+)'", answer.err)
        # Where another section has the nearest key too, the suggestion is the whole dotted key.
        assert meant and bad.misspelt in typos(meant[1]) + typos(meant[1].rpartition(".")[2]), answer.err
