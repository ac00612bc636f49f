"""`validate`, and `cook` of a file with mistakes: every message alone is enough to mend the file."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from prodigy.cli.output.complaints import shown
from prodigy.cli.output.width import cells
from prodigy.errors import Problem, WorkflowProblem
from prodigy.plan.compile import compile_workflow
from tests.end_to_end.house import House, find

SECONDS_MAX = 2.0
MEMORY_BYTES_MAX = 300 * 1024 * 1024


@pytest.fixture(autouse=True)
def _columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def said(text: str) -> list[str]:
    """Return what is printed about each mistake of a file."""
    try:
        compile_workflow(text.encode(), file="w.yaml", environment={"HOME": "/home/me"})
    except WorkflowProblem as refused:
        return [shown(problem) for problem in refused.problems]
    return []


# The mistakes of a first workflow ---------------------------------------------------------------------------

MISTAKES: dict[str, tuple[str, list[str]]] = {
    "a key too far left": (
        "commands:\n  - shell: make\n   id: build\n",
        [
            "w.yaml:3:4: 'id' and 'shell' above it begin in different columns, 4 and 5: indent them alike\n"
            "     id: build\n     ^"
        ],
    ),
    "a key too far right": (
        "commands:\n  - shell: make\n      id: build\n",
        [
            "w.yaml:3:7: 'id' and 'shell' above it begin in different columns, 7 and 5: indent them alike\n"
            "        id: build\n        ^"
        ],
    ),
    "a step too far left": (
        "commands:\n  - shell: make\n - shell: test\n",
        [
            "w.yaml:3:2: entries of one list begin in different columns, 2 and 3: indent them alike\n"
            "   - shell: test\n   ^"
        ],
    ),
    "a dash without a blank": (
        "commands:\n  - shell: make\n  -shell: test\n",
        ["w.yaml:3:3: a blank follows the dash of a list: write  - shell:\n    -shell: test\n    ^"],
    ),
    "a colon without a blank": (
        "commands:\n  - shell:make\n",
        [
            "w.yaml:2:5: a step is a mapping, not the text 'shell:make'\n"
            "    - shell:make\n      ^\n  a blank follows the colon:  - shell: make"
        ],
    ),
    "a step without a dash": (
        "commands:\n  shell: make\n",
        [
            "w.yaml:2:3: 'commands' takes a list of steps, not a mapping\n"
            "    shell: make\n    ^\n  each step begins with a dash:  - shell: make"
        ],
    ),
    "a stage without a dash": (
        "stages:\n  build: [make]\n",
        [
            "w.yaml:2:3: 'stages' takes a list of stages, each with a name and commands, not a mapping\n"
            "    build: [make]\n    ^\n  each stage begins with a dash, for example  - name: build, and below it\n"
            "  commands: [{shell: make}]"
        ],
    ),
    "another tool's words": (
        "commands:\n  - run: make\n  - prompt: /review\n  - shell: make\n    continue-on-error: true\n    needs: x\n",
        [
            "w.yaml:2:5: unknown key 'run' in a step\n    - run: make\n      ^\n  here it is called shell",
            "w.yaml:3:5: unknown key 'prompt' in a step\n    - prompt: /review\n      ^\n  here it is called claude",
            "w.yaml:5:5: unknown key 'continue-on-error' in a step\n"
            "      continue-on-error: true\n      ^\n  here it is called allow_failure",
            "w.yaml:6:5: unknown key 'needs' in a step\n"
            "      needs: x\n      ^\n  steps run in the order in which they stand",
        ],
    ),
    "text with a colon": (
        "variables: {x: 1}\ncommands:\n  - shell: echo ${x}: y\n",
        [
            "w.yaml:3:21: this is not YAML: mapping values are not allowed in this context\n"
            "    - shell: echo ${x}: y\n                      ^\n"
            '  a text that contains ": " needs quotes, or stands on lines below  shell: |'
        ],
    ),
    "an open quote": (
        'commands:\n  - shell: "make\n  - shell: test\n',
        [
            'w.yaml:2:12: this is not YAML: found unexpected end of stream\n    - shell: "make\n             ^\n'
            "  a quote is never closed; within {…}, quote the whole of a text with ${…}"
        ],
    ),
    "many retries": (
        "- shell: make\n  retry: many\n",
        [
            "w.yaml:2:10: 'retry' takes a number of further attempts, a ${…}, or a mapping (0 to 1000), "
            "not the text 'many'\n    retry: many\n           ^\n  for example  retry: 3"
        ],
    ),
    "minutes": (
        "- shell: make\n  timeout: 5 minutes\n",
        [
            "w.yaml:2:12: 'timeout' takes seconds, 90s, 5m, 1h or a ${…} (0.001 to 31622400), "
            "not the text '5 minutes'\n    timeout: 5 minutes\n             ^\n  for example  timeout: 5m"
        ],
    ),
    "a misspelt variable": (
        "variables: {output_dir: out}\ncommands:\n  - shell: rm -rf ${outptu_dir}/x\n  - claude: /look ${outputdir}\n",
        [
            "w.yaml:3:19: ${outptu_dir} is neither ours nor assigned in the script nor in the environment\n"
            "    - shell: rm -rf ${outptu_dir}/x\n                    ^\n"
            "  did you mean ${output_dir}? a variable of the shell's own is $outptu_dir",
            "w.yaml:4:19: unknown name 'outputdir'\n    - claude: /look ${outputdir}\n                    ^\n"
            "  did you mean ${output_dir}?",
        ],
    ),
    "bare words": (
        "- {shell: make, id: build}\n- shell: test\n  when: status == ok\n- shell: test\n  when: build.success\n",
        [
            "w.yaml:3:9: 'status' is a bare word\n    when: status == ok\n          ^\n"
            "  a value has ${…} and text has quotes: ${status} == 'ok'",
            "w.yaml:5:9: 'build.success' is a bare word\n    when: build.success\n          ^\n"
            "  text needs quotes: 'build.success'; the value is ${build.success}",
        ],
    ),
    "a tab": ("commands:\n\t- shell: make\n", ["w.yaml:2:1: a tab cannot indent\n   - shell: make\n  ^\n  use spaces"]),
    "an id twice": (
        "- shell: make\n  id: build\n- shell: test\n  id: build\n",
        ["w.yaml:4:7: the id 'build' is used twice\n    id: build\n        ^\n  the first is on line 2"],
    ),
    "a text for a step": (
        "commands:\n  - make all\n  - /review\n",
        [
            "w.yaml:2:5: a step is a mapping, not the text 'make all'\n    - make all\n"
            "      ^\n  write  - shell: make all",
            "w.yaml:3:5: a step is a mapping, not the text '/review'\n    - /review\n"
            "      ^\n  write  - claude: /review",
        ],
    ),
    "a value of a later step": (
        "- shell: echo ${files}\n- shell: ls\n  capture: files\n",
        [
            "w.yaml:1:15: 'files' comes later: the step on line 3 gives it\n"
            "  - shell: echo ${files}\n                ^\n  a reference looks back, never ahead"
        ],
    ),
    "going on": (
        "- shell: make\n  on_failure: continue\n",
        [
            "w.yaml:2:15: 'on_failure' takes a step, a list of steps, or a mapping with commands, "
            "not the text 'continue'\n    on_failure: continue\n                ^\n"
            "  to go on after a failure, write  allow_failure: true  instead"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_message_alone_is_enough_to_mend_the_file(text: str, expected: list[str]) -> None:
    """Where, the line, a caret, what is wrong, and what to write instead."""
    assert said(text) == expected


# How a mistake is shown -------------------------------------------------------------------------------------


def caret(source: str, column: int) -> tuple[str, int]:
    """Return the line that is shown, and how many cells stand before the caret."""
    text = shown(Problem(message="x", file="f", line=1, column=column, source=source)).split("\n")
    assert text[2].strip() == "^"
    return text[1], text[2].index("^")


@pytest.mark.parametrize(
    ("before", "width"),
    [("abc ", 4), ("日本語 ", 7), ("ﾊﾝｶｸ ", 5), ("ＡＢ ", 5), ("e\u0301te\u0301 ", 4), ("🚀 ", 3), ("\u202e ", 7)],
)
def test_the_caret_stands_below_the_character(before: str, width: int) -> None:
    """Wide characters take two cells, those that combine none, and what is shown in letters its letters."""
    line, place = caret(f"{before}${{x}}", len(before) + 1)
    assert (place, cells(line.partition("$")[0])) == (width + 2, width + 2)


def test_of_a_long_line_the_part_around_the_caret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fits the terminal, and marks where it was cut."""
    monkeypatch.setenv("COLUMNS", "60")
    source = "a" * 100 + "${x}" + "b" * 150
    line, place = caret(source, 101)
    assert (line[place], line[:3], line[-1], cells(line) <= 60) == ("$", "  …", "…", True)


