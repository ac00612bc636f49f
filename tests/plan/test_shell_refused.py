"""What is refused when a shell script with values is loaded, and the mend that is shown."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from prodigy.plan.reference import Lookup, Syntax
from prodigy.plan.shell.values import Rendered, Script, parse_script, render_script

NAMES = frozenset({"item", "n", "list", "output_dir", "f"})
VALUES: dict[str, Any] = {"item": "it's $x", "n": 3, "list": ["a b"], "output_dir": "out", "f": "file"}


def lookup_in(values: dict[str, Any]) -> Lookup:
    """Return the lookup of `values`."""
    return lambda name: (name in values, values.get(name))


def render(text: str, values: dict[str, Any] = VALUES, *, interpreter: str = "bash") -> Rendered:
    """Parse and render `text`."""
    return render_script(parse_script(text, NAMES, interpreter=interpreter), lookup_in(values))


def refusal(text: str, *, interpreter: str = "bash") -> tuple[str, str, str]:
    """Return where `text` is refused, as the text from there on, why, and the hint."""
    with pytest.raises(Syntax) as raised:
        parse_script(text, NAMES, interpreter=interpreter)
    return text[raised.value.offset :], raised.value.message, raised.value.hint or ""


def run(rendered: Rendered, folder: Path, *, shell: str = "sh") -> bytes:
    """Run `rendered` as the runtime does and return what it printed."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **rendered.variables}
    for name, content in rendered.files.items():
        (folder / name).write_bytes(content.encode())
        environment[name] = str(folder / name)
    done = subprocess.run([shell, "-c", rendered.script], env=environment, capture_output=True, check=False)
    assert b"" == done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "test -v ${item}",
        "[ ! -v '${item}' ]",
        "printf -v ${item} x",
        "printf -v${item} x",
        "read ${item}",
        "read -r -a ${item}",
        "read -p x ${item}",
        "unset ${item}",
        "unset -v 'a[${item}]'",
        "declare ${item}",
        "declare ${item}=1",
        "declare -n x=${item}",
        "declare -a x=${item}",
        "x=(1); declare x=${item}",
        "local -x ${item}",
        "export ${item}",
        'readonly "${item}"',
        "typeset ${item}",
        "mapfile ${item}",
        "readarray -t ${item}",
        "getopts ab ${item}",
        "wait -p ${item}",
        "wait ${item}",
        "[ -n x -a -v ${item} ]",
        "for ${item} in a; do :; done",
        "${item}=1",
        "a${item}+=1",
        "\\read ${item}",
        "command read ${item}",
        "! builtin unset ${item}",
        "x=1 >f read ${item}",
        "if true; then read ${item}; fi",
        "if read ${item}; then :; fi",
        "case x in (x) read ${item};; esac",
        "(read ${item})",
        "echo $(read ${item})",
        "echo `read ${item}`",
        "f() { read ${item}; }",
        "function f { read ${item}; }",
        "ls | while read ${item}; do :; done",
        "2>x read ${item}",
    ],
)
def test_a_value_is_never_the_name_of_a_variable(text: str) -> None:
    """bash would run `a[$(…)]`."""
    place, message, hint = refusal(text)
    assert place.startswith("${item}")
    assert "the shell would evaluate it" in message
    assert "write the variable's name in the script: x=${item}" == hint


@pytest.mark.parametrize("text", ["[ ${f} ${item} ]", "test '${f}' ${item}", "[ ! ${f} ${item} ]"])
def test_a_value_behind_a_value_is_no_operand_of_test(text: str) -> None:
    """The first could be `-v`."""
    assert refusal(text)[0].startswith("${item}")


@pytest.mark.parametrize("text", ["printf ${f} x", 'printf "${f}\\n" ${item}', "printf '${f}' x"])
def test_a_value_is_no_format_with_arguments(text: str) -> None:
    """It could be `-va[$(reboot)]`, and `x` the format."""
    place, _, hint = refusal(text)
    assert place.startswith("${f}")
    assert "write printf -- in front of it" == hint


