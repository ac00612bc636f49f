"""Give an order to a live run, and see that it was obeyed."""

import math
import time
from collections.abc import Callable

from prodigy.cli.output.display import note
from prodigy.errors import RunNotFound
from prodigy.kernel.state import State
from prodigy.runtime.orders.live_orders import signal_of
from prodigy.store.catalog import read_run
from prodigy.store.inbox import send
from prodigy.store.layout import Project
from prodigy.store.lock import holder
from prodigy.store.orders import Order

LOOK_EVERY_S = 0.1
PATIENCE_S = 2.0  # an owner looks into its inbox four times a second
OBEYED_WITHIN_S = 10.0


def is_carried_out(project: Project, workflow_id: str, order: Order, is_done: Callable[[State], bool]) -> bool:
    """Send an order to whoever owns a run, and wait until the log shows that it was obeyed.

    Returns False where nobody owns the run, or its owner went without taking the order, which is then taken back.

    Raises:
        UsageProblem, RunNotFound: the order means nothing to the run as it stands.
    """
    folder = project.run(workflow_id)
    owner = holder(folder.lock)
    if owner is None:
        return False
    signal_of(order, read_run(project, workflow_id).sound())  # refuses what it cannot mean, before anything is sent
    path = send(folder.inbox, order)
    says_so_at, gives_up_at = time.monotonic() + PATIENCE_S, math.inf
    try:
        while time.monotonic() < gives_up_at:
            is_taken, is_alone = not path.exists(), holder(folder.lock) is None
            if is_done(read_run(project, workflow_id).sound()):
                return True
            if is_alone:
                return False
            if is_taken:
                gives_up_at = min(gives_up_at, time.monotonic() + OBEYED_WITHIN_S)
            elif time.monotonic() > says_so_at:
                note(f"{workflow_id} has not taken the order yet; is process {owner.pid} suspended?")
                says_so_at = math.inf
            time.sleep(LOOK_EVERY_S)
    finally:
        path.unlink(missing_ok=True)
    raise RunNotFound(
        f"process {owner.pid}, which runs {workflow_id}, took the order and did nothing",
        hint=f"It says why where it was started. Look how the run stands: `prodigy status {workflow_id}`.",
    )
