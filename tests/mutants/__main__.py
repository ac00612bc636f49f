"""Plant bugs, one at a time, and list those that no test notices: `python -m tests.mutants [--sample N] [PART …]`."""

import argparse
import gc
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import IO, NamedTuple

import pytest

import prodigy
from tests.mutants.equivalent import Equivalents
from tests.mutants.fresh import Fresh
from tests.mutants.nearest import Kept, Nearest, Ran, now_s
from tests.mutants.operators import Bug, bugs_of
from tests.mutants.planting import living_functions
from tests.mutants.trial import Trials, Tried
from tests.mutants.whole import WholeRuns

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = f"{ROOT}/prodigy/"
PARTS = ("prodigy/kernel", "prodigy/plan", "prodigy/store", "prodigy/runtime")
# Not the tests of whole runs, which take seconds each, nor those that read the code or plant bugs themselves.
TESTS = {
    "kernel": ("kernel", "scenarios", "projections", "histories", "conformance", "simulation"),
    "plan": ("plan", "corpus", "docs", "conformance", "kernel"),
    "store": ("store", "runtime", "cli", "histories", "conformance"),
    "runtime": ("runtime", "store", "cli", "simulation", "conformance"),
}
WHOLE_RUNS = "tests/end_to_end"  # asked about what no other test notices
PARTS_OF_WHOLE_RUNS = ("store", "runtime")
TYPES = "the type checker"
LEFT_OUT = ("tests/simulation/test_mutants.py", "tests/simulation/test_random_plans.py")


class Order(NamedTuple):
    """What was asked for."""

    parts: Sequence[Path]
    tests: Sequence[str]
    sample: int | None
    seed: int
    shard: tuple[int, int]
    budget_s: float
    whole_s: float


class Outcome(NamedTuple):
    """A bug, and what became of it."""

    bug: Bug
    tried: Tried


