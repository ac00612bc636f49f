"""Be `prodigy`, changed in one way that no user can choose: `python -m bench.player WAY prodigy's arguments`.

`no-checkpoints` leaves the checkpoint file away. `count-syncs` and `time-checkpoints` change nothing but measure: they
print a `Share` to stdout, after everything else. So a difference in time is that one thing's.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from prodigy.runtime.orders import bootstrap
from prodigy.runtime.orders.checkpointer import Checkpointer


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
    """Takes the place of the checkpoint writer and writes nothing; whoever waits for a file is let go at once."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

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
            vars(bootstrap)["Checkpointer"] = NoCheckpointer
        case "count-syncs":
            for name in {"fsync", "fdatasync"} & vars(os).keys():
                setattr(os, name, share.timed(getattr(os, name)))
        case "time-checkpoints":
            for name in ("publish", "_write"):
                setattr(Checkpointer, name, share.timed(getattr(Checkpointer, name)))
        case _:
            sys.exit(f"no such way: {way}")
    _play(share, prints=way != "no-checkpoints")


def _play(share: Share, *, prints: bool) -> None:
    """Run, and print the share where Python would end: `prodigy` itself ends at once."""
    from prodigy.cli.app import run

    vars(os)["_exit"] = sys.exit
    began = time.perf_counter()
    try:
        run()
    finally:
        share.of_s = time.perf_counter() - began
        if prints:
            print(msgspec.json.encode(share).decode())


if __name__ == "__main__":
    main()
