"""What steps print: any amount, any bytes, any reader, and nothing of it decides a run."""

import json
import re
from pathlib import Path

import pytest

from tests.end_to_end.house import House, python

MEMORY_KIB_MAX = 120 * 1024
LONG_LINE = 50_000_000
CONTROLS = r"printf '\033]0;title\007\033[2J\b\b\r\302\233x \342\200\256abc\n'"
FAKE = (
    '{"seq":4,"time":"2026-01-31T09:00:00.000000Z","type":"node_succeeded","at":"forged",'
    '"commit":true,"chain":"0123456789abcdef"}'
)


def peak_kib(pid: int) -> int:
    """Return the most memory that a process has had, in KiB."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match, "every process has a peak"
    return int(match[1])


@pytest.mark.parametrize(
    ("script", "size"),
    [
        ("yes 'a line of output' | head -c 300000000", 300_000_000),
        (f"head -c {LONG_LINE} /dev/zero | tr '\\0' x", LONG_LINE),
    ],
    ids=["300 MB", "one line of 50 MB"],
)
def test_much_output_takes_little_memory_and_is_kept_whole(house: House, script: str, size: int) -> None:
    """The coordinator's peak stays small; the output lies in its file."""
    house.workflow({"shell": script}, {"shell": house.gate("after")})
    live = house.start("cook", "demo.yaml")
    house.reached("after")
    peak = peak_kib(live.pid)
    house.open("after")
    finished = live.wait()
    output = house.run / house.events("command_finished")[0]["output_file"]
    assert (0, size) == (finished.code, output.stat().st_size)
    assert peak < MEMORY_KIB_MAX
    output.unlink()


def test_invalid_utf_8_is_captured_with_a_warning(house: House) -> None:
    """What is no text becomes U+FFFD, in the variable and for the next step."""
    house.workflow(
        {"shell": r"printf 'a\377b'", "capture_output": "odd"},
        {"shell": "printf %s ${odd} > copy"},
    )
    code, _, err = house.cook()
    assert (0, "a�b", True) == (code, (house.folder / "copy").read_text(), "not all UTF-8" in err)


def test_control_characters_are_shown_and_do_nothing(house: House) -> None:
    """Titles, erasing, backspaces, C1 and right-to-left marks appear in letters."""
    house.workflow({"shell": CONTROLS, "id": "odd"})
    _, _, err = house.cook()
    (line,) = [line for line in err.splitlines() if line.startswith("odd │")]
    assert line == r"odd │ \x1b]0;title\a\x1b[2J\b\b\r\x9bx \u202eabc"


