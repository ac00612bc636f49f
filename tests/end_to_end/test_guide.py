"""What the guide prints is what happens: its examples 1, 2 and 5, its checkpoint, its snippet."""

import signal
from typing import Any

import pytest

from tests.end_to_end.guide import GUIDE, SOURCES, install, prompts, script, shell_of
from tests.end_to_end.house import House, eventually

REFACTORED = ["/analyze-code ", "/refactor-module src/core", "/refactor-module src/utils"]
SNIPPET = """# Simulate interruption
prodigy cook workflow.yaml &
PID=$!
sleep 10
kill -INT $PID

# Test resume
prodigy resume
"""
ONCE_SLOW = "if [ -e slow.up ]; then echo second >> trace; else : > slow.up; sleep 1000; fi"


def gated(house: House, name: str) -> str:
    """Return Python code that stands at a gate."""
    house.gate(name)
    return f"open('{name}.up', 'w').close()\nopen('{name}.gate').read()\n"


@pytest.mark.parametrize("source", SOURCES)
def test_example_1_refactors_and_tests(house: House, source: str) -> None:
    """Where pytest succeeds, nothing has to be fixed."""
    install(house, source, "refactor-codebase")
    script(house, "scripts/prepare_refactor.py")
    script(house, "pytest.py")
    code, _, err = house.cook("refactor-codebase")
    assert (0, ["prepare_refactor", "pytest"], REFACTORED) == (code, house.trace, prompts(house))
    assert "file_list is empty" in err


@pytest.mark.parametrize("source", SOURCES)
def test_example_1_has_failing_tests_fixed(house: House, source: str) -> None:
    """A failure that a later `when` asks about does not stop the run; the answer to it settles it."""
    install(house, source, "refactor-codebase")
    script(house, "scripts/prepare_refactor.py")
    script(house, "pytest.py", "raise SystemExit(1)\n")
    code, _, _ = house.cook("refactor-codebase")
    assert (0, "completed", [*REFACTORED, "/fix-test-failures"]) == (code, house.status, prompts(house))


def install_pipeline(house: House, source: str, *, transform: str = "") -> None:
    """Put example 2 in place."""
    install(house, source, "data-pipeline")
    script(house, "extract_data.py", "import sys\nassert sys.argv[1:] == ['--batch-size', '1000']\n")
    script(house, "transform_data.py", transform)
    script(house, "validate_data.py", "import os, sys\nassert os.path.isdir(sys.argv[1])\n")


@pytest.mark.parametrize("source", SOURCES)
def test_example_2_runs_to_its_end(house: House, source: str) -> None:
    """Variables reach the scripts, and the report is asked for because the data were valid."""
    install_pipeline(house, source)
    code, _, _ = house.cook("data-pipeline")
    assert (
        0,
        ["extract_data", "transform_data", "validate_data"],
        ["/generate-report processed_data/validation.json"],
    ) == (
        code,
        house.trace,
        prompts(house),
    )


@pytest.mark.parametrize("source", SOURCES)
def test_example_2_killed_in_transform_goes_on_there(house: House, source: str) -> None:
    """The extraction, which took an hour, is not repeated."""
    install_pipeline(house, source, transform=gated(house, "transform"))
    live = house.start("cook", "data-pipeline.yaml")
    house.reached("transform")
    live.kill()
    again = house.start("resume", "data-pipeline")
    house.reached("transform")
    house.open("transform")
    assert (0, ["extract_data", "transform_data", "transform_data", "validate_data"]) == (
        again.wait().code,
        house.trace,
    )


def interrupted_pipeline(house: House, **changes: str) -> None:
    """Interrupt example 2 in its third step."""
    install_pipeline(house, "ours", transform=gated(house, "transform"))
    live = house.start("cook", "data-pipeline.yaml", **changes)
    house.reached("transform")
    live.send(signal.SIGINT)
    assert live.wait().code == 130


