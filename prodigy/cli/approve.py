"""Say yes to a node of a live run from another terminal."""

from prodigy.cli.display import user
from prodigy.cli.named import address_of
from prodigy.errors import RunNotFound, UsageProblem
from prodigy.kernel.lifecycle import Status
from prodigy.store.catalog import listed
from prodigy.store.inbox import Approve, send
from prodigy.store.layout import Project


def approve_in_owner(project: Project, workflow_id: str, node: str) -> bool:
    """Leave the yes in the run's inbox if somebody owns the run; else return False: the caller resumes it.

    Raises:
        RunNotFound: the run has come to its end.
        UsageProblem: there is no such node, or it does not wait for confirmation; the hint names what does.
    """
    run = listed(project, workflow_id)
    state = run.state
    if state is None:
        raise RunNotFound(f"{workflow_id} cannot be read: {run.problem}", hint="Look: `prodigy checkpoints list`.")
    waiting = [at for at, here in state.nodes.items() if here.status is Status.AWAITING]
    address = address_of(workflow_id, state, node)
    if address not in waiting:
        hint = f"{', '.join(waiting)} waits." if waiting else "Nothing waits."
        raise UsageProblem(f"{node!r} of {workflow_id} does not wait for confirmation", hint=hint)
    if run.owner is None:
        return False
    send(project.run(workflow_id).inbox, Approve(at=address, by=f"{user()} with prodigy approve"))
    print(f"{address} of {workflow_id} was approved; process {run.owner.pid} goes on")
    return True
