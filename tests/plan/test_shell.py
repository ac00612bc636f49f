"""Shell scripts with values: what is rendered, what is refused, what is noticed."""

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from prodigy.plan.reference import Lookup, Syntax
from prodigy.plan.shell.values import (
    Notice,
    Rendered,
    Script,
    Unrenderable,
    command_words,
    notices,
    parse_script,
    references,
    render_script,
)

NAMES = frozenset({"item", "n", "list", "output_dir", "empty", "data", "f"})
VALUES: dict[str, Any] = {
    "item": "it's $x",
    "n": 3,
    "list": ["a b", 2, None],
    "output_dir": "out",
    "empty": [],
    "data": {"k": [1]},
    "f": "file",
}


def lookup_in(values: dict[str, Any]) -> Lookup:
    """Return the lookup of `values`."""
    return lambda name: (name in values, values.get(name))


def render(text: str, values: dict[str, Any] = VALUES, *, interpreter: str = "bash") -> Rendered:
    """Parse and render `text`."""
    return render_script(parse_script(text, NAMES, interpreter=interpreter), lookup_in(values))


def script_of(text: str, *, interpreter: str = "bash") -> str:
    """Return the rendered script, with the variables' common prefix cut to `V`."""
    return render(text, interpreter=interpreter).script.replace("PRODIGY_VALUE_", "V")


def run(rendered: Rendered, folder: Path, *, shell: str = "sh") -> bytes:
    """Run `rendered` as the runtime does and return what it printed."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **rendered.variables}
    for name, content in rendered.files.items():
        (folder / name).write_bytes(content.encode())
        environment[name] = str(folder / name)
    done = subprocess.run([shell, "-c", rendered.script], env=environment, capture_output=True, check=False)
    assert b"" == done.stderr
    return done.stdout


# How values travel.


def test_a_value_stands_beside_the_script() -> None:
    """The script only refers to a variable, whatever the value is."""
    expected = Rendered(script='rm -- "${PRODIGY_VALUE_1}"', variables={"PRODIGY_VALUE_1": "it's $x"})
    assert expected == render("rm -- ${item}")


def test_a_reference_used_twice_travels_once() -> None:
    """Equal references share a variable, different ones do not."""
    rendered = render("echo ${item} ${n} '${item}'")
    assert {"PRODIGY_VALUE_1": "it's $x", "PRODIGY_VALUE_2": "3"} == rendered.variables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo ${item}", 'echo "${V1}"'),
        ('echo "a ${item}"', 'echo "a ${V1}"'),
        ("echo 'a ${item} b'", "echo 'a '\"${V1}\"' b'"),
        ("echo $'a\\n${item}'", "echo $'a\\n'\"${V1}\"$''"),
        ("x=${item}", 'x="${V1}"'),
        ("cat > ${item}", 'cat > "${V1}"'),
        ("cat <<< ${item}", 'cat <<< "${V1}"'),
        ("case ${item} in ${f}) ;; esac", 'case "${V1}" in "${V2}") ;; esac'),
        ("[[ $a == ${item}* ]]", '[[ $a == "${V1}"* ]]'),
        ("[[ $a =~ ^${item}$ ]]", '[[ $a =~ ^"${V1}"$ ]]'),
        ("${item} --version", '"${V1}" --version'),
        ("echo `cat ${item}`", 'echo `cat "${V1}"`'),
        ('echo "$(cat ${item})"', 'echo "$(cat "${V1}")"'),
        ('echo "${x:-${item}}"', 'echo "${x:-${V1}}"'),
        ("echo ${x:-${item}}", 'echo ${x:-"${V1}"}'),
        ('echo "${x#${item}}"', 'echo "${x#"${V1}"}"'),
        ("cat <<E\n${item}\nE", "cat <<E\n${V1}\nE"),
        ("cat <<'E'\n$x ${item}\nE", "cat <<E\n\\$x ${V1}\nE"),
        ("cat <<'a b'\n${item}\nPRODIGY_END_0\na b", "cat <<PRODIGY_END_1\n${V1}\nPRODIGY_END_0\nPRODIGY_END_1"),
        ("cat <<'E'\n$x\nE", "cat <<'E'\n$x\nE"),
        ("# it's ${item}\necho ${f}", '# it\'s ${item}\necho "${V1}"'),
        ("let x=${n}", 'let x="${V1}"'),
        ("a[${n}]=1", 'a["${V1}"]=1'),
        ("echo ${a[${n}]} ${x:${n}:1}", "echo ${a[${V1}]} ${x:${V1}:1}"),
        ("echo $((x + ${n}))", "echo $((x + ${V1}))"),
        ("for ((i = 0; i < ${n}; i++)); do :; done", "for ((i = 0; i < ${V1}; i++)); do :; done"),
        ("read -p ${item} x", 'read -p "${V1}" x'),
        ("printf -v x ${item}", 'printf -v x "${V1}"'),
        ("export X=${item}", 'export X="${V1}"'),
        ("curl -d item=${item}", 'curl -d item="${V1}"'),
    ],
)
def test_a_reference_is_quoted_for_its_place(text: str, expected: str) -> None:
    """One context each; the property test proves what the shells make of them."""
    assert expected == script_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "echo ${x} ${#y} ${x%.py} ${x:0:3} ${1} ${a[@]} ${x:-y} $x $(ls) $((1 + 2)) ${!p} ${x@Q}",
        "cat <<'E'\n${x} `y`\nE\necho '${x}' \"${y}\" > z",
        "case $x in a|b) ;; (c) ;; esac; f() { echo }; }; [[ a < b ]]",
        "an unclosed ' quote is the shell's to complain about > x ${x}",
    ],
)
def test_what_is_the_shells_own_is_left_untouched(text: str) -> None:
    """A script without references of ours is the author's text, even one that no shell can read."""
    assert Rendered(script=text) == render(text)


