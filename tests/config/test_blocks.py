"""Kinds of blocks: plain words, what is left to the kind, and keys that only some kinds have."""

import pytest

from kerasexp.config import load_experiment, resolved_yaml
from kerasexp.config.model_section import Cnn, ConvBlock
from kerasexp.errors import UserError


@pytest.fixture
def load(tmp_path):
    """Load the experiment whose blocks are these."""
    path = tmp_path / "exp.yaml"

    def load_blocks(blocks: str, *overrides: str):
        path.write_text(f"data: {{preprocessing: {{size: [64, 64]}}}}\nmodel: {{name: cnn, blocks: {blocks}}}")
        return load_experiment(path, overrides)

    return load_blocks


def problems(load, blocks: str) -> dict[str, str]:
    with pytest.raises(UserError) as caught:
        load(blocks)
    return {problem.key: problem.message for problem in caught.value.problems}


def test_plain_words_are_blocks_that_halve_the_maps_and_double_the_filters(load):
    blocks = load("[conv, mobile, mobile, inverted_residual]").model.blocks
    assert [(block.kind, block.filters, block.stride, block.pool) for block in blocks] == [
        ("conv", 32, 1, 2),
        ("mobile", 64, 2, None),
        ("mobile", 128, 2, None),
        ("inverted_residual", 256, 2, None),
    ]


def test_two_plain_words_are_the_default_network(load):
    assert load("[conv, conv]").model == Cnn()


def test_filters_double_from_those_that_are_given_until_they_are_many(load):
    blocks = load("[{filters: 200}, mobile, {kind: mobile}, {kind: mobile}, {filters: 700}, {}]").model.blocks
    assert [block.filters for block in blocks] == [200, 400, 512, 512, 700, 700]


def test_a_kind_has_its_own_defaults(load):
    blocks = load("[{filters: 4}, {kind: mobile, filters: 4}, {kind: inverted_residual, filters: 4}]").model.blocks
    assert [(block.batch_norm, block.stride) for block in blocks] == [(False, 1), (True, 1), (True, 1)]
    assert blocks[2].expansion == 6


def test_what_is_given_goes_before_the_defaults_of_a_kind(load):
    blocks = load("[{batch_norm: true}, {kind: inverted_residual, batch_norm: false, expansion: 3}]").model.blocks
    assert [block.batch_norm for block in blocks] == [True, False] and blocks[1].expansion == 3


def test_a_block_that_stands_alone_leaves_open_what_depends_on_others():
    assert ConvBlock().filters is None
    assert Cnn(blocks=[ConvBlock()]).blocks[0].filters == 32


def test_what_show_prints_loads_to_the_same(load, tmp_path):
    experiment = load("[conv, {kind: mobile, filters: 4}, inverted_residual]")
    path = tmp_path / "exp.yaml"
    path.write_text(resolved_yaml(experiment))
    assert load_experiment(path) == experiment


def test_set_adds_a_key_to_a_plain_word(load):
    block = load("[conv, mobile]", "model.blocks.1.kernel=5").model.blocks[1]
    assert (block.kind, block.kernel, block.stride) == ("mobile", 5, 2)


def test_set_to_another_kind_keeps_what_all_kinds_have(load):
    block = load("[conv, {filters: 8, kernel: 5}]", "model.blocks.1.kind=mobile").model.blocks[1]
    assert (block.kind, block.filters, block.kernel, block.batch_norm) == ("mobile", 8, 5, True)


def test_set_to_another_kind_drops_what_only_the_old_kind_has(load):
    block = load("[conv, {kind: mobile, filters: 8, shortcut: true}]", "model.blocks.1.kind=inverted_residual")
    assert (block.model.blocks[1].filters, block.model.blocks[1].expansion) == (8, 6)


@pytest.mark.parametrize("kind", ["conv", "mobile"])
def test_an_expansion_is_for_inverted_residuals(load, kind):
    found = problems(load, f"[conv, {{kind: {kind}, expansion: 6}}]")
    message = f"{kind} has no key 'expansion'; those that have it: inverted_residual"
    assert found == {"model.blocks.1.expansion": message}


@pytest.mark.parametrize(
    ("blocks", "key", "message"),
    [
        ("[conv, mobil]", "model.blocks.1", "did you mean 'mobile'"),
        ("[conv, {kind: mobil}]", "model.blocks.1.kind", "did you mean 'mobile'"),
        ("[conv, 3]", "model.blocks.1", "a mapping of keys is needed here"),
        ("[conv, null]", "model.blocks.1", "a mapping of keys is needed here"),
        ("conv", "model.blocks", "valid list"),
        ("[{kind: inverted_residual, expansion: 0}]", "model.blocks.0.expansion", "greater than or equal to 1"),
        ("[{kind: inverted_residual, expansion: 1.5}]", "model.blocks.0.expansion", "valid integer"),
        ("[{kind: mobile, expand: 3}]", "model.blocks.0.expand", "did you mean 'expansion'"),
    ],
)
def test_a_wrong_block_is_refused_under_its_key(load, blocks, key, message):
    found = problems(load, blocks)
    assert list(found) == [key] and message in found[key]


def test_words_that_leave_nothing_of_the_image_are_refused(load):
    assert len(load("[conv, mobile, mobile, mobile, mobile, mobile]").model.blocks) == 6
    assert list(problems(load, "[conv, conv, conv, conv, conv, conv, conv]")) == ["model.blocks.6"]


def test_a_shortcut_is_for_blocks_that_keep_the_border(load):
    assert load("[{shortcut: true}, {kind: mobile, shortcut: true, stride: 2}]").model.blocks[1].shortcut
    found = problems(load, "[conv, {kind: inverted_residual, shortcut: true}]")
    assert (
        found["model.blocks.1.shortcut"] == "inverted_residual has no key 'shortcut'; those that have it: conv, mobile"
    )
    found = problems(load, "[{padding: valid, shortcut: true}]")
    assert "needs padding: same" in found["model.blocks.0.shortcut"]