@pytest.mark.parametrize("columns", [1, 40, 60, 200])
@pytest.mark.parametrize("column", [1, 2, 50, 150, 250])
def test_however_narrow_the_caret_is_below_its_character(
    monkeypatch: pytest.MonkeyPatch, columns: int, column: int
) -> None:
    """At the beginning, in the middle and at the end of a line of wide characters."""
    monkeypatch.setenv("COLUMNS", str(columns))
    source = "語" * (column - 1) + "$" + "語" * (250 - column)
    line, place = caret(source, column)
    assert cells(line.partition("$")[0]) == place
    assert cells(line) <= max(columns, 40)


# The commands -----------------------------------------------------------------------------------------------


def test_all_mistakes_of_all_files_are_shown_at_once(tmp_path: Path) -> None:
    """Mistakes and notices on stderr, a verdict for each file on stdout; exit 3 if any cannot be run."""
    house = House(tmp_path)
    house.write("bad.yaml", "- shel: make\n- shell: make\n  retries: 2\n")
    house.write("good.yaml", "- shell: make\n  id: last\n")
    code, out, err = house.prodigy("validate", "bad.yaml", "good.yaml", "absent.yaml")
    verdicts = "bad.yaml: 2 mistakes\ngood.yaml: valid, 1 to look at\nabsent.yaml: 1 mistake\n"
    heads = [line for line in err.splitlines() if line.startswith(("error", "notice"))]
    assert (code, out, heads) == (
        3,
        verdicts,
        [
            "error: bad.yaml:1:3: unknown key 'shel' in a step",
            "error: bad.yaml:3:3: unknown key 'retries' in a step",
            "notice: good.yaml:2:7: 'last' usually means something else in workflows",
            "error: cannot read the workflow absent.yaml: No such file or directory",
        ],
    )