def test_a_list_unquoted_and_alone_is_one_word_for_each_element() -> None:
    """Elsewhere it is compact JSON."""
    rendered = render("echo ${list} x${list}")
    variables = {"1_1": "a b", "1_2": "2", "1_3": "", "1": '["a b",2,null]'}
    script = "echo $1_1 $1_2 $1_3 x$1"
    for number in ("1_1", "1_2", "1_3"):
        script = script.replace(f"${number}", f'"${{PRODIGY_VALUE_{number}}}"')
    script = script.replace("x$1", 'x"${PRODIGY_VALUE_1}"')
    expected = Rendered(script=script, variables={f"PRODIGY_VALUE_{n}": text for n, text in variables.items()})
    assert expected == rendered


@pytest.mark.parametrize(
    "text",
    [
        "> ${list}",
        "x=${list}",
        "case ${list} in ${list}) ;; esac",
        "[[ ${list} ]]",
        "echo '${list}'",
        "${list}.x",
        "[ ${list} ]",
        "read -p ${list} x",
        "printf ${list}",
    ],
)
def test_a_list_is_json_where_it_cannot_be_words(text: str) -> None:
    """Redirections, assignments, `case` and `[[` take one word; in `[` two could be `-v` and a name."""
    assert {"PRODIGY_VALUE_1": '["a b",2,null]'} == render(text).variables


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_an_empty_list_is_no_word(shell: str, tmp_path: Path) -> None:
    """And still one for the grammar: a command of it alone succeeds."""
    text = "set -- a ${empty} b; echo $#; for i in ${empty}; do echo no; done; ${empty} && echo ok"
    assert b"2\nok\n" == run(render(text, interpreter=shell), tmp_path, shell=shell)


def test_a_mapping_alone_is_one_json_word() -> None:
    """Mappings are never words."""
    assert {"PRODIGY_VALUE_1": '{"k":[1]}'} == render("echo ${data}").variables


def test_raw_splices_text() -> None:
    """A parameter that is code."""
    assert Rendered(script="echo it's $x | sh") == render("echo ${item|raw} | sh")


def test_a_quoted_here_document_has_no_code_to_splice_into(tmp_path: Path) -> None:
    """There `raw` is text like any other."""
    rendered = render("cat <<'E'\n${item|raw} ${n}\nE", {"item": "$(echo RUN) `x`", "n": 1})
    assert b"$(echo RUN) `x` 1\n" == run(rendered, tmp_path)


def test_two_dollars_write_a_literal_reference(tmp_path: Path) -> None:
    """In every kind of quoting the script's world sees `${item}`."""
    words = "printf '%s,' $${item} \"$${item}\" '$${item}' \"$(echo $${item})\""
    text = words + "; cat <<E; cat <<'E'\n$${item}\nE\n$${item}\nE\n"
    assert b"${item}," * 4 + b"${item}\n" * 2 == run(render(text), tmp_path)


def test_a_script_survives_json() -> None:
    """The plan keeps scripts as JSON."""
    script = parse_script("echo ${item:-a ${n}} '${list}' > x", NAMES)
    assert script == msgspec.json.decode(msgspec.json.encode(script), type=Script)


def test_references_include_those_in_defaults() -> None:
    """In the order of the text, an inner one after its outer."""
    script = parse_script("echo ${item:-${n:-${f}} ${list}} ${data}", NAMES)
    assert ["item", "n", "f", "list", "data"] == [reference.path[0] for reference in references(script)]


def test_references_that_name_a_command_are_known() -> None:
    """A command that is not found may have come from a variable with blanks."""
    script = parse_script("x=1 ${item} ${n} && command ${f}", NAMES)
    assert ["item", "f"] == [reference.path[0] for reference in command_words(script)]


