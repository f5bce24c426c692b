"""The name of a class or variant in YAML is the characters that were written."""

import unicodedata
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from kerasexp.config import load, load_experiment, resolved_yaml
from kerasexp.config.experiment import Experiment
from kerasexp.config.section_base import ClassName
from kerasexp.config.yaml_text import NAMES, dump_yaml, parse_yaml
from kerasexp.errors import UserError

# Plain scalars that YAML reads as numbers, truth values, dates or nothing.
WRITTEN = [
    "010",
    "8",
    "1.10",
    "no",
    "Yes",
    "on",
    "0x1F",
    "0b11",
    "1_000",
    "1e3",
    ".5",
    "2001-01-01",
    "~",
    "null",
    "12:30",
    "=",
    "<<",
]


def written(text: str, *overrides: str) -> Experiment:
    Path("x.yaml").write_text(f"data: {{source: image_folder, path: x{text}}}\n")
    return load_experiment("x.yaml", overrides)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_name_is_the_characters_that_were_written(name):
    experiment = written(f", labels: {{keep: {{{name}: 4, x: 2}}, select: [{name}, x]}}")
    assert experiment.data.labels.keep == {name: 4, "x": 2} and experiment.data.labels.select == [name, "x"]
    experiment = written(f", class_names: {{{name}: {name}, x: y}}")
    assert experiment.data.class_names == {name: name, "x": "y"}
    Path("resolved.yaml").write_text(resolved_yaml(experiment))
    assert load_experiment("resolved.yaml") == experiment


@pytest.mark.parametrize("name", [name for name in WRITTEN if "." not in name and name != "="])
def test_set_reads_names_as_a_file_does(name):
    for override in (
        f"data.labels.keep.{name}=4",
        f"data.labels.keep={{{name}: 4}}",
        f"data.labels={{keep: {{{name}: 4}}}}",
    ):
        assert written("", override).data.labels.keep == {name: 4}
    assert written("", f"data.labels.select=[{name}, x]").data.labels.select == [name, "x"]
    assert written(", class_names: {a: b, c: d}", f"data.class_names.a={name}").data.class_names["a"] == name
    assert written(", labels: {select: [a, b]}", f"data.labels.select.0={name}").data.labels.select == [name, "b"]


@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in ("<<", "=")])
def test_variants_and_what_they_select(name):
    Path("s.yaml").write_text(
        f"data: {{source: image_folder, path: x}}\nvariants:\n  {name}: {{data.labels.select: [{name}, x]}}\n"
        f"  other: {{data: {{labels: {{keep: {{{name}: 3}}}}}}}}\n"
    )
    variants = load("s.yaml").variants
    assert list(variants) == [name, "other"]
    assert variants[name].data.labels.select == [name, "x"] and variants["other"].data.labels.keep == {name: 3}


def test_a_grid_and_a_domain_of_selections():
    Path("s.yaml").write_text(
        "data: {source: image_folder, path: x}\nvariants: {grid: {data.labels.select: [[3, no], [010, 1.10], ~]}}\n"
    )
    assert [v.data.labels.select for v in load("s.yaml").variants.values()] == [["3", "no"], ["010", "1.10"], None]
    Path("d.yaml").write_text(
        "data: {source: image_folder, path: x, labels: {select: {choice: [[3, 8], [no, 010]]}}}\n"
    )
    assert load("d.yaml").space.domains["data.labels.select"].values == (["3", "8"], ["no", "010"])


def test_outputs_of_zero_shot_are_named_as_written():
    Path("z.yaml").write_text(
        "data: {source: image_folder, path: x, preprocessing: {size: [96, 96], channels: 3}}\n"
        "model: {name: mobilenet_v2, weights: imagenet, head: {zero_shot: {outputs: {010: [1], no: [2-4]}}}}\n"
    )
    assert load_experiment("z.yaml").model.head.zero_shot.outputs == {"010": [1], "no": [2, 3, 4]}


def test_a_selection_may_be_nothing():
    assert written(", labels: {select: ~}").data.labels.select is None
    assert written(", labels: {select: [1, 2]}", "data.labels.select=null").data.labels.select is None


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(str.strip))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_any_name_is_written_and_read_again(name):
    content = {"data": {"labels": {"keep": {name: 4}, "select": [name, "x"]}, "class_names": {name: name}}}
    assert parse_yaml(dump_yaml(content)) == content


@given(st.from_regex(r"[0-9a-fxoe_.:+~-]{1,8}", fullmatch=True))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_any_plain_scalar_is_the_name_as_it_stands(text):
    try:
        read = parse_yaml(f"labels: {{select: [{text}, x]}}")["labels"]["select"]
    except UserError:
        return  # not a plain scalar, such as `-`
    if read[1:] == ["x"] and isinstance(read[0], str):
        assert read[0] == text
    else:
        assert isinstance(read[0], dict | list)  # `a: b` and the like


@pytest.mark.parametrize("name", ['"a\\nb"', '"a\\eb"', '" "', '""', '"a\\Lb"'])
def test_a_name_that_no_class_can_have_is_refused_with_its_key(name):
    for text in (
        f"labels: {{keep: {{{name}: 4}}}}",
        f"class_names: {{{name}: a, b: c}}",
        f"class_names: {{b: {name}, c: d}}",
    ):
        with pytest.raises(UserError, match=r"data\..*the name of a class (is empty|has control characters)"):
            written(f", {text}")


def test_one_name_in_two_ways_is_refused():
    one, other = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    with pytest.raises(UserError, match="the class 'café' is given twice"):
        written(f", labels: {{keep: {{{one}: 4, {other}: 5}}}}")
    with pytest.raises(UserError, match="the key '1' is given twice"):
        written(', labels: {keep: {1: 4, "1": 5}}')


def _fields_of_names(section: type[BaseModel], above: str = "", seen: tuple = ()) -> set[tuple[str, str]]:
    """The keys, each with that of its section, whose type has a class name in it."""

    def parts(annotation: Any):
        yield annotation
        for part in get_args(annotation):
            yield from parts(part)

    found = set()
    for key, info in section.model_fields.items():
        inside = list(parts(info.annotation))
        if any(part == ClassName for part in inside):
            found.add((above, key))
        for part in inside:
            if isinstance(part, type) and not get_origin(part) and issubclass(part, BaseModel) and part not in seen:
                found |= _fields_of_names(part, key, (*seen, part))
    return found


def test_every_key_that_holds_names_is_read_so():
    ends = {names[-2:] for names in NAMES}
    keys = _fields_of_names(Experiment)
    assert {key for _, key in keys} == {"keep", "select", "class_names", "outputs", "class_weights"}
    assert all(pair in ends or pair[1:] in ends for pair in keys)
