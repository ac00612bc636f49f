"""Read a map's items beside the event loop, in a thread; a command that prints them is a command like any other.

    List ─▶ read_items ─┬───────────────────────────────────────▶ Listed
                        └▶ Spawn ─▶ Exited ─▶ read_items again ─▶ Listed

So the run hears Ctrl-C while it reads, and Ctrl-Z, a stop, a crowded machine do to the command what they do to a step.
What it prints goes into files, is shown to nobody, and is removed when it was read. What cannot be read is a `Listed`
with the reason.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prodigy.kernel import effects as fx
from prodigy.kernel import signals as sig
from prodigy.runtime.clock import now

OUTPUT_BYTES_MAX = 256 * 1024 * 1024
STDERR_CHARS_MAX = 2000
GRACE_S = 2.0

Tell = Callable[[sig.Listed | fx.Spawn], None]


class Listing:
    """The reading of one map's items at a time.

    Args:
        directory: where relative names begin.
        run_folder: in it are the files into which commands print.
    """

    def __init__(self, directory: Path, run_folder: Path) -> None:
        self._directory = directory
        self._run_folder = run_folder
        self._effect: fx.List | None = None

    def start(self, effect: fx.List, tell: Tell) -> None:
        """Read the items that `effect` asks for; `tell` is called once, from another thread.

        It is told the items, or the command that has to print them: whoever runs that calls `read` at its end.
        """
        self._effect = effect
        threading.Thread(target=self._begin, args=(effect, tell), name="items", daemon=True).start()

    def awaits(self, end: sig.Exited) -> bool:
        """Say whether it is the command of `start` that has ended."""
        return self._effect is not None and end.epoch == self._effect.epoch

    def read(self, end: sig.Exited, tell: Tell) -> None:
        """Read what the command has printed; `tell` is called once, from another thread."""
        effect, self._effect = self._effect, None
        assert effect is not None, "what it awaits is one command"
        threading.Thread(target=self._finish, args=(effect, end, tell), name="items", daemon=True).start()

    def _begin(self, effect: fx.List, tell: Tell) -> None:
        tell(self._items(effect) or _command(effect))

    def _finish(self, effect: fx.List, end: sig.Exited, tell: Tell) -> None:
        try:
            if not end.stopped:  # else the run is about to rest, and nobody waits for items
                tell(self._printed(effect, end))
        finally:
            for path in self._files(end):
                with suppress(OSError):
                    path.unlink()

    def _printed(self, effect: fx.List, end: sig.Exited) -> sig.Listed:
        if problem := f"cannot be run: {end.error}" if end.error else self._problem(end):
            return sig.Listed(time=now(), at=effect.at, error=f"the command for map.input {problem}")
        listed = self._items(effect, (self._run_folder / end.output_file).read_bytes())
        assert listed is not None, "a command has printed by now"
        return listed

    def _items(self, effect: fx.List, printed: bytes | None = None) -> sig.Listed | None:
        from prodigy.runtime.host.items import read_items  # 1.4 ms that only a map should cost

        return read_items(effect, directory=self._directory / effect.working_dir, printed=printed)

    def _problem(self, end: sig.Exited) -> str:
        """Return what went wrong with a command that has ended, or nothing."""
        if any(path.exists() and path.stat().st_size > OUTPUT_BYTES_MAX for path in self._files(end)):
            return f"printed more than {OUTPUT_BYTES_MAX >> 20} MiB"
        if end.exit_code == 0:
            return ""
        ended = f"exit {end.exit_code}" if end.signal is None else f"killed by {end.signal}"
        said = end.stderr.strip()[-STDERR_CHARS_MAX:]
        return f"failed: {ended} · {said}" if said else f"failed: {ended}"

    def _files(self, end: sig.Exited) -> tuple[Path, ...]:
        if not end.output_file:
            return ()
        output = self._run_folder / end.output_file
        return output, output.with_suffix(".err")


def _command(effect: fx.List) -> fx.Spawn:
    return fx.Spawn(
        at=effect.at,
        epoch=effect.epoch,
        attempt=1,
        command=fx.RenderedShell(script=effect.text),
        environment=effect.environment,
        working_dir=effect.working_dir,
        grace_s=GRACE_S,
        printed_bytes_max=OUTPUT_BYTES_MAX,
        files=effect.files,
    )