# Large values.


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_large_value_is_loaded_from_a_file_byte_for_byte(shell: str, tmp_path: Path) -> None:
    """Trailing newlines included; it is not exported, so programs still start; line numbers hold."""
    value = "é'\"\\$(x)" * 20_000 + "\n\n"
    rendered = render(
        '#!/bin/sh\nprintf %s "${item}"\nenv | grep -c ^PRODIGY_VALUE_1=', {"item": value}, interpreter=shell
    )
    assert {"PRODIGY_VALUE_1_FILE": value} == rendered.files
    assert {} == rendered.variables
    assert 2 == rendered.script.count("\n")
    folder = tmp_path
    environment = {"PATH": "/usr/bin:/bin", "PRODIGY_VALUE_1": "of an outer run", "LC_ALL": "C.UTF-8"}
    (folder / "value").write_text(value)
    environment["PRODIGY_VALUE_1_FILE"] = str(folder / "value")
    done = subprocess.run([shell, "-c", rendered.script], env=environment, capture_output=True, check=False)
    assert (value.encode() + b"0\n", b"") == (done.stdout, done.stderr)


def test_a_value_of_just_100_kib_stays_in_the_environment() -> None:
    """The limit is of the value and its variable's name together, in bytes."""
    value = "é" * (50 * 1024 - 8)
    assert {"PRODIGY_VALUE_1": value} == render("echo ${item}", {"item": value}).variables


def test_many_values_do_not_overflow_the_environment() -> None:
    """Over 512 KiB together the rest goes through files."""
    values = {f"v{number}": "x" * 90_000 for number in range(10)}
    script = parse_script(" ".join(f"${{{name}}}" for name in values), frozenset(values))
    rendered = render_script(script, lookup_in(values))
    assert (5, 5) == (len(rendered.variables), len(rendered.files))


def test_a_list_too_large_for_words_is_refused_with_a_way_out() -> None:
    """A path to a file with one element per line always works."""
    with pytest.raises(Unrenderable) as raised:
        render("for i in ${list}; do :; done", {"list": ["x" * 50] * 50_000})
    assert "${list|lines|file}" in str(raised.value)


def test_the_file_filter_gives_the_path_of_a_file(tmp_path: Path) -> None:
    """Of any size, and NUL is no obstacle."""
    rendered = render('cat "${item|file}"', {"item": "a\0b\n"})
    assert Rendered(script='cat "${PRODIGY_VALUE_1}"', files={"PRODIGY_VALUE_1": "a\0b\n"}) == rendered
    assert b"a\0b\n" == run(rendered, tmp_path)


# Values that cannot be given.


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_a_value_that_no_variable_can_hold_names_its_reference(value: str) -> None:
    """NUL and half characters."""
    with pytest.raises(Unrenderable) as raised:
        render("echo ${item}", {"item": value})
    assert str(raised.value).startswith("${item} holds ")


EVALUATED = [
    "echo $((${item}))",
    'echo $(("${item}" + 1))',
    "echo $((${x:-${item}}))",
    "((x = ${item}))",
    "for ((i = ${item};;)); do :; done",
    "let x=${item}",
    "let 'x=${item}'",
    "a[${item}]=1",
    "a=([${item}]=1)",
    "echo ${a[${item}]}",
    'echo "${a[${item}]}"',
    "echo ${x:${item}}",
    "echo ${x:0:${item}}",
    "[[ ${item} -eq 3 ]]",
    "[[ 3 -lt '${item}' ]]",
    "[[ -v ${item} ]]",
    "declare -i x=${item}",
    "declare -i x; x=${item}",
    "typeset -ri x=${item}",
    "declare -ai x=(${item})",
    "RANDOM=${item}",
    "declare -i x; x[0]=${item}",
    "declare -i x; for x in ${item}; do :; done",
    "declare -i x; : ${x:=${item}}",
    "declare -i x; export x=${item}",
    "printf -v RANDOM %s ${item}",
]


@pytest.mark.parametrize("text", EVALUATED)
@pytest.mark.parametrize("value", ["a[$(reboot)]", "", "1+1", "08", "9223372036854775808", " 1", "x", "1\n", "١"])
def test_what_the_shell_evaluates_must_be_an_integer(text: str, value: str) -> None:
    """bash runs `a[$(reboot)]` in all of these places."""
    script = parse_script(text, NAMES, interpreter="bash")
    with pytest.raises(Unrenderable):
        render_script(script, lookup_in({"item": value}))


@pytest.mark.parametrize("text", EVALUATED)
@pytest.mark.parametrize("value", ["0", "-12", 7, 3.0, "9223372036854775807"])
def test_integers_are_passed_where_the_shell_evaluates(text: str, value: object) -> None:
    """As authors mean it."""
    assert 1 == len(render(text, {"item": value}).variables)


