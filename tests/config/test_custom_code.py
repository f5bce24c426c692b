"""Code of users in an experiment: found, its keys checked by its signature, its defaults written out; never run."""

from pathlib import Path

import pytest

from kerasexp.config import load, load_experiment, resolved_yaml
from kerasexp.config.code_reference import _entry_points, code_files, find_code, registered
from kerasexp.config.code_signature import read_signature
from kerasexp.errors import UserError

USER = Path(__file__).with_name("code_of_a_user.py")


@pytest.fixture
def refused(write):
    """The message for an experiment beside `net.py`, which holds a text, with some keys."""

    def message(keys: str, code: str = USER.read_text()) -> str:
        write(code, "net.py")
        with pytest.raises(UserError) as error:
            load_experiment(write(keys))
        return str(error.value)

    return message


def test_names_are_relative_to_the_file_that_wrote_them(write, tmp_path, monkeypatch):
    write(USER.read_text(), "bases/net.py")
    write("model: {name: net.py:build, width: 8}", "bases/base.yaml")
    path = write("base: bases/base.yaml\nmodel: {rate: 0.5}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    model = load_experiment(path).model
    assert model.name == f"{tmp_path / 'bases' / 'net.py'}:build"
    assert model.arguments == {"width": 8, "rate": 0.5, "kind": None}
    # --set names files from the working folder.
    (tmp_path / "elsewhere" / "mine.py").write_text(USER.read_text())
    model = load_experiment(path, ["model=mine.py:build"]).model
    assert model.name == f"{tmp_path / 'elsewhere' / 'mine.py'}:build" and model.arguments["width"] == 32


def test_defaults_are_written_out_and_load_to_the_same(write):
    path = write(
        f"data: {{source: '{USER}:load', augmentation: {{layers: ['{USER}:brighten']}}}}\n"
        f"model: {USER}:build\ntraining: {{loss: '{USER}:poly', callbacks: [{{name: '{USER}:Watch', every: 3}}]}}\n"
        f"metrics: ['{USER}:kappa']\n"
    )
    experiment = load_experiment(path)
    text = resolved_yaml(experiment)
    for line in ("width: 32", "count: 200", "epsilon: 1.0", "by: 10.0", "every: 3", "weights: null"):
        assert line in text
    assert load_experiment(write(text, "again.yaml")) == experiment


def test_all_wrong_keys_are_found_with_the_closest_one(refused):
    text = refused(
        "model: {name: net.py:build, widht: 3, rate: fast, kind: c}\nmetrics: [{name: net.py:kappa, weights: 1}]"
    )
    assert "model.widht: net.py:build has no key 'widht'; did you mean 'width'?; allowed: width, rate, kind" in text
    assert "model.rate: got 'fast'; input should be a valid number" in text
    assert "model.kind: got 'c'; allowed: Literal['a', 'b'] | None" in text
    assert "metrics.0.weights: got 1; allowed: str | None" in text
    assert text.count("exp.yaml") == 4


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("model: nett.py:build", "no such file: .*nett.py; did you mean 'net.py'"),
        ("model: net.py:built", "defines no function 'built'; did you mean 'build'"),
        ("model: net.py:load", "takes 0 positional parameters; a model is given images"),
        ("model: net:build", "no module 'net' is installed; a file is written with .py"),
        ("model: 'net.py:build:x'", "my_file.py:function or package.module:function"),
        ("model: bulid", "got 'bulid'; allowed|got 'bulid'.*did you mean"),
        ("model: {name: net.py:build, images: 3}", "has no key 'images'"),
        ("model: sys:exit", "is not Python source"),
        ("data: {source: {name: digits, count: 3}}", "data.source.count: digits has no keys of its own"),
        ("data: {source: {name: net.py:load, cuont: 3}}", "data.source.cuont.*did you mean 'count'"),
        ("data: {source: {name: net.py:load}, path: x}", "takes no path"),
        ("training: {loss: {name: net.py:poly, gamma: 3}}", "training.loss.gamma: net.py:poly has no key 'gamma'"),
        ("training: {callbacks: [{name: net.py:Watch, others: 3}]}", "has no key 'others'; .*allowed: every"),
        ("metrics: net.py:kappa", "metrics: .*list"),
        ("metrics: [kappa]", "metrics.0: got .kappa.; a function of your own is"),
    ],
)
def test_what_is_said(refused, keys, message):
    import re

    assert re.search(message, refused(keys)), refused(keys)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def build(images, *, width): pass", "needs the key 'width'"),
        ("def build(images, *, name=1): pass", "has a parameter 'name', which is a key of this section already"),
        ("def build(images: pass", "net.py, line 1: is not Python"),
        ("\0", "is not Python"),
        ("x = 1", "defines no function 'build'"),
        ("import blocks\ndef build(images): pass\n" + "x = 1\n" * 200_000, "larger than"),
    ],
)
def test_what_is_said_of_code(refused, code, message):
    assert message in refused("model: net.py:build", code)


