"""Leave at once when the operator has asked twice, whatever hangs."""

import os
import signal
import threading
import time
from collections.abc import Callable

LEAVING_S = 1.0  # after the second stop, for an end in good order; the process is gone within 2 s on a busy machine too


def leave_soon(number: signal.Signals, say: Callable[[str], object]) -> None:
    """End the process in `LEAVING_S`, if it has not ended by then.

    The reaper ends the commands, and the log is in order at any moment.

    Args:
        number: the first stop's; the exit code tells of it.
        say: told a sentence just before, and not waited for.
    """
    threading.Thread(target=_leave, args=(number, say), name="leaving", daemon=True).start()


def _leave(number: signal.Signals, say: Callable[[str], object]) -> None:
    time.sleep(LEAVING_S)
    sentence = "something hangs: left at once, and what still runs is being ended"
    threading.Thread(target=say, args=(sentence,), daemon=True).start()  # that may hang too
    time.sleep(0.1)
    os._exit(128 + number)
