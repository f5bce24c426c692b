"""A signal ends a block at any line, and no handler of faults on the way takes it for one."""

import signal
from contextlib import suppress

import pytest

from kerasexp.errors import Interrupted
from kerasexp.training.interruption import interruption_as_error, stop_requests


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_no_fault_of_what_it_interrupts(number):
    with pytest.raises(Interrupted) as stop, interruption_as_error(), suppress(Exception):
        signal.raise_signal(number)
    assert stop.value.signal == number and stop.value.exit_code == 128 + number


def test_the_second_signal_does_not_wait_for_the_end_of_a_step():
    with pytest.raises(Interrupted) as stop, interruption_as_error(), stop_requests() as request, suppress(Exception):
        signal.raise_signal(signal.SIGINT)
        assert request.signal == signal.SIGINT
        signal.raise_signal(signal.SIGTERM)
    assert stop.value.signal == signal.SIGTERM


def test_handlers_are_those_of_before():
    before = signal.getsignal(signal.SIGTERM)
    with interruption_as_error():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
