"""Be `prodigy`, changed in one way that no user can choose: `python -m bench.player WAY prodigy's arguments`.

`no-checkpoints` leaves the checkpoint file away. `count-syncs` and `time-checkpoints` change nothing but measure: they
print a `Share` to stdout, after everything else. So a difference in time is that one thing's. `still` leaves away what
only the passing of time brings (ticks, looks into the inbox, checkpoints while steps run), so that what is counted is
what the steps themselves take, and prints how many blocks of memory are in use at the end.
"""

import gc
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from prodigy.runtime.host import host
from prodigy.runtime.orders import checkpointer
from prodigy.runtime.orders.checkpointer import Checkpointer
from prodigy.runtime.processes import supervisor

AN_HOUR_S = 3600.0


class Share(msgspec.Struct):
    """What one kind of work took: how often it was done, its seconds, and the seconds of the whole command line."""

    count: int = 0
    seconds: float = 0.0
    of_s: float = 0.0

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return `call`, adding what it takes."""

        def measured(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                self.seconds += time.perf_counter() - began
                self.count += 1

        return measured


class NoCheckpointer:
    """What the checkpoint writer does then: nothing; whoever waits for a file is let go at once."""

    def publish(self, state: object, chain: str) -> None:
        """Forget the state."""

    def when_written(self, seq: int, call: Callable[[], None], *, is_mirrored: bool = False) -> None:
        """Call at once."""
        call()

    def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Change what was asked for and run the command line."""
    way, share = sys.argv.pop(1), Share()
    match way:
        case "no-checkpoints":
            for name in ("publish", "when_written", "close"):
                setattr(Checkpointer, name, vars(NoCheckpointer)[name])
        case "count-syncs":
            for name in {"fsync", "fdatasync"} & vars(os).keys():
                setattr(os, name, share.timed(getattr(os, name)))
        case "time-checkpoints":
            for name in ("publish", "_write"):
                setattr(Checkpointer, name, share.timed(getattr(Checkpointer, name)))
        case "still":
            _stand_still()
        case _:
            sys.exit(f"no such way: {way}")
    _play(share, way)


def _stand_still() -> None:
    for module, name in ((host, "INBOX_INTERVAL_S"), (host, "BEAT_S"), (supervisor, "SHOW_EVERY_S")):
        setattr(module, name, AN_HOUR_S)
    for name in ("FIRST_REST_S", "REST_S_MAX", "REST_FACTOR"):
        setattr(checkpointer, name, AN_HOUR_S)


def _play(share: Share, way: str) -> None:
    """Run, and print the share where Python would end: `prodigy` itself ends at once."""
    from prodigy.cli.app import run

    vars(os)["_exit"] = sys.exit
    began = time.perf_counter()
    try:
        run()
    finally:
        share.of_s = time.perf_counter() - began
        if way == "still":
            gc.collect()
            share.count = sys.getallocatedblocks()
        if way != "no-checkpoints":
            print(msgspec.json.encode(share).decode())


if __name__ == "__main__":
    main()
