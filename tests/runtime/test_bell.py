"""Which signals are a second stop, that ends everything at once, and which are the first one told again."""

import signal
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM

import pytest

from prodigy.runtime.host.bell import Stops

HEARD = {
    "TERM, to the process and to its group": ([(SIGTERM, 0.0), (SIGTERM, 0.01), (SIGTERM, 0.9)], 1),
    "HUP, to the process and to its group": ([(SIGHUP, 0.0), (SIGHUP, 0.2)], 1),
    "TERM again, a moment later": ([(SIGTERM, 0.0), (SIGTERM, 1.0)], 2),
    "TERM told again, and then once more": ([(SIGTERM, 0.0), (SIGTERM, 0.01), (SIGTERM, 2.0)], 2),
    "Ctrl-C twice": ([(SIGINT, 0.0), (SIGINT, 0.01)], 2),
    "QUIT twice": ([(SIGQUIT, 0.0), (SIGQUIT, 0.01)], 2),
    "another signal": ([(SIGTERM, 0.0), (SIGINT, 0.01)], 2),
    "TERM after Ctrl-C": ([(SIGINT, 0.0), (SIGTERM, 0.01)], 2),
}


@pytest.mark.parametrize(("heard", "stops"), HEARD.values(), ids=HEARD)
def test_what_counts_as_one_stop(heard: list[tuple[signal.Signals, float]], stops: int) -> None:
    """The same TERM or HUP within a second of the first; the exit code is the first one's in any case."""
    times = iter([at for _, at in heard])
    told = Stops(clock=times.__next__)
    for number, _ in heard:
        told.take(number)
    assert (told.count, told.first) == (stops, heard[0][0])
