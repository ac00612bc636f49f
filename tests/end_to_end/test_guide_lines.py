"""Every command line of the guide is typed, and every YAML of it cooked, and what happens is what the guide says.

Lines are typed into `sh` as they are printed. A placeholder such as `workflow-12345` is a workflow of that name,
`npm`, `eslint` and `claude` are stand-ins, questions are answered at a terminal, `sleep` ends when the run stands at
its slow step, and the crontab's line is run with the little that cron gives. Without the guide the same lines are
typed into equivalents of ours; with it, an inventory shows that none is left out.
"""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.end_to_end.guide import GUIDE, SOURCES, install, prompts, script
from tests.end_to_end.house import House, Live, Result, eventually
from tests.end_to_end.mapped import mapreduce
from tests.end_to_end.test_confirmation import Terminal
from tests.end_to_end.test_guide import ONCE_SLOW, SNIPPET
from tests.end_to_end.test_guide_map import NAME, WORKERS, caught, install_analysis, lines_of
from tests.end_to_end.test_stages import stopped_in_staging

RESUMED = {
    "prodigy resume": ["four", "five"],
    "prodigy resume workflow-12345": ["four", "five"],
    "prodigy resume workflow-12345 --force": ["one", "two", "three", "four", "five"],
    "prodigy resume workflow-12345 --from-checkpoint v3": ["four", "five"],
}
LOOKED = {
    "prodigy checkpoints list": "workflow-12345-",
    "prodigy checkpoints list --workflow-id workflow-12345": "v3",
    "prodigy checkpoints list --verbose": "v3, generation 1",
    "prodigy checkpoints show workflow-12345": "interrupted",
    "prodigy checkpoints show workflow-12345 --version 2": "v2",
}
CLEANED = {
    "prodigy checkpoints clean --all": ["workflow-12345"],
    "prodigy checkpoints clean --workflow-id workflow-12345": ["completed"],
}
CLEANED_WITHOUT_A_QUESTION = "prodigy checkpoints clean --all --force"
CRONTAB = "0 0 * * * prodigy checkpoints clean --all --force"
REFACTOR = ("prodigy checkpoints list --workflow-id refactor-codebase", "prodigy resume refactor-codebase")
PIPELINE = (
    "prodigy cook data-pipeline.yaml",
    "prodigy checkpoints show data-pipeline --verbose",
    "prodigy resume data-pipeline",
    "prodigy resume data-pipeline --force",
)
ANALYSIS = (
    "prodigy cook analyze-large-codebase.yaml",
    "prodigy resume-job analyze-large-codebase",
    "prodigy resume-job analyze-large-codebase --max-parallel 20",
    "prodigy dlq retry analyze-large-codebase",
)
DEPLOYMENT = (
    "prodigy cook staged-deployment.yaml",
    "prodigy checkpoints list --workflow-id staged-deployment",
    "prodigy resume staged-deployment",
    "prodigy resume staged-deployment --from-checkpoint production",
)
RESILIENT = (
    "prodigy cook resilient-workflow.yaml",
    "prodigy checkpoints show resilient-workflow --verbose",
    "prodigy resume resilient-workflow",
    "prodigy resume resilient-workflow --max-retries 5",
)
FOUND = (
    "ls .prodigy/checkpoints/",
    "ls ~/.prodigy/state/$(basename $(pwd))/checkpoints/",
    "prodigy checkpoints list",
)
TROUBLED = (
    "prodigy checkpoints show workflow-id --verbose",
    "prodigy resume workflow-id --force",
    "rm .prodigy/checkpoints/workflow-id.json",
)
RELATED = (
    "prodigy cook --resume <session-id>",
    "prodigy resume-job <job-id>",
    "prodigy dlq retry <workflow-id>",
    "prodigy events ls --job-id <id>",
)
FRAGMENTS = (
    "commands:\n  - claude: /large-refactor\n    checkpoint: true\n  - shell: deploy-to-production.sh\n",
    "commands:\n  - shell: generate-config.sh\n    capture_output: config\n  - claude: /process --config ${config}\n",
    "commands:\n  - shell: mkdir -p output\n  - shell: cp -f source.txt dest.txt\n  - shell: echo 'data' >> file.txt\n",
    "- shell: echo 'value'\n  capture_output: my_var\n- claude: /process ${my_var}\n",
)
ASKED = {"/large-refactor", "/process --config key=value", "/process value"}

TYPED = {
    *(*RESUMED, *LOOKED, *CLEANED, CLEANED_WITHOUT_A_QUESTION, CRONTAB),
    *(*REFACTOR, *PIPELINE, *ANALYSIS, *DEPLOYMENT, *RESILIENT, *FOUND, *TROUBLED, *RELATED),
}


