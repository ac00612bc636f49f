"""The workflows that newcomers cook first: they do what they say, fail as they say, and survive being killed.

Each runs by the real program in a folder of its own. What `${python}` runs is a script of ours: it notes every call,
so that a test can count effects, and reads `hook` first, through which a test makes a step fail or wait.
"""

import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

WORKFLOWS = Path(__file__).parents[2] / "workflows"
LIBRARY = Path(sysconfig.get_path("stdlib")) / "json"
PATIENCE_S = 60.0

PYTHON = f"""#!/bin/sh
here=${{0%/*}}
echo "${{1##*/}}" >> "$here/calls.txt"
if [ -e "$here/hook" ]; then . "$here/hook"; fi
exec {shlex.quote(sys.executable)} -E -S "$@"
"""


class Ended(NamedTuple):
    """How a command of prodigy ended."""

    code: int
    out: str
    err: str


class Place:
    """A folder with the workflows in it, and a home of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = {**os.environ, "PRODIGY_HOME": str(path.with_name(path.name + "-home"))}
        path.mkdir()
        shutil.copytree(WORKFLOWS, path / "workflows")
        (path / "python").write_text(PYTHON)
        (path / "python").chmod(0o700)

    def prodigy(self, *arguments: str) -> Ended:
        """Run a command to its end."""
        with self.started(*arguments) as process:
            return self.ended(process)

    def cook(self, name: str, **parameters: Any) -> Ended:
        """Cook one of the workflows."""
        return self.prodigy(*self.order(name, parameters))

    def order(self, name: str, parameters: dict[str, Any]) -> list[str]:
        """Return the command line that cooks a workflow."""
        given = [f"--param={key}={value}" for key, value in {"python": self.path / "python", **parameters}.items()]
        return ["cook", f"workflows/{name}.yaml", *given]

    @contextmanager
    def started(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a command; what it prints can be read when it has ended, and it never outlives the test."""
        process = subprocess.Popen(
            [sys.executable, "-m", "prodigy", *arguments],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def ended(self, process: "subprocess.Popen[str]") -> Ended:
        """Wait for a command and return how it ended."""
        out, err = process.communicate(timeout=PATIENCE_S)
        return Ended(process.returncode, out, err)

    def wait_for(self, name: str, process: "subprocess.Popen[str]") -> None:
        """Wait until a step of a live run has made a file."""
        deadline = time.monotonic() + PATIENCE_S
        while not (self.path / name).exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, f"{name} never came"
            time.sleep(0.01)

    def hook(self, text: str = "") -> None:
        """Say what every later call of Python begins with."""
        (self.path / "hook").write_text(text)

    def calls(self) -> list[str]:
        """Return the scripts that were run so far."""
        return self.read("calls.txt").splitlines()

    def events(self, *types: str) -> list[dict[str, Any]]:
        """Return the events of the last run, of some types only."""
        chosen = [f"--type={name}" for name in types]
        return [json.loads(line) for line in self.prodigy("events", "ls", "--jsonl", *chosen).out.splitlines()]

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.path / name).read_text()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A new folder with the workflows in it."""
    return Place(tmp_path / "project")


class Survivor(NamedTuple):
    """A census that was killed in its fourth part, resumed, interrupted in its sixth, and resumed again."""

    place: Place
    killed: Ended
    interrupted: Ended
    finished: Ended


def _paused_in(part: int) -> str:
    return f'case "$*" in *"measure.py"*" {part} 8") : > paused; while :; do sleep 0.05; done;; esac\n'


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Survivor:
    """Kill and interrupt a census in the middle, then go on as its own last words say."""
    place = Place(tmp_path_factory.mktemp("census") / "project")
    place.hook(_paused_in(4))
    with place.started(*place.order("census", {"library": LIBRARY})) as process:
        place.wait_for("paused", process)
        process.send_signal(signal.SIGKILL)
        killed = place.ended(process)
    (place.path / "paused").unlink()
    place.hook(_paused_in(6))
    with place.started("resume") as process:
        place.wait_for("paused", process)
        process.send_signal(signal.SIGINT)
        interrupted = place.ended(process)
    place.hook()
    command = interrupted.out.splitlines()[-1].partition("go on with:")[2]
    finished = place.prodigy(*shlex.split(command)[-2:])
    return Survivor(place, killed, interrupted, finished)


# The census ---------------------------------------------------------------------------------------------------


def test_the_census_counts_what_is_there(survivor: Survivor) -> None:
    """Killed twice or not: files and lines in the database are those of the library."""
    sources = [path.read_bytes() for path in LIBRARY.rglob("*.py")]
    with closing(sqlite3.connect(survivor.place.path / "census-results/census.sqlite")) as database:
        counted = database.execute("SELECT count(*), sum(lines), sum(bytes) FROM files").fetchone()
    assert counted == (len(sources), sum(text.count(b"\n") for text in sources), sum(map(len, sources)))


def test_a_killed_census_does_nothing_twice(survivor: Survivor) -> None:
    """Only the parts that were in flight were begun again; everything else ran once."""
    parts = [1, 2, 3, 4, 4, 5, 6, 6, 7, 8]
    expected = ["locate.py", "list_files.py", *("measure.py" for _ in parts)]
    expected += ["load.py", "make_tables.py", "load.py", "totals.py", "report.py"]
    assert survivor.place.calls() == expected
    started = [event["at"] for event in survivor.place.events("command_started")]
    assert [at for at in started if at.startswith("measure")] == [f"measure_{part}" for part in parts]


def test_resume_names_what_was_in_flight(survivor: Survivor) -> None:
    """After SIGKILL, and after Ctrl-C."""
    assert [event["again"] for event in survivor.place.events("run_resumed")] == [["measure_4"], ["measure_6"]]
    assert "again  measure_4 (was in flight)" in survivor.interrupted.err


def test_a_killed_census_had_said_how_to_go_on(survivor: Survivor) -> None:
    """`kill -9` leaves no last words, so the first ones have the command."""
    workflow_id = survivor.place.events("run_started")[0]["workflow_id"]
    assert survivor.killed.code == -signal.SIGKILL
    assert f"-m prodigy resume {workflow_id}\n" in survivor.killed.err


def test_an_interrupted_census_says_so(survivor: Survivor) -> None:
    """Exit code 130, and the command that goes on, which then completes the run."""
    assert survivor.interrupted.code == 130
    assert survivor.interrupted.out.startswith("interrupted  census-")
    assert (survivor.finished.code, survivor.finished.out.split()[0]) == (0, "completed")


def test_a_captured_value_survives(survivor: Survivor) -> None:
    """The number of files was captured before the first kill and stands in the report."""
    count = len(list(LIBRARY.rglob("*.py")))
    assert survivor.place.read("census-results/report.md").splitlines()[2].startswith(f"{count} files of Python, ")


def test_the_missing_table_is_made(survivor: Survivor) -> None:
    """The first load fails, the handler repairs, and loading is tried again."""
    loads = [event for event in survivor.place.events("command_finished") if event["at"].startswith("load")]
    assert [(event["at"], event["exit_code"]) for event in loads] == [
        ("load", 1),
        ("load.on_failure[0]", 0),
        ("load", 0),
    ]
    assert loads[0]["error"] == "census-results/census.sqlite: no such table: files"


def test_a_completed_census_has_nothing_to_resume(survivor: Survivor) -> None:
    """Exit code 0, and nothing runs."""
    before = survivor.place.calls()
    assert survivor.place.prodigy("resume", "census").code == 0
    assert survivor.place.calls() == before


def test_a_locked_database_is_waited_for(place: Place) -> None:
    """Whoever holds the database is given time: loading is retried, and no handler runs."""
    results = place.path / "census-results"
    results.mkdir()
    subprocess.run([sys.executable, "workflows/census/make_tables.py", results], cwd=place.path, check=True)
    place.hook('case "$1" in *load.py) : > loading;; esac\n')
    with closing(sqlite3.connect(results / "census.sqlite")) as database:
        database.execute("BEGIN EXCLUSIVE")
        with place.started(*place.order("census", {"library": LIBRARY})) as process:
            assert process.stderr
            for line in process.stderr:
                if line.split()[:2] == ["retry", "load"]:
                    database.rollback()
            assert process.wait(PATIENCE_S) == 0
    loads = [event for event in place.events("command_finished") if event["at"].startswith("load")]
    assert [event["exit_code"] for event in loads] == [1, 0]
    assert loads[0]["error"] == "census-results/census.sqlite: database is locked"


def test_counts_that_disagree_fail_the_census(place: Place) -> None:
    """A file that appears after the list was made is found by the independent count; started over, it is counted."""
    library = place.path / "library"
    library.mkdir()
    (library / "one.py").write_text("x = 1\n")
    place.hook('case "$1" in *load.py) echo "def f(): pass" > library/two.py;; esac\n')
    ended = place.cook("census", library=library)
    assert ended.code == 1
    assert [event["error"].splitlines() for event in place.events("run_failed")] == [
        [
            "files: the database has 1, the independent count is 2",
            "lines: the database has 1, the independent count is 2",
            "bytes: the database has 6, the independent count is 20",
        ]
    ]
    assert place.prodigy("resume", "--force").code == 0


def test_an_empty_folder_is_no_library(place: Place) -> None:
    """The list says what is wrong, and nothing is measured."""
    (place.path / "library").mkdir()
    ended = place.cook("census", library="library")
    assert (ended.code, place.calls()) == (1, ["locate.py", "list_files.py"])
    assert f"there is no Python file in {place.path / 'library'}" in ended.out


# Guide example 1 ----------------------------------------------------------------------------------------------


def test_the_refactoring_mends_what_it_broke(place: Place) -> None:
    """The tests fail after the renaming, the failure is answered, and the tests pass in the end."""
    ended = place.cook("refactor")
    assert (ended.code, " of 8 steps (1 failed) " in ended.out) == (0, True)
    assert "def order_total(prices, discountRate=0):" in place.read("refactor-demo/src/core/orders.py")
    tests = [sys.executable, "-m", "unittest", "discover"]
    assert subprocess.run(tests, cwd=place.path / "refactor-demo", capture_output=True).returncode == 0


def test_a_refactoring_whose_mending_fails_can_be_resumed(place: Place) -> None:
    """The run has failed; once the cause is gone, the tests and their mending run again, and nothing else."""
    place.hook('case "$*" in *" tests") echo "no tests today" >&2; exit 1;; esac\n')
    assert place.cook("refactor").code == 1
    before = place.calls()
    place.hook()
    assert place.prodigy("resume").code == 0
    assert place.calls()[len(before) :] == ["-m", "rename.py", "-m"]


# Guide example 2 ----------------------------------------------------------------------------------------------


def test_the_pipeline_makes_monthly_figures(place: Place) -> None:
    """Twelve months, from the batches that were asked for."""
    assert place.cook("pipeline", batch_size=10_000).code == 0
    assert len(list((place.path / "pipeline-demo/raw_data").glob("*.csv"))) == 3
    report = place.read("pipeline-demo/processed_data/report.md").splitlines()
    assert [line.split()[0] for line in report[2:]] == [f"{month:02}" for month in range(1, 13)]


def test_a_pipeline_goes_on_when_its_data_are_mended(place: Place) -> None:
    """A damaged file fails the transformation three times; without it, resume succeeds and extracts nothing anew."""
    stray = place.path / "pipeline-demo/raw_data/stray.csv"
    stray.parent.mkdir(parents=True)
    stray.write_text("town,yesterday,12,warm\n")
    ended = place.cook("pipeline", batch_size=10_000)
    assert (ended.code, place.calls()) == (1, ["extract_data.py", *["transform_data.py"] * 3])
    assert "transform failed: exit 1 · pipeline-demo/raw_data/stray.csv:1: invalid literal for int()" in ended.out
    stray.unlink()
    assert place.prodigy("resume", "data-pipeline").code == 0
    assert place.calls()[4:] == ["transform_data.py", "validate_data.py"]
    assert [event["attempt"] for event in place.events("command_started") if event["at"] == "transform"] == [1, 2, 3, 4]


def test_figures_that_do_not_add_up_are_not_reported(place: Place) -> None:
    """The validation fails, so the report is skipped, and the run has failed."""
    place.hook('case "$1" in *validate_data.py) rm -f pipeline-demo/raw_data/batch-00001.csv;; esac\n')
    assert place.cook("pipeline", batch_size=10_000).code == 1
    assert [event["at"] for event in place.events("node_skipped")] == ["report"]
    assert [event["at"] for event in place.events("run_failed")] == ["validate"]
    assert not (place.path / "pipeline-demo/processed_data/report.md").exists()


# Guide example 5 ----------------------------------------------------------------------------------------------


def test_what_cannot_be_had_is_done_without(place: Place) -> None:
    """Four failures, the handlers, then the part that can be done: 20, 30, 40, 50, 60 and 2 to 6 add up."""
    assert place.cook("resilient").code == 0
    assert place.calls() == ["initialize.py", *["add_up.py"] * 4, "set_aside.py", "add_up.py"]
    assert [event["at"] for event in place.events("node_handled")] == ["risky_op"]
    assert place.read("resilient-demo/total.txt") == "220\n"
    assert place.read("resilient-demo/diagnosis.txt") == "After 4 attempts:\n001.txt is still being written\n"


def test_what_can_be_had_needs_no_handlers(place: Place) -> None:
    """With every delivery complete the operation succeeds at once, and the other branch is skipped."""
    assert place.cook("resilient", late=0).code == 0
    assert place.calls() == ["initialize.py", "add_up.py"]
    assert [event["at"] for event in place.events("node_skipped")] == ["handle_partial_success"]
    assert place.read("resilient-demo/total.txt") == "231\n"


def test_handlers_that_fail_fail_the_run(place: Place) -> None:
    """The run says both what failed and that its handlers did; resume then tries the operation anew."""
    place.hook('case "$1" in *set_aside.py) echo "the folder is locked" >&2; exit 1;; esac\n')
    assert place.cook("resilient").code == 1
    assert [event["error"] for event in place.events("run_failed")] == [
        "001.txt is still being written\nits on_failure failed too: the folder is locked"
    ]
    place.hook()
    assert place.prodigy("resume").code == 0
    assert place.read("resilient-demo/total.txt") == "220\n"


# Guide example 3 ----------------------------------------------------------------------------------------------


def test_the_analysis_looks_at_every_file(place: Place) -> None:
    """A row for each in the summary, and the counts are those of the sources."""
    folder = place.path / "workflows" / "pipeline"
    assert place.cook("analyze", folder=folder).code == 0
    title, _, _, _, *rows = place.read("analyze-demo/summary.md").splitlines()
    lines = {path: path.read_text().count("\n") for path in folder.glob("*.py")}
    assert title == "# 3 files analysed, 0 not"
    assert {(row.split(" | ")[0], row.split(" | ")[1]) for row in rows} == {
        (f"| {path}", str(count)) for path, count in lines.items()
    }


def test_what_cannot_be_linted_is_mended_and_tried_again(place: Place) -> None:
    """An agent's step that fails makes a dead letter; put back, the summary is made anew and has it."""
    (place.path / "sources").mkdir()
    (place.path / "sources" / "good one.py").write_text("def f():\n    return 1\n")
    suspicious = place.path / "sources" / "suspicious.py"
    suspicious.write_text("text = '\\d'\n")
    ended = place.cook("analyze", folder="sources")
    assert (ended.code, place.read("analyze-demo/summary.md").splitlines()[0]) == (4, "# 1 files analysed, 1 not")
    letters = json.loads(place.prodigy("dlq", "list", "--json").out)["dead_letters"]
    assert [(letter["key"], letter["step"]) for letter in letters] == [("sources/suspicious.py", "lint")]
    suspicious.write_text("text = r'\\d'\n")
    assert place.prodigy("dlq", "retry", "analyze-large-codebase").code == 0
    assert place.read("analyze-demo/summary.md").splitlines()[0] == "# 2 files analysed, 0 not"
    assert place.calls().count("summarise.py") == 2