def test_a_negative_integer_does_not_decrement(tmp_path: Path) -> None:
    """`x-${n}` with -3 is no `x--3`."""
    assert b"13\n" == run(render("x=10; echo $((x-${n}))", {"n": -3}), tmp_path, shell="bash")


# What zsh and ksh evaluate besides.


@pytest.mark.parametrize("text", ["[ ${item} -eq 3 ]", "printf '%d' ${item}", "shift ${item}", "echo $x[${item}]"])
def test_zsh_evaluates_wherever_it_expects_a_number(text: str) -> None:
    """bash does not, there."""
    with pytest.raises(Unrenderable):
        render(text, interpreter="zsh")
    assert 1 == len(render(text, interpreter="bash").variables)


# Redirections of stdout.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("find . > files.txt", True),
        ("make 1>>log", True),
        ("make &> log", True),
        ("(make >| log)", True),
        ("if x; then make > ${item}; fi", True),
        ("make 2> log", False),
        ("make >&2", False),
        ("make > /dev/null", False),
        ("x=$(make > log)", False),
        ("echo '>' \"> x\" \\> # > y", False),
        ("[[ a > b ]]", False),
        ("((a > b))", False),
        ("make > >(tee log)", False),
        ("cat <<E\n> x\nE", False),
    ],
)
def test_a_redirection_of_stdout_to_a_file_is_known(text: str, expected: bool) -> None:
    """An empty capture is then no surprise."""
    assert expected is parse_script(text, NAMES, interpreter="bash").redirects_stdout


# Notices.


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("eval ${item}", "eval"),
        ('eval "x ${item}"', "eval"),
        ("trap 'rm ${item}' EXIT", "trap"),
        ('sh -c "rm ${item}"', "sh -c"),
        ("sudo /bin/bash -ec '${item}'", "bash -c"),
        ('ls | xargs -I{} sh -c "${item}"', "sh -c"),
        ("find . -exec sh -c 'x ${item}' \\;", "sh -c"),
        ("ssh -p 22 host rm ${item}", "ssh"),
        ("python3 -c \"print('${item}')\"", "python3 -c"),
        ("perl -ne 'print ${item}'", "perl -e"),
        ('sed "s/${item}/x/" f', "sed"),
        ('sed -e "s/${item}/x/" f', "sed -e"),
        ("awk -F: '{print ${item}}' f", "awk"),
    ],
)
def test_a_reference_in_code_is_noticed(text: str, code: str) -> None:
    """There the value becomes code, and the safe form is shown."""
    script = parse_script(text, NAMES, interpreter="bash")
    found = [(notice.offset, notice.message) for notice in notices(script, lookup_in({}))]
    assert [(text.index("${item}"), f"${{item}} becomes part of the code that {code!r} runs")] == found


@pytest.mark.parametrize(
    "text",
    [
        "sh -c 'echo \"$1\"' sh ${item}",
        "ssh ${item} ls",
        "sed -e s/a/b/ ${item}",
        "sed s/a/b/ ${item}",
        "awk -v x=${item} '{print x}'",
        "python script.py ${item}",
        'eval "$(cat ${item})"',
        "bash ${item}",
        "echo eval; cat ${item}",
    ],
)
def test_an_argument_that_is_no_code_is_not_noticed(text: str) -> None:
    """Warnings that are always there are not read."""
    assert [] == notices(parse_script(text, NAMES, interpreter="bash"), lookup_in({}))


def test_text_of_the_workflow_with_blanks_that_stands_unquoted_is_noticed() -> None:
    """It is one word, which its author may not expect; quoted, or in a list, all is clear."""
    variables = {"item": "a b", "n": "*.py", "f": "plain", "list": ["a b"]}
    script = parse_script('echo ${item} "${item}" ${f} ${list} ${output_dir} x${item}', NAMES)
    expected = Notice(
        offset=5,
        message="${item} is one word here, blanks, globs and all",
        hint='quote it, "${item}", or make item a list: [first, second] is two words',
    )
    assert [expected] == notices(script, lookup_in(variables))


# Cost.


@pytest.mark.parametrize(
    "unit",
    ["'", '"', "`", "$(", "${x:-", "${item} ", "${itemz} ", "<<A\n", "$[", "a=(", "[[ ", "\\", "a ", "$", "`a`", "(("],
)
def test_a_large_hostile_script_is_read_in_linear_time(unit: str) -> None:
    """256 KiB of one construct; the time allowed is many times what it takes."""
    started = time.process_time()
    with contextlib.suppress(Syntax):
        parse_script("${item} " + unit * (256 * 1024 // len(unit)), NAMES, interpreter="bash")
    assert time.process_time() - started < 1
