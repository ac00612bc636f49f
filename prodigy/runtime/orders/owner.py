"""Own a run: be the one process that may write its log, its checkpoint and its mirror.

Every change to a run happens inside `owned`, in this order: the reaper is forked before any thread starts and before
the lock is taken, the lock is taken before the log is read, and the log is closed before the lock is released.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from prodigy.kernel import signals as sig
from prodigy.kernel.state import State
from prodigy.runtime.host.reactor import Reactor
from prodigy.runtime.orders.checkpointer import Checkpointer
from prodigy.runtime.orders.trust import mirror_for
from prodigy.runtime.orders.waiting import acquire
from prodigy.runtime.processes.orphans import end_marked
from prodigy.runtime.processes.reaper import Reaper
from prodigy.store.catalog import last_number
from prodigy.store.generation import Generation
from prodigy.store.history import History, open_journal, read_run_history
from prodigy.store.journal import Journal
from prodigy.store.layout import Mirror, Project, RunFolder, new_id, prepare_run
from prodigy.store.lock import RunLock, next_number
from prodigy.store.values import Values

SWEEP_GRACE_S = 2.0
SUFFIX_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"

Note = Callable[[str], None]
_Journal = TypeVar("_Journal", bound=Journal)


class Owner:
    """The owner of a run. `mirror` is None where no copy is kept, `reaper` where no command will be started."""

    def __init__(
        self,
        project: Project,
        folder: RunFolder,
        mirror: Mirror | None,
        *,
        note: Note,
        reaper: Reaper | None,
        closing: ExitStack,
    ) -> None:
        self.project = project
        self.folder = folder
        self.mirror = mirror
        self.note = note
        self.reaper = reaper
        self._closing = closing

    @property
    def workflow_id(self) -> str:
        """The run's id."""
        return self.folder.path.name

    def next_number(self) -> int:
        """Return the project's next number of a cook or resume; nobody gets it again."""
        return next_number(self.project, lambda: last_number(self.project, self.mirror))

    def read(self) -> History:
        """Return where the run stands, with what was wrong with its checkpoint.

        Raises:
            DamagedState: the log is missing or altered, or both it and the checkpoint or the mirror cannot be right.
        """
        history, found = read_run_history(self.project, self.mirror, self.workflow_id)
        if found.checkpoint is not None:
            return history
        why = f"the checkpoint was rebuilt from the log: {found.problem or 'there was none'}"
        return history._replace(notes=(why, *history.notes))

    def end_of_log(self) -> History:
        """Return where the log ends, checked, in a state that knows nothing else: for what depends on nothing else.

        Values that are lost are not missed.

        Raises:
            DamagedState: the log is missing or altered.
        """
        generation = max(self.folder.generations())
        checked = Generation(self.folder, generation).read().verify()
        return History(State(seq=checked.end.seq), generation, checked, (), is_current=False)

    def open(self, history: History) -> tuple[Journal, tuple[str, ...]]:
        """Open the log that was read, and return what had to be mended, in words.

        Raises:
            StorageFailure: the disk refused to mend it.
        """
        journal, mended = open_journal(self.folder, history)
        return self.keep(journal), mended

    def keep(self, journal: _Journal) -> _Journal:
        """Close a journal before the run is given up."""
        self._closing.callback(journal.close)
        return journal

    def end_orphans(self) -> None:
        """End what an earlier owner left running, and say what it was.

        Raises:
            ProdigyError: something is not to be killed; its step must not be started a second time.
        """
        for process in end_marked(self.folder.path, grace_s=SWEEP_GRACE_S):
            self.note(f"left running and ended: {process}")

    def record(self, history: History, signal: sig.Signal) -> tuple[State, str]:
        """Let the kernel answer a signal that starts nothing, and return the state and chain after that."""
        journal, mended = self.open(history)
        for sentence in (*history.notes, *mended):
            self.note(sentence)
        reactor = Reactor(history.state, journal, lambda state, turn: None)
        effects = reactor.handle([signal])
        assert not effects, "nobody is there to perform an effect"
        return reactor.state, journal.position.chain

    def save(self, state: State, chain: str) -> None:
        """Write the checkpoint of a state and its mirror; one that cannot be written is a warning."""
        path, values = self.project.checkpoint(self.workflow_id), Values(self.folder.values)
        checkpointer = Checkpointer(path, values, self.mirror, self.note)
        checkpointer.publish(state, chain)
        checkpointer.close()


@contextmanager
def owned(
    project: Project, workflow_id: str, mirror: Mirror | None, *, command: str, note: Note, spawns: bool = False
) -> Iterator[Owner]:
    """Own a run; its folder is there.

    Args:
        mirror: the project's where it knows the run; a copy of each checkpoint goes there.
        command: what this process does, for others' messages.
        note: hears what is no event.
        spawns: commands of the run will be started: a reaper ends them if this process dies, and an owner that was
            asked to stop is waited for.

    Raises:
        RunNotFound: another process owns the run.
        StorageFailure: the disk has no room, or no locks.
    """
    folder = project.run(workflow_id)
    with ExitStack() as closing:
        reaper = None
        if spawns:
            reaper = Reaper.start(folder.path)
            closing.callback(reaper.close)
            closing.enter_context(acquire(folder, command=command, note=note))
        else:
            closing.enter_context(RunLock.acquire(folder.lock, command=command))
        yield Owner(project, folder, mirror, note=note, reaper=reaper, closing=closing)


@contextmanager
def new_run(project: Project, name: str, *, command: str, note: Note) -> Iterator[Owner]:
    """Own a run that did not exist, of a workflow of this name; this machine knows it from now on."""
    workflow_id = new_id(name, "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(6)))
    prepare_run(project, workflow_id)
    mirror = mirror_for(project, workflow_id, note)
    with owned(project, workflow_id, mirror, command=command, note=note, spawns=True) as owner:
        yield owner
