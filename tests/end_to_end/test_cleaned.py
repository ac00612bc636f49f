"""Runs that were cleaned are called so by every command; those with open dead letters go only when that is said.

And a fork leaves nothing behind that `doctor` would call a leftover.
"""

import pytest

from tests.end_to_end.house import House

LARGE = "head -c 20000 /dev/zero | tr '\\0' x"
READS_THE_LOG = ("events ls --job-id", "events search one --job-id", "events export --job-id", "events stats --job-id")
NEEDS_MORE = (
    "status",
    "logs",
    "explain REF one",
    "replay",
    "diff REF REF",
    "resume",
    "resume-job",
    "fork REF --at v1",
    "approve REF one",
    "stop",
    "dlq list",
    "dlq retry",
    "checkpoints show",
    "checkpoints validate",
    "checkpoints list --workflow-id",
)


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A run that was cleaned, in which something was kept in files."""
    house = House(tmp_path_factory.mktemp("cleaned"))
    house.workflow({"id": "one", "shell": f"echo said; {LARGE}", "capture_output": "large"}, {"shell": "false"})
    house.cook()
    house.prodigy("checkpoints", "clean", "--workflow-id", "demo", "--force")
    return house


@pytest.mark.parametrize("command", NEEDS_MORE)
def test_a_cleaned_run_is_called_cleaned(cleaned: House, command: str) -> None:
    """Exit 6, when it was, and what is left to be done; it is not damaged."""
    words = command.split() if "REF" in command else [*command.split(), "REF"]
    code, _, err = cleaned.prodigy(*(cleaned.run_id if word == "REF" else word for word in words))
    assert (6, 1) == (code, err.count(f"{cleaned.run_id} was cleaned at ")), err
    assert f"`prodigy events ls --job-id {cleaned.run_id}`" in err


@pytest.mark.parametrize("command", READS_THE_LOG)
def test_the_log_of_a_cleaned_run_can_be_read(cleaned: House, command: str) -> None:
    """It is all that is left."""
    assert cleaned.prodigy(*command.split(), cleaned.run_id).code == 0


@pytest.mark.parametrize("command", ["doctor", "events verify"])
def test_nothing_is_wrong_with_a_cleaned_run(cleaned: House, command: str) -> None:
    """Its log is whole."""
    code, out, err = cleaned.prodigy(*command.split(), *([cleaned.run_id] if "verify" in command else []))
    assert (0, "") == (code, err), out


@pytest.fixture
def partly(house: House) -> House:
    """A house with a map that is completed but for a dead letter."""
    house.write(
        "demo.yaml",
        "name: demo\nmode: mapreduce\nmap:\n  input: [a, b]\n  agent_template:\n"
        "    - shell: '[ ${item} != b ] || [ -e ready ]'\n",
    )
    assert house.cook().code == 4
    return house


def test_all_keeps_runs_with_open_dead_letters(partly: House) -> None:
    """A crontab must not take them away without a word: how many is said, and what takes them too."""
    code, out, _ = partly.prodigy("checkpoints", "clean", "--all", "--force")
    assert (0, True, True) == (code, "kept     1 run with 1 open dead letter" in out, "--dead-letters" in out)
    assert out.endswith("nothing else to clean: no other run here is completed or cancelled\n")
    partly.write("ready", "")
    assert partly.prodigy("dlq", "retry", "demo").code == 0
    assert "cleaned  demo-" in partly.prodigy("checkpoints", "clean", "--all", "--force").out


def test_dead_letters_go_when_that_is_said(partly: House) -> None:
    """With --dead-letters."""
    code, out, _ = partly.prodigy("checkpoints", "clean", "--all", "--dead-letters", "--force")
    assert (0, True, False) == (code, "cleaned  demo-" in out, "kept" in out)


def test_a_named_run_with_dead_letters_is_refused_where_nobody_is_asked(partly: House) -> None:
    """Exit 2; the command that does it is printed, and works."""
    refused = partly.prodigy("checkpoints", "clean", "--workflow-id", "demo", "--force")
    assert (2, True) == (refused.code, f"prodigy dlq retry {partly.run_id}" in refused.err)
    assert "`prodigy checkpoints clean --workflow-id demo --dead-letters --force`" in refused.err
    taken = partly.prodigy("checkpoints", "clean", "--workflow-id", "demo", "--dead-letters", "--force")
    assert (0, True) == (taken.code, f"cleaned  {partly.run_id}" in taken.out)


def test_a_fork_takes_only_the_values_of_its_history(house: House) -> None:
    """Those of later moments of its source are no leftovers of it."""
    house.workflow(
        {"id": "one", "shell": "echo 1"},
        {"id": "two", "shell": f"date +%N; {LARGE}", "capture_output": "large"},
    )
    house.cook()
    assert house.prodigy("fork", "demo", "--at", "v1").code == 0
    code, out, _ = house.prodigy("doctor")
    assert (0, False) == (code, "nothing names" in out), out
