"""What bash alone knows is found in scripts for `sh`, and nothing is that is quoted, a comment or a here-document."""

import shutil
import subprocess

import pytest

from prodigy.plan.compile import workflow_notices
from prodigy.plan.shell.dialect import only_in_bash
from prodigy.plan.shell.interpreter import refused, shell_of

ONLY_BASH = {
    "set -o pipefail": ["set -o pipefail"],
    "set -euo pipefail\nmake | tee log": ["set -o pipefail"],
    "set -eE": ["set -eE"],
    "[[ -f a ]] && make": ["[[ … ]]"],
    'a=(1 2)\necho "${a[@]}"': ["arrays"],
    "a[1]=x": ["arrays"],
    "echo ${a[0]}": ["arrays"],
    "diff <(a) <(b)": ["<(…)"],
    "a > >(tee log)": [">(…)"],
    "function f { make; }": ["function"],
    "source ./settings": ["source"],
    "make &> log": ["&>"],
    "make &>> log": ["&>>"],
    "make >& log": [">& into a file"],
    "make |& tee log": ["|&"],
    "for i in {1..3}; do make; done": ["{a,b} and {1..3}"],
    "mkdir -p {src,tests}/a": ["{a,b} and {1..3}"],
    "IFS=$'\\n'": ["$'…'"],
    "echo $'it\\'s'": ["$'…'"],
    'cat <<< "x"': ["<<<"],
    "pushd build && make && popd": ["pushd", "popd"],
    "f() { local -a seen; }": ["local -a"],
    "(( n++ ))": ["(( … ))"],
    "for ((i = 0; i < 3; i++)); do make; done": ["(( … ))"],
    "echo ${x^^} ${x,,}": ["${x^^} and its kin"],
    'echo "${x:0:3} ${x/a/b}"': ["${x:1:2}", "${x/a/b}"],
    "echo ${!x}": ["${!x}"],
    'echo -e "a\\n"': ["echo -e"],
    'x+="more"': ["x+=…"],
    '[ "$a" == b ]': ["== in ["],
    "test -v a": ["-v in test"],
    "read -r -a words": ["read -a"],
    "declare -A seen": ["declare"],
    "trap 'echo no' ERR": ["trap … ERR"],
    'printf "%q" "$x"': ["printf %q"],
    "exec {log}> log": ["{fd}>"],
    "echo $RANDOM": ["$RANDOM"],
    'echo "$(cat <(a))"': ["<(…)"],
    "shopt -s globstar; set -o pipefail; [[ a ]]": ["shopt", "set -o pipefail", "[[ … ]]"],
}
PORTABLE = [
    "echo '[[ a ]]' # [[ b ]] <(c) {1..3}",
    'echo "[[ {1..3} <(a) &> $(true)"',
    "cat <<END\nset -o pipefail [[ {1..3} <(a) &> x\nEND\n",
    "cat <<'END'\n[[ $'x' <<< ${x^^}\nEND\n",
    "bash -c '[[ a ]]; set -o pipefail'",
    "awk '{print $1,$2}' f",
    "curl https://example.org/{a,b}",
    "jq {a,b} f.json",
    "find . -exec ls {} \\;",
    "git show HEAD@{1}",
    "echo \\{a,b\\} x{y}z",
    "grep '[[' f; grep [[:alpha:]] f",
    "echo ${x:-y} ${x:=y} ${x:+y} ${x:?y} ${x#a} ${x%%b} ${#x} $((1 + 2))",
    'if [ "$a" = "$b" ]; then echo a==b; fi; [ "$1" = "-v" ]',
    "case $x in (a|b) make;; [[:alpha:]]*) :;; esac",
    "( (make) )",
    "echo -n x; read -r a; local_x=1; set -eu; trap 'rm x' EXIT; export a=b",
    "make > log 2>&1; make >&2; ls 2>&-; make >| log",
    "source() { :; }",
    "docker ps --format {{.Names}}",
    "f() { local x=1; }",
    'while read -r line; do echo "$line"; done < f',
]


@pytest.mark.parametrize(("script", "expected"), ONLY_BASH.items())
def test_what_not_every_sh_knows_is_found(script: str, expected: list[str]) -> None:
    """Each kind once, in the order of the text."""
    assert list(only_in_bash(script, frozenset())) == expected


@pytest.mark.parametrize("script", PORTABLE)
def test_what_every_sh_knows_is_left_alone(script: str) -> None:
    """And so is what is only text, or for another program."""
    assert only_in_bash(script, frozenset()) == {}