def test_programs_get_one_document(tmp_path: Path) -> None:
    """With every mistake as a record, and nothing on stderr."""
    house = House(tmp_path)
    house.write("bad.yaml", "- shel: make\n")
    code, out, err = house.prodigy("validate", "--json", "bad.yaml")
    problem = {
        "message": "unknown key 'shel' in a step",
        "file": "bad.yaml",
        "line": 1,
        "column": 3,
        "source": "- shel: make",
        "hint": "did you mean shell?",
    }
    report = {"file": "bad.yaml", "is_valid": False, "problems": [problem], "notices": []}
    assert (code, json.loads(out), err) == (3, {"schema_version": 1, "files": [report]}, "")


def test_cook_refuses_with_the_same_words(tmp_path: Path) -> None:
    """Before anything is made."""
    house = House(tmp_path)
    house.write("bad.yaml", "- shel: make\n- shell: make\n  retries: 2\n")
    before = house.snapshot()
    cooked = house.prodigy("cook", "bad.yaml")
    assert (cooked.code, cooked.out, house.snapshot()) == (3, "", before)
    assert cooked.err.strip() == house.prodigy("validate", "bad.yaml").err.strip()


# Hostile files ----------------------------------------------------------------------------------------------

STEP = "shell: touch ran"
BOMB = f"{STEP}\nx: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE: dict[str, bytes] = {
    "utf-16": f"- {STEP}".encode("utf-16"),
    "latin-1": f"- {STEP} é".encode("latin-1"),
    "tabs": f"commands:\n\t- {STEP}\n".encode(),
    "duplicate": f"- {STEP}\n  {STEP}\n".encode(),
    "bomb": BOMB.encode(),
    "deep": b"[" * 20_000 + b"]" * 20_000,
    "deep-mappings": b"{a: " * 20_000,
    "deep-dashes": b"- " * 20_000,
    "python": b'- shell: !!python/object/apply:os.system ["touch ran"]\n',
    "scalar": b'- shell: "touch ran; ' + b"x" * 8_000_000 + b'"\n',
    "documents": f"- {STEP}\n---\n- {STEP}\n".encode(),
    "unknown-key": f"- {STEP}\n  frobnicate: 1\n".encode(),
    "nan": f"- {STEP}\n  timeout: .nan\n".encode(),
    "two-kinds": f"- {STEP}\n  claude: hello\n".encode(),
    "empty": b"",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 40,
    "eval": f"- {STEP}\n  when: __import__('os').system('touch ran')\n".encode(),
    "power": f"- {STEP}\n  when: 9**9**9\n".encode(),
    "repeat": f"- {STEP}\n  when: \"'a'*10**10 == ''\"\n".encode(),
    "nots": f"- {STEP}\n  when: '{'!' * 50_000}true'\n".encode(),
    "parentheses": f"- {STEP}\n  when: {'(' * 10_000}true{')' * 10_000}\n".encode(),
    "references": f"- {STEP} {'${shell.output} ' * 200_000}\n".encode(),
    "defaults": b"- claude: '" + b"${shell.output:-" * 100_000 + b"'\n",
}