class Planter:
    """A plugin that plants bugs, where pytest would run what it has collected."""

    def __init__(self, order: Order, out: IO[str]) -> None:
        self._order, self._out = order, out
        self.outcomes: list[Outcome] = []

    def pytest_configure(self) -> None:
        """Let properties be tried with the same examples each time."""
        from hypothesis import HealthCheck, settings  # pytest must have seen it first

        settings.register_profile(
            "mutants", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Survey the tests, then try every bug."""
        for module in walk_packages(prodigy.__path__, "prodigy."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
        trials = Trials(session, PROGRAM)
        survey = self._surveyed(session, trials)
        nearest = Nearest(survey, budget_s=self._order.budget_s)
        trials.durations_s |= {test: ran.duration_s for test, ran in survey.items()}
        living = living_functions(PROGRAM)
        gc.collect()
        gc.freeze()
        bugs = chosen(self._order)
        with Fresh(ROOT) as fresh:
            whole = WholeRuns(ROOT, ROOT / WHOLE_RUNS, budget_s=self._order.whole_s)
            if any(_is_of_whole_runs(bug) for bug in bugs):
                whole.survey(fresh)
            for bug in bugs:
                path = str(bug.path).removeprefix(PROGRAM)
                tests = nearest.of(bug, path)  # none where its function is called by an import alone
                is_early = bug.when_imported or not tests
                tried = Tried("unplanted") if is_early else trials.try_bug(bug, tests, living)
                if tried.verdict == "unplanted":
                    tried = fresh.try_bug(bug, nearest.beside(path))
                nearest.caught(path, tried.by)
                if tried.verdict == "alive" and not EQUIVALENT.reason(bug):
                    if fresh.has_wrong_types(bug):
                        tried = Tried("caught", TYPES)
                    elif _is_of_whole_runs(bug) and (tests := whole.of(bug, path)):
                        tried = fresh.try_bug(bug, tests, takes_s=whole.duration_s(tests))
                self._note(Outcome(bug, tried))
        return True

    def _surveyed(self, session: pytest.Session, trials: Trials) -> dict[str, Ran]:
        kept, survey = Kept(ROOT), dict[str, Ran]()
        tests_of: dict[Path, list[str]] = {}
        for item in session.items:
            tests_of.setdefault(item.path, []).append(item.nodeid)
        for path, tests in tests_of.items():
            if (known := kept.read(path)) is None:
                kept.write(path, known := trials.survey(tests))
            survey |= known
        failed = [test for test in survey if not survey[test].passed]
        print(f"{len(survey)} tests, {len(failed)} left out for they fail here: {failed}", file=self._out)
        return survey

    def _note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if outcome.tried.verdict == "alive":
            print("\n".join(told(outcome)), file=self._out, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant what was asked for and print what survived."""
    order = _read(arguments)
    out = os.fdopen(os.dup(1), "w")
    (ROOT / "build" / "mutants").mkdir(parents=True, exist_ok=True)
    log = os.open(ROOT / "build" / "mutants" / f"pytest-{order.shard[0]}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    planter, began = Planter(order, out), now_s()
    ignored = [f"--ignore={ROOT}/{path}" for path in LEFT_OUT]
    os.chdir(ROOT)
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", *ignored, *order.tests], [planter])
    print("\n".join(summed(planter.outcomes, now_s() - began)), file=out, flush=True)
    return int(code)


def chosen(order: Order) -> list[Bug]:
    """Return the bugs to be planted: a sample if that was asked for, and of it one shard."""
    files = [file for part in order.parts for file in (sorted(part.rglob("*.py")) if part.is_dir() else [part])]
    bugs = [bug for file in files for bug in bugs_of(file)]
    if order.sample is not None and order.sample < len(bugs):
        bugs = sorted(random.Random(order.seed).sample(bugs, order.sample))
    shard, shards = order.shard
    return bugs[shard - 1 :: shards]


def _is_of_whole_runs(bug: Bug) -> bool:
    return bug.path.relative_to(PROGRAM).parts[0] in PARTS_OF_WHOLE_RUNS


def told(outcome: Outcome) -> Iterator[str]:
    """Yield the lines that show a survivor."""
    bug, tried = outcome
    right, wrong = bug.difference(bug.path.read_bytes())
    reason = EQUIVALENT.reason(bug)
    why = f"  ({reason or tried.by})" if reason or tried.by else ""
    yield f"{bug.path.relative_to(ROOT)}:{bug.line}{why}"
    yield f"  - {right}"
    yield f"  + {wrong}"


def summed(outcomes: Sequence[Outcome], duration_s: float) -> Iterator[str]:
    """Yield a line for each package, and one for all."""
    planted: Counter[str] = Counter()
    alive: Counter[str] = Counter()
    for bug, tried in outcomes:
        part = bug.path.relative_to(ROOT).parts[1]
        if not EQUIVALENT.reason(bug):
            planted[part] += 1
            alive[part] += tried.verdict == "alive"
    for part in planted:
        yield f"{part}: {planted[part]} planted, {alive[part]} alive ({alive[part] / planted[part]:.1%})"
    excused = len(outcomes) - planted.total()
    by_types = sum(tried.by == TYPES for _, tried in outcomes)
    yield (
        f"{planted.total()} planted, {alive.total()} alive, {by_types} seen by the type checker alone, "
        f"{excused} equivalent, {duration_s:.0f} s"
    )


def _read(arguments: Sequence[str] | None) -> Order:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, help="plant so many, chosen at random; all without it")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--shard", type=_shard, default=(1, 1), metavar="N/M", help="the Nth of M parts")
    parser.add_argument("--budget", type=float, default=15.0, metavar="S", help="seconds of tests for a bug at most")
    parser.add_argument("--whole", type=float, default=30.0, metavar="S", help="seconds of whole runs for a survivor")
    parser.add_argument("--tests", nargs="+", metavar="PATH", help="tests that may notice")
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help="folders or files below prodigy/")
    told = parser.parse_args(arguments)
    parts = [(ROOT / part).resolve() for part in told.parts]
    layers = {part.relative_to(PROGRAM).parts[0] for part in parts}
    tests = told.tests or [f"tests/{name}" for name in dict.fromkeys(n for layer in layers for n in TESTS[layer])]
    paths = [f"{ROOT / test}" for test in tests]
    return Order(parts, paths, told.sample, told.seed, told.shard, told.budget, told.whole)


def _shard(text: str) -> tuple[int, int]:
    shard, _, shards = text.partition("/")
    return int(shard), int(shards)


EQUIVALENT = Equivalents(Path(__file__).with_name("equivalent.txt"))

if __name__ == "__main__":
    sys.exit(main())