LINES = 44  # of the guide, those of its snippet among them


def commands_in(text: str) -> set[str]:
    """Return the lines of a snippet of shell that are no comments."""
    return {line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")}


def commands_of(guide: str) -> set[str]:
    """Return every command line of a guide: those of its blocks of shell, and those named in its text."""
    blocks = re.findall(r"```bash\n(.*?)```", guide, re.DOTALL)
    text = re.sub(r"```.*?```", "", guide, flags=re.DOTALL)
    return commands_in("\n".join(blocks)) | set(re.findall(r"`(prodigy [^`]+)`", text))


def fragments() -> tuple[str, ...]:
    """Return the workflows without a name: the guide's where it is there, else ours."""
    if not GUIDE.exists():
        return FRAGMENTS
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return tuple(block for block in blocks if not block.startswith("name: "))


def typed(house: House, line: str, **changes: str) -> Result:
    """Type a line and wait for its end."""
    return started(house, line, **changes).wait()


def started(house: House, line: str, **changes: str) -> Live:
    """Type a line; its command is what signals reach."""
    settings = "".join(f"{name}={value} " for name, value in changes.items())
    return house.shell(f"export {settings}; {line}" if settings else f"exec {line}")


def stopped(house: House, name: str, **changes: str) -> None:
    """Cook a workflow of five steps and interrupt it in its fourth; whoever comes there later passes."""
    steps = [{"shell": house.traced(word)} for word in ("one", "two", "three")]
    slow = house.traced("four", "[ -e go ] || { : > four.up; exec sleep 1000; }")
    house.workflow(*steps, {"shell": slow}, {"shell": house.traced("five")}, name=name)
    live = house.start("cook", f"{name}.yaml", **changes)
    house.reached("four")
    live.send(signal.SIGINT)
    assert live.wait().code == 130
    house.write("go", "")


def listed(house: House) -> list[str]:
    """Return the names of the runs that are listed."""
    rows = house.prodigy("checkpoints", "list").out.splitlines()[1:]
    return sorted(row.split()[0].rpartition("-")[0] for row in rows)


@pytest.fixture
def at_terminal(house: House) -> Iterator[Callable[[str], Terminal]]:
    """Type a line at a terminal; it is ended with the test."""
    terminals: list[Terminal] = []

    def start(line: str) -> Terminal:
        program, *arguments = line.split()
        assert program == "prodigy"
        terminals.append(Terminal(house, tuple(arguments)))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


# Basic usage, and looking after checkpoints -------------------------------------------------------------------


@pytest.mark.parametrize("line", RESUMED)
def test_the_ways_to_resume(house: House, line: str) -> None:
    """Where it stopped, from the beginning, or from a version."""
    stopped(house, "workflow-12345")
    before = len(house.trace)
    assert (0, RESUMED[line]) == (typed(house, line).code, house.trace[before:])


def test_the_ways_to_look(house: House) -> None:
    """Each shows what its comment promises, and changes nothing."""
    stopped(house, "workflow-12345")
    before = house.snapshot()
    shown = {line: typed(house, line) for line in LOOKED}
    assert dict.fromkeys(LOOKED, (0, True)) == {
        line: (ended.code, LOOKED[line] in ended.out) for line, ended in shown.items()
    }
    assert before == house.snapshot()


def two_runs(house: House, **changes: str) -> None:
    """Leave a run that was interrupted and one that is completed."""
    stopped(house, "workflow-12345", **changes)
    house.workflow({"shell": ":"}, name="completed")
    assert 0 == house.prodigy("cook", "completed.yaml", **changes).code


@pytest.mark.parametrize("line", CLEANED)
def test_cleaning_asks_first(house: House, at_terminal: Callable[[str], Terminal], line: str) -> None:
    """At a terminal; the run that is named goes, or else those that are completed."""
    two_runs(house)
    terminal = at_terminal(line)
    terminal.shows("[y/N]")
    assert ["completed", "workflow-12345"] == listed(house)
    terminal.types("y\n")
    assert (0, CLEANED[line]) == (terminal.wait(), listed(house))


def test_cleaning_by_force_asks_nobody(house: House) -> None:
    """Only the completed run is gone."""
    two_runs(house)
    assert (0, ["workflow-12345"]) == (typed(house, CLEANED_WITHOUT_A_QUESTION).code, listed(house))


def test_the_line_of_the_crontab_cleans_from_anywhere(house: House) -> None:
    """Cron gives a home, a PATH and no terminal, and stands in the home folder: every known project is cleaned."""
    two_runs(house, PRODIGY_HOME="")
    environment = {
        "HOME": str(house.home),
        "PATH": house.environment["PATH"],
        "LOGNAME": "somebody",
        "SHELL": "/bin/sh",
    }
    command = CRONTAB.removeprefix("0 0 * * * ")
    ended = subprocess.run(
        ["/bin/sh", "-c", command], cwd=house.home, env=environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert (0, ["workflow-12345"]) == (ended.returncode, listed(house))


# The examples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_the_lines_of_example_1(house: House, source: str) -> None:
    """Interrupted while claude refactors: the list shows it, and resume goes on with that module."""
    slow = "case $PROMPT in *utils) [ -e go ] || { : > slow.up; exec sleep 1000; };; esac"
    install(house, source, "refactor-codebase", first=slow)
    script(house, "scripts/prepare_refactor.py")
    script(house, "pytest.py")
    live = house.start("cook", "refactor-codebase.yaml")
    house.reached("slow")
    live.send(signal.SIGINT)
    live.wait()
    house.write("go", "")
    looked, resumed = (typed(house, line) for line in REFACTOR)
    assert (0, True, 0) == (looked.code, "5/7" in looked.out, resumed.code)
    assert ["/analyze-code ", "/refactor-module src/core", "/refactor-module src/utils"] == prompts(house)


@pytest.mark.parametrize("source", SOURCES)
def test_the_lines_of_example_2(house: House, source: str) -> None:
    """Interrupted while it transforms; resumed; and completed, started over by force."""
    install(house, source, "data-pipeline")
    script(house, "extract_data.py")
    wait = "import os, time\nif not os.path.exists('go'):\n    open('slow.up', 'w').close()\n    time.sleep(1000)\n"
    script(house, "transform_data.py", wait)
    script(house, "validate_data.py")
    cook, show, resume, force = PIPELINE
    live = started(house, cook)
    house.reached("slow")
    live.send(signal.SIGINT)
    assert 130 == live.wait().code
    house.write("go", "")
    shown = typed(house, show)
    assert (0, True) == (shown.code, "transform" in shown.out and "batch_size" in shown.out)
    assert (0, 0) == (typed(house, resume).code, typed(house, force).code)
    once = ["extract_data", "transform_data", "validate_data"]
    assert [*once[:2], *once[1:], *once] == house.trace


@pytest.mark.parametrize("source", SOURCES)
def test_the_lines_of_example_3(house: House, source: str) -> None:
    """Interrupted in the map twice; the dead letter of the linter is put back."""
    install_analysis(house, source, allowed=8)
    cook, resume_job, more_workers, retry = ANALYSIS
    caught(house, started(house, cook), workers=WORKERS)
    house.write("allowed", "16")
    caught(house, started(house, resume_job), workers=WORKERS)
    house.write("allowed", "1000")
    assert 4 == typed(house, more_workers).code
    house.write("mended", "")
    assert (0, 40) == (typed(house, retry).code, len(lines_of(house, "done")) - 1)
    assert "completed" in house.prodigy("status", NAME).out


@pytest.mark.parametrize("source", SOURCES)
def test_the_lines_of_example_4(house: House, at_terminal: Callable[[str], Terminal], source: str) -> None:
    """Interrupted in staging, which the list shows as the guide prints it; production asks."""
    cook, look, resume, _ = DEPLOYMENT
    assert cook == "prodigy cook staged-deployment.yaml", "which is what stops in staging here"
    stopped_in_staging(house, source)
    assert "Stage 2/3 - staging (in progress)" in typed(house, look).out
    terminal = at_terminal(resume)
    terminal.shows("[y/N]")
    terminal.types("y\n")
    assert 0 == terminal.wait()
    assert ["build", "test", "deploy:staging", "deploy:staging", "deploy:production"] == house.trace


@pytest.mark.parametrize("source", SOURCES)
def test_example_4_skips_to_production_when_asked(
    house: House, at_terminal: Callable[[str], Terminal], source: str
) -> None:
    """Staging was verified by hand, so it is passed over; production still asks."""
    stopped_in_staging(house, source)
    terminal = at_terminal(DEPLOYMENT[3])
    terminal.shows("[y/N]")
    terminal.types("y\n")
    assert (0, ["build", "test", "deploy:staging", "deploy:production"]) == (terminal.wait(), house.trace)


@pytest.mark.parametrize("source", SOURCES)
def test_the_lines_of_example_5(house: House, source: str) -> None:
    """It fails with its handlers, is looked at, is tried with more retries, and goes on when it is mended."""
    install(house, source, "resilient-workflow")
    script(house, "initialize.py")
    script(house, "risky_operation.py", "raise SystemExit('no connection')\n")
    script(house, "cleanup.py", "raise SystemExit('no broom')\n")
    script(house, "continue_processing.py")
    cook, show, resume, more_retries = RESILIENT
    assert 1 == typed(house, cook).code
    shown = typed(house, show)
    assert (0, True) == (shown.code, "no connection" in shown.out and "failed" in shown.out)
    live = started(house, more_retries)
    live.says("(attempt 5 of 10)")
    live.send(signal.SIGINT)
    assert 130 == live.wait().code
    script(house, "risky_operation.py")
    assert (0, "continue_processing") == (typed(house, resume).code, house.trace[-1])


# Best practices, and trouble ----------------------------------------------------------------------------------


def test_the_snippet_that_tests_resume(house: House) -> None:
    """In the background of a script, whose jobs ignore SIGINT."""
    steps = ({"shell": house.traced("first")}, {"shell": ONCE_SLOW}, {"shell": house.traced("last")})
    house.workflow(*steps, name="workflow")
    live = house.shell(SNIPPET.replace("sleep 10\n", "until [ -e slow.up ]; do sleep 0.02; done\n"))
    assert (0, ["first", "second", "last"]) == (live.wait().code, house.trace)


@pytest.mark.parametrize("number", range(len(fragments())))
def test_workflows_without_a_name_cook(house: House, number: int) -> None:
    """The fragments of the best practices, with what they call put in place."""
    house.write("workflow.yaml", fragments()[number])
    install(house, "ours", "refactor-codebase")
    house.program("deploy-to-production.sh", "#!/bin/sh\n:\n")
    house.program("generate-config.sh", "#!/bin/sh\necho key=value\n")
    house.write("source.txt", "")
    code, _, _ = house.cook("workflow")
    assert (0, "completed") == (code, house.status)
    assert {*prompts(house)} <= ASKED


def test_what_was_not_found_is_where_the_guide_says(house: House) -> None:
    """In the project, in the home folder, and in the list."""
    stopped(house, "workflow-12345", PRODIGY_HOME="")
    local, mirror, list_ = (typed(house, f"sh -c '{line}'", PRODIGY_HOME="") for line in FOUND)
    file = f"{house.run_id}.json\n"
    assert (file, file, True) == (local.out, mirror.out, house.run_id in list_.out)


def test_trouble_with_a_checkpoint_is_got_rid_of(house: House) -> None:
    """It is looked at, removed, and not missed; by force the workflow starts over."""
    stopped(house, "workflow-id")
    show, force, remove = TROUBLED
    assert (0, True) == ((shown := typed(house, show)).code, "the checkpoint is sound" in shown.out)
    house.checkpoint_file.write_text("no checkpoint at all")
    assert (0, True) == ((shown := typed(house, show)).code, "is not a checkpoint of this prodigy" in shown.out)
    assert 0 == typed(house, remove.replace("workflow-id", house.run_id)).code
    assert (["workflow-id"], False) == (listed(house), house.checkpoint_file.exists())
    before = len(house.trace)
    assert (0, RESUMED["prodigy resume workflow-12345 --force"]) == (typed(house, force).code, house.trace[before:])


def test_the_related_commands_take_an_id(house: House) -> None:
    """Each is typed with the id of a run in the place of its placeholder."""
    stopped(house, "workflow-12345")
    cook, _, _, events = (line.partition("<")[0] + house.run_id for line in RELATED)
    assert (0, ["four", "five"]) == (typed(house, cook).code, house.trace[-2:])
    assert "run_completed" in typed(house, events).out


def test_the_related_commands_for_jobs_take_an_id(house: House) -> None:
    """A job goes on, and its dead letters are put back."""
    mapreduce(house, {"shell": "[ -e go ] || exit 1"}, items=["a", "b"], setup=[{"shell": "[ -e ready ]"}])
    assert 1 == house.cook().code
    house.write("ready", "")
    _, resume_job, retry, _ = (line.partition("<")[0] + house.run_id for line in RELATED)
    assert 1 == typed(house, resume_job).code
    house.write("go", "")
    assert 0 == typed(house, retry).code
    eventually(lambda: house.status == "completed", "the end of the job")


# The inventory ------------------------------------------------------------------------------------------------


def test_no_command_line_is_left_out() -> None:
    """What is typed here is what the guide prints, no more and no less."""
    ours = TYPED | commands_in(SNIPPET)
    assert LINES == len(ours)
    assert ours == (commands_of(GUIDE.read_text()) if GUIDE.exists() else ours)


def test_an_inventory_finds_every_kind_of_line() -> None:
    """Comments are none; a line of a block and a command named in the text are."""
    guide = "Type `prodigy stop REF`.\n```bash\n# look\nprodigy ps\n\nls x\n```\n```yaml\n- shell: prodigy no\n```\n"
    assert {"prodigy stop REF", "prodigy ps", "ls x"} == commands_of(guide)