# The library, file by file ------------------------------------------------------------------------------------


def test_the_library_is_counted_through_interruptions(place: Place) -> None:
    """Killed and stopped in the middle, every file has one result, and only what was in flight was begun again."""
    place.hook('case "$*" in *" encoder.py "*) : > paused; while [ ! -e go ]; do sleep 0.05; done;; esac\n')
    with place.started(*place.order("library", {"library": LIBRARY, "workers": 2})) as process:
        place.wait_for("paused", process)
        process.send_signal(signal.SIGKILL)
        place.ended(process)
    (place.path / "paused").unlink()
    with place.started("resume-job", "library") as process:
        place.wait_for("paused", process)
        process.send_signal(signal.SIGINT)
        assert place.ended(process).code == 130
    (place.path / "go").touch()
    ended = place.prodigy("resume-job", "library", "--max-parallel", "20")
    files = sorted(str(path.relative_to(LIBRARY)) for path in LIBRARY.rglob("*.py"))
    again = [at for event in place.events("run_resumed") for at in event["again"]]
    assert (ended.code, sorted(event["key"] for event in place.events("item_settled"))) == (0, files)
    assert len(files) <= place.calls().count("count_tokens.py") <= len(files) + len(again)
    assert again.count("map[encoder.py].tokens") == 2
    assert place.read("library-results/report.md").startswith(f"# {len(files)} files, ")


def test_a_strict_count_makes_dead_letters(place: Place) -> None:
    """What no Python can read fails its item, and no other; without `strict` it is a line in the report."""
    library = place.path / "library"
    library.mkdir()
    (library / "fine.py").write_text("x = 1\n")
    (library / "old.py").write_text("print 'x'\n")
    assert place.cook("library", library=library, strict="true").code == 4
    letters = json.loads(place.prodigy("dlq", "list", "--json").out)["dead_letters"]
    assert [letter["key"] for letter in letters] == ["old.py"]
    assert place.read("library-results/report.md").startswith("# 1 files, 3 tokens, 1 dead letters\n")
    assert place.cook("library", library=library).code == 0
    assert "- old.py: SyntaxError: Missing parentheses" in place.read("library-results/report.md")