def test_a_value_that_begins_with_a_dash_is_harmless_behind_two(tmp_path: Path) -> None:
    """And a format of its own is no danger either."""
    values = {"item": "-va[$(echo RUN)]", "f": "-v"}
    text = "printf -- ${item} x; printf %s ${item} ${f}; [ x = ${item} ] || [ -n ${f} ] && echo"
    assert b"-va[$(echo RUN)]-va[$(echo RUN)]-v\n" == run(render(text, values), tmp_path, shell="bash")


@pytest.mark.parametrize(
    ("text", "interpreter"),
    [
        ("echo $[${item}]", "bash"),
        ("echo $'${item}'", "sh"),
        ("cat <<${item}", "sh"),
        ("cat <<E\n${x#${item}}\nE", "sh"),
        ("cat <<E\na\\\nE\n${item}", "sh"),
        ("cat <<E\n\\\nE\n${item}", "sh"),
        ('echo "${x/a/${item}}"', "bash"),
        ("echo `echo \\$x ${item}`", "sh"),
        ("echo $((echo ${item}) | cat)", "sh"),
        ("echo `echo $(cat <<'E'\n${item}\nE\n)`", "sh"),
        ('cat <<E\n${x:-"${item}"}\nE', "sh"),
        ("cat <<E\n${x:-${y#${item}}}\nE", "sh"),
        ('echo "${x/a/${y:-${item}}}"', "bash"),
        ("coproc cat ${item}", "bash"),
        ("[[ a =~ ${item} ]]", "zsh"),
        ("echo ${item} 'unclosed", "sh"),
        ('echo ${item} "unclosed', "sh"),
        ("echo ${item} $(unclosed", "sh"),
        ("echo ${item} ${x:-unclosed", "sh"),
        ("cat <<E\n${item}\n", "sh"),
        ("case x in a) echo ${item}", "sh"),
        ("echo ${item} )", "sh"),
        ("'${item:-it's}'", "sh"),
    ],
)
def test_what_the_scanner_cannot_tell_is_refused_with_the_way_out(text: str, interpreter: str) -> None:
    """The environment always works."""
    _, _, hint = refusal(text, interpreter=interpreter)
    assert hint.endswith('give the value by the environment: env: {FILE: "${item}"} and "$FILE" in the script')


def test_a_shell_form_of_a_name_of_ours_is_refused_with_the_mend() -> None:
    """`${item%.js}` would be empty."""
    expected = (
        "${item%.js}",
        "${item%.js} is a shell form, but 'item' is no shell variable",
        'f=${item}; echo "${f%.js}"',
    )
    assert expected == refusal("echo ${item%.js}")


@pytest.mark.parametrize("name", ["outptu_dir", "output_di", "output_dirs", "output_dur", "Output_dir"])
def test_an_unknown_name_one_letter_off_is_refused(name: str) -> None:
    """`rm -rf ${outptu_dir}/x` must never become `/x`."""
    place, message, hint = refusal(f'rm -rf "${{{name}}}"/x')
    assert f'${{{name}}}"/x' == place
    assert f"${{{name}}} is neither ours nor assigned in the script nor in the environment" == message
    assert f"did you mean ${{output_dir}}? a variable of the shell's own is ${name}" == hint


@pytest.mark.parametrize(
    "text",
    [
        "outptu_dir=x; echo ${outptu_dir}",
        "read outptu_dir; echo ${outptu_dir}",
        "for outptu_dir in a; do echo ${outptu_dir}; done",
        "export outptu_dir=1; echo ${outptu_dir}",
        "echo ${outptu_dir:=x} ${outptu_dir}",
        "((outptu_dir = 1)); echo ${outptu_dir}",
        "printf -v outptu_dir x; echo ${outptu_dir}",
        "echo ${OUTPUT_DIR} ${other_dir} ${in}",
    ],
)
def test_a_name_that_the_script_assigns_or_that_is_not_near_is_the_shells(text: str) -> None:
    """However it is assigned."""
    assert Rendered(script=text) == render(text)


