"""One conversation with Claude Code, over its standard input and the file that it writes to.

Its input stays open until the first result, for only so can it be interrupted with all that it cost said. It is greeted
first; the prompt follows when it has answered, unless the answer shows that the prompt is a slash command which nobody
knows there: then nothing is asked, and nothing is paid.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress

from prodigy.kernel.effects import RenderedClaude
from prodigy.runtime.claude import protocol
from prodigy.runtime.claude.reading import Demands, Reading, Transcript, slash_command, unknown_command
from prodigy.runtime.processes.outputs import OutputFile


class Dialogue:
    """What is said to one Claude Code and heard from it. `stdin` is the end that it reads; `begin` lets go of it."""

    def __init__(self, command: RenderedClaude, transcript: OutputFile) -> None:
        self.stdin, writes = os.pipe()
        self.heard = Transcript()
        self.was_asked = False
        self.is_refused = False  # the prompt is no command that is known there
        self._command = command
        self._file = transcript
        self._speech = _Speech(writes)
        self._is_done = False

    def begin(self) -> None:
        """The program runs: greet it."""
        os.close(self.stdin)
        self._speech.say(protocol.greeting())

    def abandon(self) -> None:
        """The program could not be started."""
        os.close(self.stdin)
        self._speech.close()

    def listen(self) -> bool:
        """Take in what is new, in bounded pieces, and answer it; return whether there was anything."""
        is_new = self.heard.look(self._file.piece)
        if self.heard.is_greeted and not self._is_done and not self.was_asked:
            self._ask(self.heard.commands)
        if self.heard.result is not None:
            self.close()
        return is_new

    def catch_up(self) -> None:
        """Take in all that was said so far, and say nothing new."""
        while self.heard.look(self._file.piece):
            pass

    def _ask(self, commands: tuple[str, ...] | None) -> None:
        prompt = self._command.prompt
        if unknown_command(prompt, commands):
            self.is_refused = True
            self.close()
            return
        self.was_asked = True
        # A slash command is one at the very beginning only.
        self._speech.say(protocol.prompt(prompt.lstrip() if slash_command(prompt) else prompt))

    @property
    def has_nothing_left(self) -> bool:
        """Whether Claude Code only has to end: it has said its result, or will not be asked."""
        return self.heard.has_result or self.is_refused

    def interrupt(self) -> None:
        """Have it end its work, its tools and itself; if it was not asked yet, there is nothing to end."""
        if self.was_asked and not self._is_done:
            self._speech.say(protocol.interrupt())
        else:
            self.close()

    def close(self) -> None:
        """Say nothing any more, which is how it knows that it may end."""
        self._is_done = True
        self._speech.close()

    def reading(self, *, exit_code: int | None, stderr: str) -> Reading:
        """Judge the whole, when the program has ended. It may be called in a thread: nobody else listens any more."""
        self.heard.finish(self._file.piece)
        command = self._command
        demands = Demands(prompt=command.prompt, form=command.json_schema, fails_on_denied=command.fails_on_denied)
        return self.heard.reading(demands, exit_code=exit_code, stderr=stderr, was_asked=self.was_asked)


class _Speech:
    """Writes into a pipe as fast as it is read, without ever waiting for that. Who reads no more hears no more."""

    def __init__(self, writes: int) -> None:
        self._writes = writes
        self._left = bytearray()
        self._is_ending = False
        self._waiting: Callable[[], object] | None = None
        os.set_blocking(writes, False)

    def say(self, data: bytes) -> None:
        """Say this after all that was said before."""
        self._left += data
        self._go_on()

    def close(self) -> None:
        """Let the reader see the end; what was not read yet is not said any more."""
        self._is_ending = True
        self._left.clear()
        self._go_on()

    def _go_on(self) -> None:
        if self._writes < 0:
            return
        try:
            while self._left:
                del self._left[: os.write(self._writes, self._left)]
        except BlockingIOError:
            self._wait()
            return
        except OSError:  # the reader is gone
            self._left.clear()
        self._stop_waiting()
        if self._is_ending:
            os.close(self._writes)
            self._writes = -1

    def _wait(self) -> None:
        if self._waiting is None:
            loop = asyncio.get_running_loop()
            loop.add_writer(self._writes, self._go_on)
            self._waiting = lambda: loop.remove_writer(self._writes)

    def _stop_waiting(self) -> None:
        if self._waiting:
            with suppress(RuntimeError):
                self._waiting()
            self._waiting = None