@pytest.mark.parametrize("script", PORTABLE)
@pytest.mark.skipif(shutil.which("dash") is None, reason="no dash here")
def test_what_is_left_alone_is_read_by_dash(script: str) -> None:
    """Without a syntax error; nothing is run."""
    assert subprocess.run(("dash", "-n", "-c", script), capture_output=True, check=False).stderr == b""


def test_a_script_that_cannot_be_read_to_its_end_is_told_about_until_there() -> None:
    """`((` may be two subshells: where it cannot be told, nothing is said."""
    assert only_in_bash("source a\n((make; true) | cat)\n[[ b", frozenset()) == {"source": 0}


def test_values_of_ours_are_no_forms_of_the_shell() -> None:
    """`${a[0].b}` is ours, whatever the shell would think of it."""
    assert only_in_bash("echo ${a[0].b} ${a.c}", frozenset({"a"})) == {}


def noticed(text: str) -> list[tuple[int, int, str, str | None]]:
    """Return where, what and the mend of each notice."""
    found = workflow_notices(text.encode(), file="w.yaml")
    return [(notice.line, notice.column, notice.message, notice.hint) for notice in found]


MEND = "if bash is meant:  interpreter: bash"


@pytest.mark.parametrize("interpreter", ["", "interpreter: sh\n", "interpreter: dash -eu\n", "interpreter: /bin/sh\n"])
def test_a_script_for_sh_is_told_what_bash_alone_knows(interpreter: str) -> None:
    """All of it in one notice, at the first place."""
    text = f"{interpreter}commands:\n- shell: |\n    make\n    [[ a ]] && x=(1)\n"
    line = 4 + bool(interpreter)
    assert noticed(text) == [(line, 5, "not every sh knows [[ … ]] and arrays", MEND)]


@pytest.mark.parametrize(
    "interpreter", ["bash", "bash -euo pipefail", "/bin/bash", "/usr/bin/env bash", "zsh", "python3"]
)
def test_a_script_for_another_shell_is_that_shells(interpreter: str) -> None:
    """There is nothing to say."""
    assert noticed(f"interpreter: {interpreter}\ncommands:\n- shell: '[[ a ]] && x=(1)'\n") == []


def test_options_of_sh_are_told_too() -> None:
    """As if they were set in the script."""
    text = "commands:\n- shell: make\n  interpreter: sh -o pipefail\n"
    assert noticed(text) == [(2, 10, "not every sh knows set -o pipefail", MEND)]


def test_the_command_that_lists_items_is_told_too() -> None:
    """It is a script for `sh` as any."""
    text = "mode: mapreduce\nmap:\n  input: {command: 'cat <(ls)'}\n  agent_template: [{shell: 'echo ${item}'}]\n"
    hint = "put it into a file that bash runs"
    assert noticed(text) == [(3, 25, "not every sh knows <(…)", hint)]


@pytest.mark.parametrize(
    ("interpreter", "shell"),
    [
        ("sh", "sh"),
        ("bash -euo pipefail", "bash"),
        ("bash -e -O extglob --norc", "bash"),
        ("/bin/dash -eu", "dash"),
        ("/usr/bin/env bash -eu", "bash"),
        ("zsh -f", "zsh"),
        ("python3 -u", None),
        ("env python3", None),
        ("bash'", None),
    ],
)
def test_a_shell_is_known_with_its_options(interpreter: str, shell: str | None) -> None:
    """By its name, wherever it lies."""
    assert shell_of(interpreter) == shell


@pytest.mark.parametrize(
    ("interpreter", "taken"),
    [
        ("bash -c", "-c"),
        ("bash -ec", "-ec"),
        ("sh -s", "-s"),
        ("bash -eu script.sh", "script.sh"),
        ("bash -o pipefail script.sh", "script.sh"),
        ("bash --", "--"),
        ("dash -", "-"),
        ("env bash -c", "-c"),
        ("bash --rcfile rc script.sh", "script.sh"),
    ],
)
def test_an_option_that_takes_the_place_of_the_script_is_refused(interpreter: str, taken: str) -> None:
    """The script is ours to give."""
    mend = "name the shell and its options only, as in  interpreter: bash -euo pipefail"
    assert refused(interpreter) == (f"{taken!r} would take the place of the script", mend)


@pytest.mark.parametrize(
    "interpreter", ["bash", "bash -euo pipefail", "bash -x -o pipefail +e --norc --rcfile rc", "python3 -u", "ruby -n"]
)
def test_options_that_leave_the_script_alone_are_no_mistake(interpreter: str) -> None:
    """And what another program makes of its options is its own."""
    assert refused(interpreter) is None
