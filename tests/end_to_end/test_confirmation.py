"""Confirmation: who is asked what, what each answer does, and what happens where nobody can be asked."""

import os
import pty
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.end_to_end.house import DEADLINE_S, House, Live, eventually, find
from tests.end_to_end.test_stages import stage, stages

PROMPT = "Go on? [y/N]"


class Terminal:
    """A `prodigy` at a terminal of its own: what it shows, and what a person types."""

    def __init__(self, house: House, arguments: tuple[str, ...]) -> None:
        program = find("prodigy", house.environment["PATH"])
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(house.folder)
            os.execve(program, ["prodigy", *arguments], house.environment)
        os.set_blocking(self._descriptor, False)
        self._shown = b""
        self._code: int | None = None

    @property
    def shown(self) -> str:
        """All that it has shown so far."""
        try:
            while data := os.read(self._descriptor, 65536):
                self._shown += data
        except OSError:  # nothing new, or the other end is closed
            pass
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    def shows(self, words: str, *, times: int = 1) -> None:
        """Wait until it has shown these words so often."""
        eventually(lambda: self.shown.count(words) >= times, f"{words!r} {times} times")

    def types(self, keys: str) -> None:
        """Type on its keyboard."""
        os.write(self._descriptor, keys.encode())

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        eventually(lambda: self._code_of_end() is not None, "the end of a prodigy at a terminal", within_s=DEADLINE_S)
        assert self._code is not None
        return self._code

    def close(self) -> None:
        """End it, if it still runs."""
        if self._code_of_end() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self._descriptor)

    def _code_of_end(self) -> int | None:
        """Return its exit code once there is one; what it shows is read, or it could not end."""
        assert self.shown is not None
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


At = Callable[..., Terminal]


