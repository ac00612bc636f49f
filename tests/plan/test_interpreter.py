"""What `interpreter:` may name: a shell with options, through `env` or not, or a program that reads a file."""

import pytest

from prodigy.plan.shell.interpreter import options_of, program_of, refused, shell_of


@pytest.mark.parametrize(
    ("interpreter", "shell", "program", "options"),
    [
        ("bash", "bash", "bash", []),
        ("/bin/bash", "bash", "/bin/bash", []),
        ("bash -eu", "bash", "bash", ["-eu"]),
        ("env bash", "bash", "bash", []),
        ("/usr/bin/env bash -eu", "bash", "bash", ["-eu"]),
        ("env python3 -u", None, "env", ["python3", "-u"]),
        ("env", None, "env", []),
        ("python3", None, "python3", []),
        ("python3 -O", None, "python3", ["-O"]),
        ("'my shell' -x", None, "", ["-x"]),
        ("", None, "", []),
        ("bash 'x", None, "", []),
    ],
)
def test_a_shell_is_known_by_its_name(interpreter: str, shell: str | None, program: str, options: list[str]) -> None:
    """Wherever it lies; `env` before anything but a shell is a program like any other."""
    assert shell_of(interpreter) == shell
    assert program_of(interpreter) == program
    assert options_of(interpreter) == options


@pytest.mark.parametrize(
    "interpreter",
    [
        "bash -euo pipefail",
        "bash -O extglob",
        "bash +O extglob -e",
        "bash --rcfile ~/.rc --norc",
        "zsh --emulate sh",
        "/usr/bin/env bash -eu",
        "python3 -c 'print(1)'",
        "env python3 -c",
        "ksh",
    ],
)
def test_options_of_a_shell_and_any_other_program_are_taken(interpreter: str) -> None:
    """An option that has a value takes the word after it."""
    assert refused(interpreter) is None


@pytest.mark.parametrize(
    ("interpreter", "message"),
    [
        ("bash -c", "'-c' would take the place of the script"),
        ("bash -ec", "'-ec' would take the place of the script"),
        ("bash -s", "'-s' would take the place of the script"),
        ("bash --", "'--' would take the place of the script"),
        ("bash script.sh", "'script.sh' would take the place of the script"),
        ("bash -euo pipefail more", "'more' would take the place of the script"),
        ("bash -e more", "'more' would take the place of the script"),
        ("env bash -c", "'-c' would take the place of the script"),
        (" ", "the interpreter is empty"),
        ("bash '", 'the interpreter "bash \'" cannot be read: No closing quotation'),
    ],
)
def test_what_takes_the_place_of_the_script_is_refused(interpreter: str, message: str) -> None:
    """The script is ours to give."""
    found = refused(interpreter)
    assert found is not None
    assert found[0] == message
    assert found[1]