def test_a_signature_is_read_with_the_types_of_plain_values():
    source = b"""
A, B = 1, 2
SIZES = (3, 4)
def f(first, second, /, third: int = -1, *args, a: list[int] = SIZES, b: dict[str, float] = {}, c: 'int | str' = 3,
      d: Optional[bool] = None, e: np.ndarray = None, g=compute(), h: Path = 'x', i: tuple[int, ...] = (1,), **others): ...
class G:
    def __init__(self, x: float, **others): ...
class H(G): ...
"""
    found = read_signature(source, USER, "f")
    assert found.positional == ("first", "second", "third") and found.takes_any
    parameters = found.keys(2)
    assert list(parameters) == ["third", "a", "b", "c", "d", "e", "g", "h", "i"]
    assert parameters["third"].default == -1 and parameters["a"].default == [3, 4]
    assert not parameters["g"].readable and not parameters["g"].required and parameters["h"].is_path
    assert parameters["a"].type == list[int] and parameters["i"].type == list[int]
    made = read_signature(source, USER, "G")
    assert list(made.parameters) == ["x"] and not made.takes_any
    assert read_signature(source, USER, "H").parameters == {}


def test_a_path_is_looked_for_as_other_data_are(write, tmp_path, monkeypatch):
    write(USER.read_text(), "folder/net.py")
    (tmp_path / "folder" / "images.db").write_text("")
    path = write("data: {source: {name: net.py:load, database: images.db}}", "folder/exp.yaml")
    assert load_experiment(path).data.source.arguments["database"] == str(tmp_path / "folder" / "images.db")
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "folder" / "images.db").rename(tmp_path / "data" / "images.db")
    assert load_experiment(path).data.source.arguments["database"] == "images.db"


def test_the_modules_beside_a_file_belong_to_it(write, tmp_path):
    write("import a, os, keras\nfrom package.inner import x\nfrom package import other\n", "net.py")
    write("def f():\n    import b\n", "a.py")
    for name in ("b", "c", "package/__init__", "package/other", "package/unused"):
        write("", f"{name}.py")
    write("from . import sibling\nfrom .deep import y", "package/inner.py")
    write("", "package/sibling.py")
    write("", "package/deep.py")
    files = code_files(find_code(f"{tmp_path / 'net.py'}:x", "model"))
    inside = ["__init__", "deep", "inner", "other", "sibling"]
    assert list(files) == ["net.py", "a.py", "b.py", *(f"package/{name}.py" for name in inside)]


def test_the_digest_does_not_depend_on_the_place(write):
    first = load_experiment(write(f"model: {write(USER.read_text(), 'a/net.py')}:build")).model
    second = load_experiment(write(f"model: {write(USER.read_text(), 'b/net.py')}:build")).model
    assert first.digest == second.digest != load_experiment(write(f"model: {USER}:build")).model.digest


def test_domains_stand_in_keys_of_code_and_for_code_itself(write):
    write(USER.read_text(), "net.py")
    write(USER.read_text(), "other.py")
    search = load(
        write("model: {name: {choice: [net.py:build, other.py:build]}, width: {int: [4, 64], sampling: log}}")
    )
    assert {"model.name", "model.width"} == search.space.domains.keys()
    experiment = search.experiment({"model.name": search.space.domains["model.name"].values[1], "model.width": 16})
    assert experiment.model.reference.file.name == "other.py" and experiment.model.arguments["width"] == 16
    with pytest.raises(UserError, match="model.width"):
        load(write("model: {name: net.py:build, width: {choice: [4, wide]}}"))


def test_variants_and_set_reach_into_code(write):
    write(USER.read_text(), "net.py")
    study = load(write("model: net.py:build\nvariants: {plain: {}, wide: {model.width: 99}, ours: {model: mlp}}"))
    assert study.variants["wide"].model.arguments["width"] == 99 and study.variants["ours"].model.name == "mlp"
    path = write("data: {source: net.py:load, class_names: {a: b, c: d}}")
    data = load_experiment(path, ["data.source.count=5"]).data
    assert data.source.arguments["count"] == 5 and data.class_names
    assert load_experiment(path, ["data.source=digits"]).data.source == "digits"


def test_installed_packages_register_names(write, tmp_path, monkeypatch):
    package = tmp_path / "site" / "their_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError\n")
    (package / "nets.py").write_text(USER.read_text())
    info = tmp_path / "site" / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kerasexp.models]\ntheir_net = their_package.nets:build\nmlp = os:x\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    clear_names()
    try:
        model = load_experiment(write("model: {name: their_net, width: 3}")).model
        assert model.name == "their_net" and model.arguments["width"] == 3
        assert model.reference.registered == "their_net" and model.reference.module == "their_package.nets"
        assert load_experiment(write("model: mlp")).model.units == [128]  # ours come first
        assert load_experiment(write("model: their_package.nets:build")).model.reference.registered is None
    finally:
        clear_names()


def clear_names() -> None:
    """Forget which names are registered."""
    registered.cache_clear()
    _entry_points.cache_clear()


def test_a_key_may_have_any_name(write):
    write("def build(images, *, digest=1, arguments=2, reference='x', weights='w', head=None, kind=3): pass", "net.py")
    path = write("model: {name: net.py:build, digest: 7, head: {units: 3}}")
    experiment = load_experiment(path)
    assert experiment.model.arguments == {
        **{"digest": 7, "arguments": 2, "reference": "x", "weights": "w", "head": {"units": 3}, "kind": 3}
    }
    assert len(experiment.model.digest) == 64 and "weights: w" in resolved_yaml(experiment)