def test_a_name_in_the_environment_is_the_shells() -> None:
    """Even one letter from a name of ours."""
    script = parse_script("echo ${output_dirs}", NAMES, environment=frozenset({"output_dirs"}))
    assert Script(pieces=("echo ${output_dirs}",)) == script


@pytest.mark.parametrize(
    "text",
    [
        "item=x; echo ${item}",
        "for item in a; do echo ${item}; done",
        "while read -r item; do echo ${item}; done",
        "echo ${item}; local item=1",
        "let item=1; echo ${item}",
        "echo $((item += 1)) ${item}",
        "x=$(item=1); echo '${item}'",
        "getopts a item; echo ${item}",
        "printf -v item x; echo ${item}",
        "wait -p item; echo ${item}",
        "set -A item a b; echo ${item}",
        "export item=x; echo ${item}",
        "readonly item=x; echo ${item}",
        "declare item; echo ${item}",
    ],
)
def test_a_script_that_assigns_a_name_of_ours_and_uses_it_is_refused(text: str) -> None:
    """Which of the two it means cannot be known."""
    place, message, hint = refusal(text)
    assert place.startswith("${item}")
    assert "the script assigns item, and ${item} is the workflow's value" == message
    assert "give the variable of the shell another name, or write $item" == hint


@pytest.mark.parametrize(
    "text",
    [
        "printf item; echo ${item}",
        "printf -v x item; echo ${item}",
        "wait item; echo ${item}",
        "set item; echo ${item}",
        "export item; echo ${item}",
        "getopts item a; echo ${item}",
    ],
)
def test_a_name_of_ours_that_a_command_only_mentions_is_not_assigned(text: str) -> None:
    """It is a word like any other there."""
    assert "item" in render(text).script


def test_a_script_may_assign_a_name_of_ours_that_it_does_not_use() -> None:
    """`$item` is the shell's."""
    assert Rendered(script="item=1; echo $item") == render("item=1; echo $item")


def test_a_script_may_assign_a_name_of_ours_and_use_it_with_a_filter() -> None:
    """No shell has `${item|raw}`."""
    assert Rendered(script="item=1; it's $x") == render("item=1; ${item|raw}")


def test_a_here_document_belongs_to_no_word_behind_it() -> None:
    """The next word is a command's name as ever, and its arguments are looked at."""
    assert "${n}" == refusal("cat <<'E'\n${item}\nE\nread ${n}")[0]


def test_a_script_of_very_many_pieces_is_refused() -> None:
    """So that no text at all can take long to read."""
    assert "the script has more than 150000 pieces of syntax" == refusal("${item} " + "'x'" * 150_001)[1]


def test_very_many_references_are_refused() -> None:
    """Each is a variable of its own."""
    assert "the script has more than 10000 references" == refusal("echo" + " ${item}" * 10_001)[1]


def test_nesting_over_50_levels_is_refused() -> None:
    """And never a RecursionError."""
    deep = ["$(" * 100_000, "${x:-" * 100_000, "$((" * 100_000, "( " * 100_000, "case x in x) " * 100_000]
    messages = {refusal(text + "${item}")[1] for text in deep}
    assert {"the script nests deeper than 50 levels"} == messages


def test_forty_levels_are_fine(tmp_path: Path) -> None:
    """Nesting that somebody could read."""
    text = "echo x" + '"$(echo ' * 20 + "${n}" + ')"' * 20
    assert b"x3\n" == run(render(text), tmp_path)


# Other interpreters.


def test_other_interpreters_get_values_by_the_environment() -> None:
    """Their quoting is not known here."""
    hint = 'env: {NAME: "${item}"}, and read NAME from the environment; ${item|raw} splices'
    assert ("${item})", "${item} in text that no shell reads", hint) == refusal("print(${item})", interpreter="python3")


def test_other_interpreters_get_raw_text_and_keep_their_own_forms() -> None:
    """`${x.y}` is JavaScript's."""
    text = "`${x.y} ${item + 1} $${cost} $${item}`; ${item|raw} > 1"
    assert Rendered(script="`${x.y} ${item + 1} $${cost} ${item}`; it's $x > 1") == render(text, interpreter="node")