def test_control_characters_of_a_step_reach_no_answer(house: House) -> None:
    """Neither the summary nor a reading command repeats them raw."""
    house.workflow({"shell": f"{CONTROLS}; false", "id": "odd"})
    _, out, err = house.cook()
    texts = [
        out,
        err,
        *(house.prodigy(*command).out for command in (("events", "ls"), ("checkpoints", "show", "demo"))),
    ]
    assert [False] * 4 == [bool(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f‮]", text)) for text in texts]


def test_a_printed_event_is_no_event(house: House) -> None:
    """A step that prints lines as the log has them forges nothing."""
    house.write("fake", f"{FAKE}\n")
    house.workflow({"shell": "cat fake; cat fake >&2", "capture_output": "odd", "id": "real"})
    code, _, _ = house.cook()
    told = [event["at"] for event in house.events("node_succeeded")]
    assert (0, ["real", "workflow"], 0) == (code, told, house.prodigy("events", "verify").code)


CLOSED = [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
def test_closed_standard_streams_decide_nothing(house: House, closed: str) -> None:
    """The run completes, and what would have been printed got into no file of the run."""
    house.workflow({"shell": "echo loud; echo louder >&2"}, {"shell": house.traced("after")})
    code, _, _ = house.shell(f"exec prodigy cook demo.yaml {closed}").wait()
    assert (0, ["after"], 0) == (code, house.trace, house.prodigy("events", "verify").code)
    assert "cook" == json.loads((house.run / "lock").read_text())["command"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_decides_nothing(house: House, unbuffered: str) -> None:
    """With stdout and stderr broken pipes the run completes with exit 0."""
    house.workflow({"shell": house.gate("slow")}, {"shell": house.traced("after", "echo loud")})
    script = f"{{ PYTHONUNBUFFERED={unbuffered} prodigy cook demo.yaml; echo $? > code; }} 2>&1 | read _; wait"
    live = house.shell(script)
    house.reached("slow")
    house.open("slow")
    live.wait()
    assert ("0\n", ["after"], "completed") == ((house.folder / "code").read_text(), house.trace, house.status)


def test_a_reader_that_never_reads_does_not_stop_the_run(house: House) -> None:
    """The pipe behind stderr is full long before the run is over."""
    loud = {"shell": "yes 'a line of output' | head -c 200000"}
    house.workflow(loud, loud, loud, {"shell": house.traced("after")})
    code, out, _ = house.shell("mkfifo full; exec 3<>full; exec prodigy cook demo.yaml 2>&3").wait()
    assert (0, ["after"], "completed") == (code, house.trace, out.split()[0])


def test_a_full_disk_behind_stdout_decides_nothing(house: House) -> None:
    """The summary is lost, the run is not."""
    house.workflow({"shell": house.traced("one")})
    code, _, err = house.shell("exec prodigy cook demo.yaml > /dev/full").wait()
    assert (0, "completed", False) == (code, house.status, "Traceback" in err)


@pytest.mark.parametrize("command", ["status", "checkpoints list", "events ls --json", "ps", "--help"])
def test_an_answer_that_a_full_disk_took_is_an_error(house: House, command: str) -> None:
    """A sentence that says where and what to do, and exit 1: nothing else than the answer was asked for."""
    house.workflow({"shell": "echo one"})
    house.cook()
    code, _, err = house.shell(f"exec prodigy {command} > /dev/full").wait()
    assert (code, err) == (
        1,
        "error: cannot write to /dev/full, where stdout goes: No space left on device\n"
        "  Make room there, or print to another place, and run the command again.\n",
    )


def test_the_first_line_alone_can_be_read(house: House) -> None:
    """`| head -1` of a reading command: one line, and no traceback."""
    house.workflow({"shell": "yes x | head -c 60000", "capture_output": "long"}, *[{"shell": "echo ${long}"}] * 4)
    house.cook()
    code, out, err = house.shell("prodigy events ls --json | head -1").wait()
    assert (0, "{\n", "") == (code, out, err)


def test_ten_thousand_lines_to_a_file_arrive_whole(house: House) -> None:
    """Where stderr is a file nothing is left out, and the order is kept."""
    house.workflow({"shell": python("print('\\n'.join(map(str, range(10000))))"), "id": "count"})
    _, _, err = house.cook()
    shown = [line.removeprefix("count │ ") for line in err.splitlines() if line.startswith("count │")]
    assert list(map(str, range(10000))) == shown


def test_a_shell_with_options_takes_values_by_reference(house: House) -> None:
    """As it does without any; and the options hold."""
    house.workflow(
        {"shell": 'printf "%s\\n" ${word} ${list} > said; false | true', "interpreter": "bash -euo pipefail"},
        variables={"word": "a  b $(reboot)", "list": ["c d", "*"]},
    )
    assert house.cook().code == 1
    assert (house.folder / "said").read_text() == "a  b $(reboot)\nc d\n*\n"


def test_cook_says_how_much_there_is_to_look_at(house: House) -> None:
    """In one line on stderr, with the command that shows it; nothing where there is nothing."""
    house.workflow({"shell": "f() { [[ a ]]; }"})
    notes = [line.strip() for line in house.cook().err.splitlines() if line.startswith("    note")]
    house.workflow({"shell": "true"})
    assert (notes, "note" in house.cook().err) == (
        ["note  1 thing may not be meant: `prodigy validate demo.yaml`"],
        False,
    )
