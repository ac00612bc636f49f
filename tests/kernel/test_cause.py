"""One line stands for a failure: how it ended, and the last line that says something."""

import pytest

from prodigy.kernel.cause import LINE_CHARS_MAX, cause, meaningful_line

PYTHON = """Traceback (most recent call last):
  File "/tmp/x.py", line 3, in <module>
    load("a.csv")
    ~~~~^^^^^^^^^
  File "/tmp/x.py", line 2, in load
    raise ValueError("no column 'id'")
ValueError: no column 'id'
"""
CHAINED = (
    PYTHON + "\nDuring handling of the above exception, another exception occurred:\n\n" + PYTHON.replace("id", "b")
)
PYDANTIC = """Traceback (most recent call last):
  File "/tmp/x.py", line 3, in <module>
pydantic_core._pydantic_core.ValidationError: 1 validation error for Foo
a
  Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]
    For further information visit https://errors.pydantic.dev/2.5/v/int_parsing
"""
NODE = """/tmp/x.js:1
throw new Error("boom")
^

Error: boom
    at Object.<anonymous> (/tmp/x.js:1:7)
    at node:internal/main/run_main_module:23:47 {
  code: 'ENOENT',
  path: 'x'
}

Node.js v18.19.0
"""
JAVA = """Exception in thread "main" java.lang.RuntimeException: outer
\tat Foo.main(Foo.java:5)
Caused by: java.lang.IllegalStateException: root
\tat Foo.go(Foo.java:9)
\t... 1 more
"""
GO = """panic: no config

goroutine 1 [running]:
main.main()
\t/tmp/x.go:4 +0x1d
exit status 2
"""
RUST = """thread 'main' panicked at src/main.rs:2:5:
no config
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
PYTEST = """>       assert 1 == 2
E       assert 1 == 2
=========================== short test summary info ============================
FAILED test_x.py::test_a - assert 1 == 2
============================== 1 failed in 0.03s ===============================
"""
NPM = """sh: 1: jest: not found
npm ERR! code ELIFECYCLE
npm ERR! errno 127
npm ERR! Exit status 127
npm ERR!
npm ERR! Failed at the demo@1.0.0 test script.
npm ERR! This is probably not a problem with npm. There is likely additional logging output above.

npm ERR! A complete log of this run can be found in:
npm ERR!     /root/.npm/_logs/2026-01-31T09_00_00_000Z-debug-0.log
"""
NPM_404 = """npm error code E404
npm error 404 Not Found - GET https://example.org/foo - Not found
npm error 404
npm error 404  'foo@*' is not in this registry.
npm error A complete log of this run can be found in: /root/.npm/_logs/x-debug-0.log
"""
MAKE = """x.c:1:5: error: expected ';'
make[1]: *** [Makefile:3: x.o] Error 1
make[1]: Leaving directory '/tmp/x'
make: *** [Makefile:2: all] Error 2
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PYTHON, "ValueError: no column 'id'"),
        (CHAINED, "ValueError: no column 'b'"),
        (PYTHON + "import of a.csv failed\n", "import of a.csv failed"),
        (PYTHON + "make: *** [Makefile:2: load] Error 1\n", "ValueError: no column 'id'"),
        (PYDANTIC, "Input should be a valid integer [type=int_parsing, input_value='x', input_type=str]"),
        (NODE, "Error: boom"),
        (JAVA, "Caused by: java.lang.IllegalStateException: root"),
        (GO, "panic: no config"),
        (RUST, "no config"),
        (PYTEST, "FAILED test_x.py::test_a - assert 1 == 2"),
        (NPM, "sh: 1: jest: not found"),
        (NPM_404, "npm error 404  'foo@*' is not in this registry."),
        (MAKE, "x.c:1:5: error: expected ';'"),
        ("make: *** No rule to make target 'x'.  Stop.\n", "make: *** No rule to make target 'x'.  Stop."),
        ("make: *** [Makefile:2: all] Error 2\n", "make: *** [Makefile:2: all] Error 2"),
        (
            "error: Recipe `test` failed on line 3 with exit code 1\n",
            "error: Recipe `test` failed on line 3 with exit code 1",
        ),
        ("no disk\nerror: Recipe `test` failed on line 3 with exit code 1\n", "no disk"),
        ("one\ntwo\n\n   \n", "two"),
        ("two\n-----\n^^^\n}\n", "two"),
        ("10%\r90%\rerror: disk full\r\n", "error: disk full"),
        ("\x1b[31merror:\x1b[0m no \x1b]0;title\x07route\n\x1b[0m\n", "error: no route"),
        ("  indented  \n", "indented"),
        ("...\n", "..."),
        ("one\n...\n", "one"),
        ("make: *** [x] Error 1\n}\n", "make: *** [x] Error 1"),
        ("=" * 2000 + "x", "=" * LINE_CHARS_MAX + "…"),
        ("", ""),
        (" \n", ""),
        ("ошибка\n", "ошибка"),
    ],
    ids=lambda text: " ".join(text.split())[:24],
)
def test_the_line_that_stands_for_a_text(text: str, expected: str) -> None:
    """The last that says something."""
    assert expected == meaningful_line(text)


def test_a_very_long_line_is_cut() -> None:
    """It has to fit where one line has to fit."""
    assert "x" * LINE_CHARS_MAX + "…" == meaningful_line("x" * 100_000)


@pytest.mark.parametrize(
    ("error", "exit_code", "expected"),
    [
        (PYTHON.strip(), 1, "exit 1 · ValueError: no column 'id'"),
        ("WARN: little memory", 137, "exit 137, killed? · WARN: little memory"),
        ("sh: 1: jest: not found", 127, "exit 127, not found? · sh: 1: jest: not found"),
        ("exit code 3", 3, "exit 3"),
        ("exit code 137", 137, "exit 137, killed?"),
        ("killed by SIGKILL\none\ntwo", None, "killed by SIGKILL · two"),
        ("killed by SIGKILL", None, "killed by SIGKILL"),
        ("timed out after 90 s\nat 40%", None, "timed out after 90 s · at 40%"),
        ("timed out after 90 s", 143, "timed out after 90 s"),
        ("capture_format json: Expecting value", 0, "capture_format json: Expecting value"),
        ("claude was not found", None, "claude was not found"),
        ("", 3, "exit 3"),
        ("", None, ""),
        (
            f"{PYTHON.strip()}\nits on_failure failed too: one\ntwo",
            1,
            "exit 1 · ValueError: no column 'id'; its on_failure failed too: two",
        ),
    ],
)
def test_how_it_ended_stands_beside_what_it_said(error: str, exit_code: int | None, expected: str) -> None:
    """The exit code or the signal, whichever is known, and never twice."""
    assert expected == cause(error, exit_code)
