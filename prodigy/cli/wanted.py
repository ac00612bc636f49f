"""Which steps somebody wants to read of, where a name may mean one, or all that stand in a stage, a map or an item."""

from typing import NamedTuple

from prodigy.plan.address import alike, is_template, is_under
from prodigy.plan.nodes import ROOT, Run
from prodigy.projections.naming import address_of
from prodigy.store.catalog import read_run
from prodigy.store.layout import Project


class Wanted(NamedTuple):
    """One step, all that stand in what has several, a template's step in every item, or all where `address` is None."""

    address: str | None = None
    is_one: bool = False
    is_leaf: bool = False

    def has(self, at: str) -> bool:
        """Whether the step at an address is wanted."""
        if self.address is None or self.address == ROOT:
            return True
        if self.is_leaf:
            return self.address in alike(at)
        return any(is_under(like, self.address) for like in alike(at))


def wanted_of(project: Project, workflow_id: str, name: str | None) -> Wanted:
    """Return what an id, an address, a `name:` or an item's key means; of a run that cannot be folded, a step.

    Raises:
        UsageProblem: the run has nothing of that name; the hint has the nearest.
    """
    if name is None:
        return Wanted()
    state = read_run(project, workflow_id).state
    if state is None:
        return Wanted(name, is_one=True, is_leaf=True)
    address = address_of(workflow_id, state, name)
    is_leaf = isinstance(state.plan.template(address).body, Run)
    return Wanted(address, is_one=is_leaf and not is_template(address), is_leaf=is_leaf)
