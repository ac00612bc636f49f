"""Open a run as resume does: `python -m bench.opener PROJECT RUN log|tail` prints an `Opened`."""

import resource
import sys
import time
from pathlib import Path

import msgspec

import prodigy.cli  # which sets how often garbage is looked for, as in every command  # noqa: F401
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.history import read_history
from prodigy.store.layout import Project


class Opened(msgspec.Struct, frozen=True):
    """How long it took to open a log of `events`, and the most memory that the process ever had."""

    events: int
    seconds: float
    peak_mb: float


def main() -> None:
    """Open the log alone, or from its checkpoint."""
    root, run, how = sys.argv[1:]
    project = Project(Path(root))
    began = time.perf_counter()
    checkpoint = read_own_checkpoint(project.checkpoint(run), run).checkpoint if how == "tail" else None
    history = read_history(project.run(run), checkpoint)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = peak / 1e6 if sys.platform == "darwin" else peak / 1e3
    print(msgspec.json.encode(Opened(history.state.seq, seconds, peak_mb)).decode())


if __name__ == "__main__":
    main()