def test_the_checkpoint_has_the_keys_of_the_guide(house: House) -> None:
    """The document tells where the run stands in the guide's words, types included."""
    interrupted_pipeline(house)
    document = house.checkpoint
    guided = {key: document[key] for key in GUIDED}
    assert {
        "workflow_id": house.run_id,
        "workflow_path": "data-pipeline.yaml",
        "timestamp": house.events("run_interrupted")[0]["time"],
        "execution_state": {"status": "interrupted", "current_step_index": 2, "total_steps": 5},
        "variables": {"batch_size": 1000, "output_dir": "processed_data", "shell": {"output": ""}},
        "completed_steps": [
            completed(house, 0, "shell: mkdir -p ${output_dir}"),
            completed(house, 1, "shell: python extract_data.py --batch-size ${batch_size}"),
        ],
        "retry_state": {"current_attempt": 1, "max_attempts": 3, "last_error": None},
    } == guided | {"completed_steps": [{key: step[key] for key in STEP} for step in guided["completed_steps"]]}


GUIDED = (
    "workflow_id",
    "workflow_path",
    "timestamp",
    "execution_state",
    "variables",
    "completed_steps",
    "retry_state",
)
STEP = ("step_index", "command", "success", "timestamp")


def completed(house: House, index: int, command: str) -> dict[str, Any]:
    """Return the entry of a step that succeeded, its time as the log has it."""
    time = house.events("node_succeeded")[index]["time"]
    return {"step_index": index, "command": command, "success": True, "timestamp": time}


def test_the_checkpoint_lies_in_both_places_of_the_guide(house: House) -> None:
    """In the project, and in the home folder under the name of the project's folder."""
    environment = {"PRODIGY_HOME": ""}
    interrupted_pipeline(house, **environment)
    mirrored = house.home / ".prodigy" / "state" / "project" / "checkpoints" / f"{house.run_id}.json"
    assert house.checkpoint_file.read_bytes() == mirrored.read_bytes()


def install_resilient(house: House, source: str) -> None:
    """Put example 5 in place, with an operation that always fails."""
    install(house, source, "resilient-workflow")
    script(house, "initialize.py")
    script(house, "risky_operation.py", "raise SystemExit('no connection')\n")
    script(house, "cleanup.py")
    script(house, "continue_processing.py")


@pytest.mark.parametrize("source", SOURCES)
def test_example_5_handles_an_operation_that_fails_four_times(house: House, source: str) -> None:
    """The first try and three retries fail, the handlers run, and the partial success is handled (7 s of waits)."""
    install_resilient(house, source)
    code, _, _ = house.cook("resilient-workflow")
    assert (
        0,
        "completed",
        ["initialize", *["risky_operation"] * 4, "cleanup"],
        ["/diagnose-failure no connection", "/handle-partial-success"],
    ) == (code, house.status, house.trace, prompts(house))


def test_example_5_goes_on_after_a_success(house: House) -> None:
    """Then nothing is cleaned up and nothing was partial."""
    install_resilient(house, "ours")
    script(house, "risky_operation.py")
    code, _, _ = house.cook("resilient-workflow")
    assert (0, ["initialize", "risky_operation", "continue_processing"], []) == (code, house.trace, prompts(house))


def test_the_retries_of_example_5_wait_longer_and_longer(house: House) -> None:
    """`retry: 3` is three further attempts after 1, 2 and 4 s; the first wait is looked at, then the run is stopped."""
    house.workflow({"shell": "false", "id": "risky_op", "retry": 3})
    live = house.start("cook", "demo.yaml")
    live.says("attempt 3 in 2.0 s")
    live.send(signal.SIGINT)
    live.wait()
    state = house.checkpoint["retry_state"]
    assert {"current_attempt": 2, "max_attempts": 4, "last_error": "exit code 1"} == state


def test_the_snippet_of_the_guide_interrupts_and_resumes(house: House) -> None:
    """Typed into a script of `sh`, whose background jobs ignore SIGINT; its 10 s end as soon as the step runs."""
    snippet = shell_of("Simulate interruption") if GUIDE.exists() else SNIPPET
    assert "sleep 10\n" in snippet
    house.workflow(
        {"shell": house.traced("first")}, {"shell": ONCE_SLOW}, {"shell": house.traced("last")}, name="workflow"
    )
    live = house.shell(snippet.replace("sleep 10\n", "until [ -e slow.up ]; do sleep 0.02; done\n"))
    code, _, _ = live.wait()
    eventually(lambda: house.status == "completed", "the end of the run")
    assert (0, ["first", "second", "last"]) == (code, house.trace)