MEASURE = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.STDOUT)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
json.dump([process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss], sys.stderr)
"""


def measured(house: House, *arguments: str) -> tuple[int, float, int, str]:
    """Return a command's exit status, seconds of processor time, bytes of memory, and all that it printed.

    Not seconds of the clock: other work on the machine must not decide a test. And by way of a small process: a child
    begins as a copy of whoever starts it, and the system counts the memory of that copy too, which is all of ours.
    """
    environment = house.environment
    program = find("prodigy", environment["PATH"])
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.run(
            (sys.executable, "-S", "-c", MEASURE, program, *arguments),
            cwd=house.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
        printed.seek(0)
        code, seconds, kibibytes = json.loads(process.stderr)
        return code, seconds, kibibytes * 1024, printed.read()


def test_the_memory_of_a_command_is_measured_without_ours(tmp_path: Path) -> None:
    """However much the tests take themselves."""
    ours = bytearray(b"x") * MEMORY_BYTES_MAX
    code, _, memory_bytes, _ = measured(House(tmp_path), "--version")
    assert (code, memory_bytes < len(ours) // 2) == (0, True)


def test_hostile_files_are_refused_quickly_with_one_message_each(tmp_path: Path) -> None:
    """All of them together take less time and memory than one may; nothing runs, and there is no traceback."""
    house = House(tmp_path)
    for name, data in HOSTILE.items():
        (house.folder / name).write_bytes(data)
    os.mkfifo(house.folder / "fifo")
    (house.folder / "folder").mkdir()
    names = [*HOSTILE, "fifo", "folder", "/dev/zero"]
    code, seconds, memory_bytes, printed = measured(house, "validate", "--json", *names)
    counts = {report["file"]: len(report["problems"]) for report in json.loads(printed)["files"]}
    assert (code, counts) == (3, dict.fromkeys(names, 1))
    assert (seconds < SECONDS_MAX * len(names), memory_bytes < MEMORY_BYTES_MAX) == (True, True)
    assert (house.folder / "ran").exists() is False


@pytest.mark.parametrize("name", ["bomb", "scalar", "python", "references", "fifo", "folder"])
def test_cook_refuses_a_hostile_file(tmp_path: Path, name: str) -> None:
    """Exit 3 within two seconds and 300 MB, and nothing is made."""
    house = House(tmp_path)
    if name == "fifo":
        os.mkfifo(house.folder / name)
    elif name == "folder":
        (house.folder / name).mkdir()
    else:
        (house.folder / name).write_bytes(HOSTILE[name])
    code, seconds, memory_bytes, printed = measured(house, "cook", name)
    assert (code, printed.count("error: "), "Traceback" in printed) == (3, 1, False)
    assert (seconds < SECONDS_MAX, memory_bytes < MEMORY_BYTES_MAX) == (True, True)
    assert [path.name for path in house.folder.iterdir()] == [name]
