"""Which runs there are: every run of a project, and the one that a reference means. Reads only.

A run is what its log says. One whose log says `running` but that nobody owns is `interrupted`; one whose folder is gone
is known by its mirror alone; one that cannot be read is listed as `damaged`, with the reason. Of a cleaned run only the
log is left, so only commands that read the log find it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import takewhile

from prodigy.errors import ProdigyError, RunNotFound
from prodigy.plan.phrases import agreeing
from prodigy.store.checkpoints import read_own_checkpoint
from prodigy.store.files import existing_folder
from prodigy.store.generation import Generation, cleaned_at, newest_generation, was_cleaned
from prodigy.store.history import read_run_history
from prodigy.store.layout import Mirror, Project, check_id, find_mirror, is_id, new_id, stem_of
from prodigy.store.lock import holder
from prodigy.store.overview import RunOverview, overview_from_checkpoint, read_header
from prodigy.store.rescue import usable_copy
from prodigy.store.unbegun import never_began

NO_RUNS = "Nothing was cooked here yet: `prodigy cook FILE`."
CANDIDATES_SHOWN = 10
REFERENCE_CHARS_SHOWN = 100


def read_run(project: Project, workflow_id: str, mirror: Mirror | None = None) -> RunOverview:
    """Return one run of the project, which exists, or is known to `mirror`, with the state that its log folds to."""
    folder, owner = project.run(workflow_id), None
    try:
        if mirror is not None and not existing_folder(folder.path):
            return _mirrored(mirror, workflow_id)
        owner = holder(folder.lock)
        history, _ = read_run_history(project, mirror, workflow_id)
    except (ProdigyError, OSError) as problem:
        return RunOverview(workflow_id=workflow_id, problem=str(problem), owner=owner)
    if history.state.origin is None:
        return RunOverview(workflow_id=workflow_id, problem="its log is empty: nothing was ever started", owner=owner)
    return RunOverview(workflow_id=workflow_id, state=history.state, owner=owner)


def overview(project: Project, workflow_id: str, mirror: Mirror | None = None) -> RunOverview:
    """Return where a run stands that exists, or that `mirror` knows; its log is folded only where it must be."""
    folder = project.run(workflow_id)
    try:
        if mirror is not None and not existing_folder(folder.path):
            return _mirrored_overview(mirror, workflow_id)
        newest = newest_generation(folder)
    except (ProdigyError, OSError):
        newest = None  # which is said better by whoever reads all of it
    return _overview(project, workflow_id, mirror, newest)


def _overview(project: Project, workflow_id: str, mirror: Mirror | None, newest: Generation | None) -> RunOverview:
    with suppress(ProdigyError, OSError):
        if newest is not None and (found := overview_from_checkpoint(project, newest)):
            return found
    return read_run(project, workflow_id, mirror)


def list_runs(project: Project, mirror: Mirror | None = None) -> list[RunOverview]:
    """Return where all runs of a project stand, the one cooked or resumed last first; `mirror` adds those it alone has.

    Logs are folded only where they must be, so a thousand runs are listed by reading a thousand headers.
    """
    runs, known = list[RunOverview](), set[str]()
    for workflow_id in _folders(project):
        newest = _newest(project, workflow_id)
        if newest is not None and newest.cleaned_at():
            known.add(workflow_id)
            continue
        run = _overview(project, workflow_id, mirror, newest)
        if not run.is_damaged or not never_began(project, workflow_id):
            runs.append(run)
            known.add(workflow_id)
    if mirror is not None:
        gone = (workflow_id for workflow_id in mirrored_ids(mirror) if workflow_id not in known)
        runs += [_mirrored_overview(mirror, workflow_id) for workflow_id in gone]
    return sorted(runs, key=lambda run: (-run.number, run.workflow_id))


def _newest(project: Project, workflow_id: str) -> Generation | None:
    try:
        return newest_generation(project.run(workflow_id))
    except (ProdigyError, OSError):
        return None


def workflow_ids(project: Project) -> list[str]:
    """Return the ids of the runs that have a folder and were not cleaned, by name."""
    return [workflow_id for workflow_id in _folders(project) if not cleaning_of(project, workflow_id)]


def unbegun_ids(project: Project, mirror: Mirror | None = None) -> list[str]:
    """Return the ids of the runs that were killed before their first event, by name."""
    return [workflow_id for workflow_id in _folders(project) if never_began(project, workflow_id, mirror)]


def cleaned_ids(project: Project) -> list[str]:
    """Return the ids of the runs of which only the log is left, by name."""
    return [workflow_id for workflow_id in _folders(project) if cleaning_of(project, workflow_id)]


def cleaning_of(project: Project, workflow_id: str) -> str | None:
    """Return when the run was cleaned, UTC, ISO 8601; None where it was not, or cannot be read."""
    with suppress(ProdigyError, OSError):
        return cleaned_at(project.run(workflow_id))
    return None


def mirrored_ids(mirror: Mirror | None) -> list[str]:
    """Return the ids of the runs that have a mirrored checkpoint, by name."""
    if mirror is None or not existing_folder(mirror.checkpoints):
        return []
    names = os.listdir(mirror.checkpoints)
    return _ids(name.removesuffix(".json") for name in names if name.endswith(".json"))


def find_run(project: Project, reference: str, mirror: Mirror | None = None, *, with_cleaned: bool = False) -> str:
    """Return the id of the run that `reference` means: a workflow's name (its most recent run), an id, a unique prefix.

    A name is as written in the file, whatever it consists of, and comes first: a workflow may be named like the
    beginning of an id. All runs are only looked at for one where some run's id may have been made of it.

    Runs that only `mirror` knows count where it is given, and those of which only the log is left `with_cleaned`.

    Raises:
        RunNotFound: it is no reference, or means no run, several, or one that was cleaned; candidates are listed.
    """
    stem = stem_of(reference)
    has_like = any(workflow_id.startswith(f"{stem}-") for workflow_id in _folders(project))
    if not has_like and is_id(reference) and _exists(project) and existing_folder(project.run(reference).path):
        return _unless_cleaned(project, reference, with_cleaned=with_cleaned)
    runs = list_runs(project, mirror)
    if named := [run for run in runs if run.is_named(reference)]:
        return named[0].workflow_id
    if is_id(reference) and _exists(project) and existing_folder(project.run(reference).path):
        return _unless_cleaned(project, reference, with_cleaned=with_cleaned)
    matching = [run for run in runs if run.workflow_id.startswith(reference)] if reference else []
    if len(matching) == 1:
        return matching[0].workflow_id
    if mirror is None and not matching:
        _refuse_mirror_only(project, reference)
    begins = (reference, f"{stem}-") if reference else (f"{stem}-",)
    cleaned = [workflow_id for workflow_id in cleaned_ids(project) if workflow_id.startswith(begins)]
    if not matching and len(cleaned) == 1:
        return _unless_cleaned(project, cleaned[0], with_cleaned=with_cleaned)
    if not (matching or runs or cleaned):
        raise _none_here(project, f"there is no run {_shown(reference)}")
    cooked = next((run for run in runs if run.header and run.header.workflow_path == reference), None)
    raise _not_found(_shown(reference), matching, runs, cleaned, cooked)


def _shown(reference: str) -> str:
    """Return a reference as messages show it."""
    if is_id(reference):
        return reference
    short = reference if len(reference) <= REFERENCE_CHARS_SHOWN else f"{reference[:REFERENCE_CHARS_SHOWN]}…"
    return f"'{short}'" if short.isprintable() else ascii(short)


def _refuse_mirror_only(project: Project, reference: str) -> None:
    """Refuse a reference to a run of which only the mirror is left, for it has no log to look at."""
    try:
        mirror = find_mirror(project)
    except (ProdigyError, OSError):
        return
    known = _folders(project)
    if mirror is None:
        return
    for workflow_id in mirrored_ids(mirror):
        run = _mirrored_overview(mirror, workflow_id)
        if workflow_id not in known and (run.is_named(reference) or (reference and workflow_id.startswith(reference))):
            raise folder_gone(workflow_id)


def folder_gone(workflow_id: str) -> RunNotFound:
    """Return the refusal for a run of which only the mirror is left."""
    return RunNotFound(
        f"the folder of {workflow_id} is gone; its mirror is left",
        hint=f"Go on from that: `prodigy resume {workflow_id} --from-checkpoint mirror`.",
    )


def last_number(project: Project, mirror: Mirror | None) -> int:
    """Return the largest number that any run has, those that only the mirror knows too, for a counter that was lost."""
    return max((run.number for run in list_runs(project, mirror)), default=0)


def _unless_cleaned(project: Project, workflow_id: str, *, with_cleaned: bool) -> str:
    time = cleaning_of(project, workflow_id)
    if not time or with_cleaned:
        return workflow_id
    raise was_cleaned(workflow_id, time)


def _only_cleaned(what: str, cleaned: list[str]) -> RunNotFound:
    return RunNotFound(
        f"{what}; cleaned, with only the log left: {_some(cleaned)}",
        hint=f"Read one: `prodigy events ls --job-id {cleaned[0]}`.",
    )


def _not_found(
    reference: str,
    matching: list[RunOverview],
    runs: list[RunOverview],
    cleaned: list[str],
    cooked: RunOverview | None,
) -> RunNotFound:
    """Return what to say of a reference; `cooked` is the last run of a file of that name."""
    if matching:
        return RunNotFound(f"{reference} may mean {_names(matching)}", hint="Type more of the one you mean.")
    if cleaned:
        return _only_cleaned(f"there is no run {reference}", cleaned)
    if cooked is not None:
        hint = f"A run is known by its id or its workflow's name; the last one of that file: {cooked.workflow_id}"
        return RunNotFound(f"there is no run {reference}, which is a file", hint=hint)
    others = f"there {agreeing(len(runs), 'is', 'are')} {_names(runs)}"
    return RunNotFound(f"there is no run {reference}; {others}", hint="All: `prodigy checkpoints list`.")


def _names(runs: list[RunOverview]) -> str:
    return _some([f"{run.workflow_id} ({run.status})" for run in runs])


def _some(names: list[str]) -> str:
    more = f" and {len(names) - CANDIDATES_SHOWN} more" if len(names) > CANDIDATES_SHOWN else ""
    return ", ".join(names[:CANDIDATES_SHOWN]) + more


def _exists(project: Project) -> bool:
    return existing_folder(project.state) and existing_folder(project.runs)


def _folders(project: Project) -> list[str]:
    return _ids(os.listdir(project.runs)) if _exists(project) else []


def _ids(names: Iterable[str]) -> list[str]:
    found = []
    for name in sorted(names):
        try:
            found.append(check_id(name))
        except RunNotFound:
            continue
    return found


def _mirrored(mirror: Mirror, workflow_id: str) -> RunOverview:
    try:
        state = usable_copy(mirror.checkpoint(workflow_id), workflow_id, mirror.values).state
    except (ProdigyError, OSError) as problem:
        return RunOverview(workflow_id=workflow_id, problem=str(problem), is_mirror_only=True)
    return RunOverview(workflow_id=workflow_id, state=state, is_mirror_only=True)


def _mirrored_overview(mirror: Mirror, workflow_id: str) -> RunOverview:
    path = mirror.checkpoint(workflow_id)
    header = read_header(path, workflow_id)
    problem = None if header else read_own_checkpoint(path, workflow_id).problem or f"{path} is gone"
    return RunOverview(workflow_id=workflow_id, noted=header, problem=problem, is_mirror_only=True)


def unfinished_of(project: Project, name: str) -> list[RunOverview]:
    """Return the runs of a workflow that are not completed, the last first; those before one that is are past."""
    beginning = new_id(name, "")
    runs = [
        overview(project, workflow_id) for workflow_id in workflow_ids(project) if workflow_id.startswith(beginning)
    ]
    found = sorted((run for run in runs if not run.is_damaged and run.name == name), key=lambda run: -run.number)
    return list(takewhile(lambda run: run.status != "completed", found))


def last_unfinished(project: Project, mirror: Mirror | None = None) -> RunOverview:
    """Return the run that a bare `resume` means: of those that are not completed, the last.

    Runs that only `mirror` knows count where it is given.

    Raises:
        RunNotFound: there is none.
    """
    runs = list_runs(project, mirror)
    for run in runs:
        if run.status != "completed":
            return run
    if runs:
        raise RunNotFound(
            f"nothing to resume: the last run, {runs[0].workflow_id}, is {runs[0].status}",
            hint=f"Start it over with `prodigy resume {runs[0].workflow_id} --force`.",
        )
    raise _none_here(project, "nothing to resume here")


def _none_here(project: Project, what: str) -> RunNotFound:
    """Return what there is to say where no run is left: they were cleaned, or there never was one."""
    if cleaned := cleaned_ids(project):
        return _only_cleaned(what, cleaned)
    return RunNotFound(what, hint=NO_RUNS)


def last_run(project: Project, mirror: Mirror | None = None) -> str:
    """Return the run that was cooked or resumed last; one that only `mirror` knows counts where it is given.

    Raises:
        RunNotFound: there is none.
    """
    runs = list_runs(project, mirror)
    if not runs:
        raise _none_here(project, "there is no run here")
    return runs[0].workflow_id
