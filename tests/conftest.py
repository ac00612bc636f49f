"""What holds for all tests: an option that rewrites golden files, and no child of one test that another meets."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

_SUBREAPER_OPTION = 36

os.environ["TZ"] = "UTC"  # what people read is in local time, here and in every child
time.tzset()


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a background job of a script has it. Programs that tests start hear Ctrl-C, unless a test says otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the expected parts of golden files anew")


@pytest.fixture
def rewrites(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--rewrite"))


@pytest.fixture(autouse=True)
def _no_orphans() -> Iterator[None]:
    """A test that runs commands in this process adopts orphans from then on; the next test must not meet them."""
    yield
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER_OPTION, 0, 0, 0, 0)
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
