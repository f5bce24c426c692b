import matplotlib
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry

from kerasexp.plots import tick_labels as names
from kerasexp.plots.tick_labels import add_legend, drawable, tick_rotation, verbatim


def widths(figure) -> list[float]:
    return [text.get_window_extent().width for text in figure.texts]


@pytest.mark.parametrize(
    "name", ["a", "0", "$x$", '"quoted"', "<script>", "a_b^c", "\\frac", "é", "Ελλάδα", "русский", "😀"]
)
def test_a_name_that_the_default_font_has_stays_as_it_is(name):
    assert drawable(["other", name]) == ["other", name]


@pytest.mark.parametrize("name", ["日本語", "ไทย", "हिन्दी", "🧪", "a 🧪", "", "  ", "\u202e"])
def test_a_name_that_cannot_be_drawn_becomes_its_position(name):
    assert drawable(["a", "b", name]) == ["a", "b", "#2"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *(("two\nlines", "two lines"), ("tab\tand\r\nmore ", "tab and more"), ("bell\a", "bell\ufffd")),
        *(("turned \u202eround", "turned round"), ("broken \udc80", "broken \ufffd")),
    ],
)
def test_a_name_is_one_line_without_control_characters(name, shown):
    assert drawable([name]) == [shown]


def test_long_names_are_cut_and_stay_distinct():
    long = "a very long name of a class that goes on"
    shown = drawable([long, f"{long} and on", "short", long.replace("long", "wide")])
    assert shown[2:] == ["short", "a very wide name of a c…"]
    assert shown[:2] == ["a very long name of… #0", "a very long name of… #1"]
    assert max(map(len, drawable([long] * 200, 8))) <= 8


def test_names_that_would_look_alike_stay_distinct():
    assert drawable(["two lines", "two\nlines", "two\tlines"]) == ["two lines", "two lines #1", "two lines #2"]


@pytest.mark.parametrize("name", ["العربية", "שלום", "٣"])
def test_a_name_from_right_to_left_does_not_turn_what_stands_beside_it(name, png):
    (shown,) = drawable([name])
    assert shown == f"\u2068{name}\u2069"
    figure = Figure()
    for title in (f"{shown}  90%", f"{name}  90%", "90%"):
        figure.text(0, 0.5, title, **verbatim(title))
    assert png(figure)


def test_a_formula_is_drawn_as_it_is_written(png):
    figure = Figure()
    figure.text(0, 0.5, "$x$", **verbatim("$x$"))
    figure.text(0, 0.5, "x", **verbatim("x"))
    png(figure)
    written, letter = widths(figure)
    assert written > 2.5 * letter


def test_an_installed_font_helps_out(monkeypatch, png):
    script = "𝒳"
    assert drawable([script]) == ["#0"]
    monkeypatch.setattr(names, "_families", {})
    # As if matplotlib's own fonts were installed. One of them has a box for every character, which is of no help.
    monkeypatch.setattr(names, "get_data_path", lambda: "/nowhere")
    assert drawable([script, "日"]) == [script, "#1"]
    assert verbatim(script)["fontfamily"] == [*matplotlib.rcParams["font.family"], "STIXGeneral"]
    assert verbatim("plain")["fontfamily"] == matplotlib.rcParams["font.family"]
    figure = Figure()
    figure.text(0, 0.5, script, **verbatim(script))
    assert png(figure)


def installed(path) -> FontEntry:
    look = {"style": "normal", "variant": "normal", "weight": 400, "stretch": "normal", "size": "scalable"}
    return FontEntry(fname=str(path), name=path.stem, **look)


def test_a_font_that_is_gone_or_has_only_an_empty_outline_is_of_no_help(monkeypatch, tmp_path):
    # Fonts of coloured images are like that.
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", "tube"])
    font.setupCharacterMap({ord("🧪"): "tube"})
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "tube": TTGlyphPen(None).glyph()})
    font.setupHorizontalMetrics({".notdef": (500, 0), "tube": (500, 0)})
    font.setupHorizontalHeader()
    font.setupPost()
    font.save(tmp_path / "coloured.ttf")
    fonts = [installed(tmp_path / name) for name in ("gone.ttf", "coloured.ttf")]
    monkeypatch.setattr(names.fontManager, "ttflist", fonts + names.fontManager.ttflist)
    assert drawable(["🧪"]) == ["#0"]


def test_a_legend_shows_names_as_they_are_written(png):
    figure = Figure()
    axes = figure.add_subplot()
    shown = ["_", "_x_", "$x$"]
    legend = add_legend(axes, [axes.plot([0, 1])[0] for _ in shown], shown)
    png(figure)
    assert [text.get_text() for text in legend.get_texts()] == shown
    assert not any(text.get_parse_math() for text in legend.get_texts())


def test_names_are_turned_only_where_they_do_not_fit():
    assert tick_rotation(["cats", "dogs"], 10, 3) == 0
    assert tick_rotation(["cats"] * 20, 10, 5) == 90