@pytest.fixture
def terminal(house: House) -> Iterator[At]:
    """Start commands at terminals; all are ended with the test."""
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(house, arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


def deploying(house: House, *more: dict[str, Any]) -> None:
    """Write a workflow with a stage that asks."""
    production = stage(
        "production", {"shell": house.traced("deploy")}, {"shell": house.traced("tell")}, requires_confirmation=True
    )
    stages(house, stage("build", {"shell": house.traced("build")}), production, *more)


def answers(house: House, generation: int = 1) -> list[tuple[str, bool, str]]:
    """Return what was answered: where, and the words that follow the name of who did."""
    found = house.events("confirmation_answered", generation)
    return [(one["at"], one["is_confirmed"], one["by"].partition(" ")[2]) for one in found]


def test_without_a_terminal_the_run_pauses(house: House) -> None:
    """Exit 5; both commands that go on are printed, and nothing of the stage has run."""
    deploying(house)
    code, out, _ = house.cook()
    assert (5, ["build"], "paused") == (code, house.trace, house.status)
    for command in (f"prodigy resume {house.run_id} --yes", f"prodigy approve {house.run_id} production"):
        assert command in out


def test_a_paused_run_pauses_again_where_nobody_says_yes(house: House) -> None:
    """Exit 5 again."""
    deploying(house)
    house.cook()
    assert (5, ["build"]) == (house.prodigy("resume").code, house.trace)


def test_resume_with_yes_goes_on(house: House) -> None:
    """Who answered, and that it was by an option, is an event."""
    deploying(house)
    house.cook()
    code = house.prodigy("resume", house.run_id, "--yes").code
    assert (0, ["build", "deploy", "tell"], [("production", True, "with --yes")]) == (code, house.trace, answers(house))


def test_approve_goes_on_with_a_paused_run(house: House) -> None:
    """And is recorded as such."""
    deploying(house)
    house.cook()
    code = house.prodigy("approve", "demo", "production").code
    expected = [("production", True, "with prodigy approve")]
    assert (0, ["build", "deploy", "tell"], expected) == (code, house.trace, answers(house))


def test_cook_with_yes_is_never_asked(house: House) -> None:
    """All questions are answered."""
    deploying(house, stage("last", {"shell": house.traced("last")}, requires_confirmation=True))
    code = house.prodigy("cook", "demo.yaml", "--yes").code
    assert (0, ["build", "deploy", "tell", "last"]) == (code, house.trace)


def test_approve_of_what_does_not_wait_is_refused(house: House) -> None:
    """Exit 2; what waits is named, and nothing has changed."""
    deploying(house)
    house.cook()
    before = house.log().read_bytes()
    code, _, err = house.prodigy("approve", "demo", "build")
    assert (2, True, before) == (code, "production" in err, house.log().read_bytes())


def test_an_approval_holds_for_one_entry(house: House) -> None:
    """A step that asks, in a stage that is tried again, asks again."""
    flaky = {"shell": house.traced("deploy", "false"), "id": "deploy", "requires_confirmation": True}
    stages(house, stage("production", flaky, retry={"attempts": 2, "initial_delay": 0.01}))
    house.cook()
    assert (5, ["deploy"]) == (house.prodigy("approve", "demo", "deploy").code, house.trace)


def test_force_asks_again(house: House) -> None:
    """The yes was for the run that is over."""
    deploying(house)
    house.prodigy("cook", "demo.yaml", "--yes")
    assert 5 == house.prodigy("resume", house.run_id, "--force").code


def test_a_fork_asks_again(house: House) -> None:
    """Of what it has not entered yet."""
    deploying(house)
    house.prodigy("cook", "demo.yaml", "--yes")
    assert 5 == house.prodigy("fork", house.run_id, "--at", "v1").code


def test_going_back_asks_again(house: House) -> None:
    """Going back to the stage's beginning enters it anew."""
    deploying(house)
    house.prodigy("cook", "demo.yaml", "--yes")
    assert 5 == house.prodigy("resume", house.run_id, "--from-checkpoint", "production").code


def test_a_jump_into_a_stage_that_asks_is_asked(house: House) -> None:
    """Nobody gets to production around the question."""
    deploying(house)
    house.cook()
    code = house.prodigy("resume", house.run_id, "--from-checkpoint", "production[1]").code
    assert (5, ["build"]) == (code, house.trace)
    assert (0, ["build", "tell"]) == (house.prodigy("resume", house.run_id, "--yes").code, house.trace)


def test_the_question_says_what_is_about_to_happen(house: House, terminal: At) -> None:
    """A yes goes on; who said it, and where, is an event."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    assert "production is about to run" in person.shown
    assert 0 < person.shown.rfind("    done") < person.shown.index("production is about to run")
    assert "shell: echo tell >> trace" in person.shown
    person.types("y\n")
    assert (0, [("production", True, "at the terminal")]) == (person.wait(), answers(house))


@pytest.mark.parametrize("keys", ["\n", "n\n", "NO\n"], ids=["enter", "n", "no"])
def test_no_and_nothing_are_a_no(house: House, terminal: At, keys: str) -> None:
    """The run is cancelled: exit 1, nothing of the stage has run."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    person.types(keys)
    assert (1, "cancelled", ["build"]) == (person.wait(), house.status, house.trace)


def test_a_cancelled_run_is_asked_again_by_resume(house: House, terminal: At) -> None:
    """A bare resume finds it: a no may have been a slip of the hand."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    person.types("\n")
    person.shows(f"to be asked again:  prodigy resume {house.run_id}")
    person.wait()
    again = terminal("resume")
    again.shows(PROMPT)
    again.types("yes\n")
    assert (0, ["build", "deploy", "tell"]) == (again.wait(), house.trace)


def test_nobody_says_of_a_cancelled_run_that_it_waits(house: House, terminal: At) -> None:
    """Whoever looks is told who said no, and that a resume asks again."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    person.types("n\n")
    person.wait()
    lookers = (("status", "demo"), ("explain", "demo", "production"), ("checkpoints", "list"))
    shown = "".join(house.prodigy(*words).out for words in lookers)
    assert "wait" not in shown.replace("and waited for it from", "")
    assert ["answered", "failed"] == [word for word in ("answered", "failed") if word not in shown]
    assert f"resume {house.run_id}" in shown


def test_an_unclear_answer_is_asked_for_again(house: House, terminal: At) -> None:
    """Any other word may be meant for another window."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    person.types("sure\n")
    person.shows("please answer y or n:")
    person.types("Y\n")
    assert (0, ["build", "deploy", "tell"]) == (person.wait(), house.trace)


@pytest.mark.parametrize("keys", ["what\nis\nthis\n", "\x04"], ids=["three unclear words", "the end of input"])
def test_without_a_clear_answer_the_run_pauses(house: House, terminal: At, keys: str) -> None:
    """Nothing was decided, so the question stays open."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    person.types(keys)
    assert (5, "paused", ["build"]) == (person.wait(), house.status, house.trace)


def test_ctrl_c_while_the_question_is_open_interrupts(house: House, terminal: At) -> None:
    """Exit 130; resume asks again."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    person.types("\x03")
    assert (130, "interrupted") == (person.wait(), house.status)
    again = terminal("resume")
    again.shows(PROMPT)
    again.types("y\n")
    assert (0, ["build", "deploy", "tell"]) == (again.wait(), house.trace)


def test_a_kill_while_the_question_is_open_loses_nothing(house: House, terminal: At) -> None:
    """Resume asks again, and approve works too."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    os.kill(person.pid, signal.SIGKILL)
    person.wait()
    assert 5 == house.prodigy("resume").code
    assert (0, ["build", "deploy", "tell"]) == (house.prodigy("approve", "demo", "production").code, house.trace)


def test_another_terminal_approves_a_live_run(house: House, terminal: At) -> None:
    """The question that is open is answered from elsewhere."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    assert 0 == house.prodigy("approve", "demo", "production").code
    expected = [("production", True, "with prodigy approve")]
    assert (0, expected) == (person.wait(), answers(house))


def suspended(house: House, terminal: At) -> tuple[Terminal, Live]:
    """Return a run that asks and is suspended, and an approval from elsewhere that waits for it."""
    deploying(house)
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    os.kill(person.pid, signal.SIGSTOP)
    approving = house.start("approve", "demo")
    approving.says(f"has not taken the order yet; is process {person.pid} suspended?")
    return person, approving


def orders_waiting(house: House) -> list[str]:
    """Return the names of the orders that nobody has taken."""
    return [path.name for path in (house.run / "inbox").glob("*.json")]


def test_an_approval_is_told_when_the_log_shows_it(house: House, terminal: At) -> None:
    """Not when it was sent: whoever runs the run may not look."""
    person, approving = suspended(house, terminal)
    assert (None, []) == (approving.process.poll(), answers(house))
    os.kill(person.pid, signal.SIGCONT)
    told = f"production of {house.run_id} was approved; process {person.pid} goes on\n"
    assert (0, told) == approving.wait()[:2]
    assert ([("production", True, "with prodigy approve")], 0) == (answers(house), person.wait())


def test_an_approval_that_nobody_waits_for_is_taken_back(house: House, terminal: At) -> None:
    """After Ctrl-C the run asks still."""
    person, approving = suspended(house, terminal)
    approving.send(signal.SIGINT)
    assert (130, []) == (approving.wait().code, orders_waiting(house))
    os.kill(person.pid, signal.SIGCONT)
    person.types("n\n")
    assert (1, "cancelled", ["build"]) == (person.wait(), house.status, house.trace)


def test_an_approval_whose_run_was_killed_first_says_what_to_type(house: House, terminal: At) -> None:
    """The yes is taken back: a later resume asks."""
    person, approving = suspended(house, terminal)
    os.kill(person.pid, signal.SIGKILL)
    person.wait()
    code, out, err = approving.wait()
    assert (6, "", []) == (code, out, orders_waiting(house))
    assert f"production was not approved: process {person.pid}, which ran {house.run_id}, ended first" in err
    assert f"approve {house.run_id} production`" in err
    assert (0, ["build", "deploy", "tell"]) == (house.prodigy("approve", house.run_id).code, house.trace)


def test_an_approval_that_comes_after_a_no_says_so(house: House, terminal: At) -> None:
    """Both were given while the run could not look; a no at the terminal comes first or the yes holds."""
    person, approving = suspended(house, terminal)
    (order,) = (house.run / "inbox").glob("*.json")
    kept = order.rename(house.path / "order")
    person.types("n\n")
    os.kill(person.pid, signal.SIGCONT)
    code, _, err = approving.wait()
    assert (1, 6, True) == (person.wait(), code, "Somebody said no. To be asked again:" in err)
    assert kept.exists()


def test_after_an_approval_from_elsewhere_the_next_question_hears_the_first_word(house: House, terminal: At) -> None:
    """Nobody has to answer twice because a question was answered elsewhere."""
    deploying(house, stage("last", {"shell": house.traced("last")}, requires_confirmation=True))
    person = terminal("cook", "demo.yaml")
    person.shows(PROMPT)
    house.prodigy("approve", "demo", "production")
    person.shows(PROMPT, times=2)
    person.types("y\n")
    expected = [("production", True, "with prodigy approve"), ("last", True, "at the terminal")]
    assert (0, expected) == (person.wait(), answers(house))


def test_what_was_typed_before_the_question_is_no_answer(house: House, terminal: At) -> None:
    """Somebody typed `y` while the build ran."""
    stages(
        house,
        stage("build", {"shell": house.gate("build")}),
        stage("production", {"shell": house.traced("deploy")}, requires_confirmation=True),
    )
    person = terminal("cook", "demo.yaml")
    eventually((house.folder / "build.up").exists, "the build at its gate")
    person.types("y\n")
    person.shows("y\n")  # the terminal has taken it
    house.open("build")
    person.shows(PROMPT)
    person.types("n\n")
    assert (1, []) == (person.wait(), house.trace)


def test_a_step_may_ask_too(house: House) -> None:
    """It is named by its id."""
    house.workflow(
        {"shell": house.traced("one")}, {"shell": house.traced("two"), "id": "two", "requires_confirmation": True}
    )
    assert 5 == house.cook().code
    assert (0, ["one", "two"]) == (house.prodigy("approve", "demo", "two").code, house.trace)
