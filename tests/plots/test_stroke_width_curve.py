import pytest

from kerasexp.plots.stroke_width_curve import plot_stroke_widths


def rows(factors: list[float], with_case: bool) -> list[dict[str, float]]:
    extra = {"case_insensitive_accuracy": 0.95} if with_case else {}
    return [{"factor": f, "accuracy": 0.9, "accuracy_low": 0.87, "accuracy_high": 0.92, **extra} for f in factors]


@pytest.mark.parametrize("with_case", [True, False])
@pytest.mark.parametrize("factors", [[1.0], [0.5, 0.75, 1.0, 1.25, 1.5], [0.5, 1.0, 4.0]])
def test_a_curve_per_accuracy_over_the_factors(factors, with_case, png):
    figure = plot_stroke_widths(rows(factors, with_case))
    (axes,) = figure.axes
    curves = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    assert [line.get_label() for line in curves] == ["without letter case"] * with_case + ["accuracy"]
    assert all(list(line.get_xdata()) == factors for line in curves)
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{factor:g}" for factor in factors]
    assert len(png(figure)) < 100_000
