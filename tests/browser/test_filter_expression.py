"""The filter of runs: what passes, and what its messages say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasexp.browser.filter_expression import in_quotes, parse_filter
from kerasexp.errors import UserError

RUN = {"test.accuracy": 0.991, "model.name": "cnn", "note": "two words", "tags": "paper, good", "epochs": 3}
RUN |= {"name": "part2", "trial": "0003", "year": "2024"}


def same(key: str) -> str:
    return key


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("test.accuracy > 0.99 and model.name = cnn", True),
        ("test.accuracy > 0.99 and model.name = mlp", False),
        ("test.accuracy >= 99.1%", True),
        ("test.accuracy == .991", True),
        ("model.name = mlp or epochs < 4", True),
        ("model.name = mlp or epochs < 4 and epochs > 3", False),  # `and` binds more than `or`
        ("(model.name = mlp or epochs < 4) and epochs >= 3", True),
        ("not model.name = mlp", True),
        ("NOT (model.name = cnn AND epochs = 3)", False),
        ("note = 'two words'", True),
        ('note ~ "WORD"', True),
        ("tags = good", True),  # one of several
        ("tags = goo", False),
        ("missing = null", True),
        ("missing != null", False),
        ("missing < 3", False),
        ("missing != 3", True),
        ("epochs != null", True),
        ("epochs < three", False),  # a number is neither less nor more than a text
        ("epochs=3", True),
        ("name ~ 2", True),
        ("name ~ 2.0", False),
        ("epochs ~ 3", True),
        ("tags ~ 2", False),
        ("trial = 0003", True),  # a text that looks like a number
        ("trial = 3", False),
        ("year = 2024", True),
        ("year != 2024", False),
    ],
)
def test_a_run_passes(text, passes):
    assert parse_filter(text, same).passes(RUN) is passes


@pytest.mark.parametrize("text", ["two words", "Anna's", 'the "best"', "a = b and c", "null", "3"])
def test_a_text_in_quotes_is_a_value(text):
    assert parse_filter(f"note = {in_quotes(text)}", same).passes({"note": text})


def test_an_empty_filter_is_none():
    assert parse_filter("  ", same) is None


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("epochs >", 9, "a value after `>`"),
        ("epochs > and", 10, None),
        ("epochs && 3", 8, "one of = != < <= > >= ~ after `epochs`"),
        ("epochs > 1 && epochs < 3", 12, "write `and`"),
        ("epochs 3", 8, "got `3`"),
        ("(epochs = 3", 12, "`)`"),
        ("epochs = 3)", 11, "`and`, `or` or the end"),
        ("note = 'two", 8, "not closed"),
        ("= 3", 1, "a key"),
        ("not", 4, "a key"),
        (60 * "(" + "epochs = 3" + 60 * ")", 51, "nested deeper than 50"),
    ],
)
def test_a_mistake_is_shown_with_its_place(text, place, words):
    if words is None:  # a word is a value, also this one
        assert not parse_filter(text, same).passes(RUN)
        return
    with pytest.raises(UserError) as error:
        parse_filter(text, same)
    message, shown, mark = str(error.value).split("\n")
    assert words in message and message.startswith("--filter: ")
    assert shown[2:] == text and mark == f"  {' ' * (place - 1)}^"


@given(st.text(alphabet="ab.=<>!~()'\"& 1or and not", max_size=30))
def test_any_text_is_a_filter_or_a_mistake(text):
    try:
        found = parse_filter(text, same)
    except UserError:
        return
    assert found is None or found.passes(RUN) in (True, False)
