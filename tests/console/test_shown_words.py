"""Times as people read them."""

import pytest

from kerasexp.console.shown_words import clock_text, duration_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (2.54, "2.5 s"), (9.97, "10 s"), (59.4, "59 s"), (60, "1.0 min"), (85, "1.4 min"), (2730, "46 min"),
        (3600, "1.0 h"), (7560, "2.1 h"), (86400, "1.0 days"), (12 * 86400, "12 days"),
    ],
)  # fmt: skip
def test_a_duration_has_two_digits_and_the_largest_unit(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65, "1:05"), (7205, "2:00:05")])
def test_a_clock_has_seconds(seconds, text):
    assert clock_text(seconds) == text
