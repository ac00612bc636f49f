"""Whatever a value is and wherever it stands, dash and bash get it byte for byte and never run it.

Random scripts are put together from templates, one for each context the scanner knows; in each template `@` is
a reference to a value of its own. A script is parsed as a whole, so that a construct misread in one template
would spoil those behind it, and is run by both shells.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prodigy.plan.reference import Syntax
from prodigy.plan.shell.values import parse_script, references, render_script

NAMES = frozenset(f"item_{number}" for number in range(8))

HOSTILE = [
    *"'\"`$\\*?~!#&|<>()={}%^,/ab \t\n\r\x01\x07\x7f\x81é日\u0300\U0001f600",
    *("\n\n", "[a]", "-rf", "--", "$(touch $CANARY)", "`touch $CANARY`", "; touch $CANARY;", "${item_0}", "$HOME"),
    *("EOF", "\nEOF\n", "\x1b[31m"),
]

Expected = Callable[[str], str]


def word(value: str) -> str:
    """What `p` prints for one argument."""
    return value + "\0"


SHARED: list[tuple[str, Expected]] = [
    ("p @", word),
    ("p '' @ \"\"", lambda v: word("") + word(v) + word("")),
    ("p a@b", lambda v: word(f"a{v}b")),
    ('p "@"', word),
    ('p "it\'s @ \\"here\\" \\$x"', lambda v: word(f'it\'s {v} "here" $x')),
    ("p '@'", word),
    ("p 'a \" $x @ \\'@", lambda v: word(f'a " $x {v} \\{v}')),
    ("p \\'@\\\"", lambda v: word(f"'{v}\"")),
    ("p $nothing@'@'\"@\"", lambda v: word(v * 3)),
    ('p "$(printf %s_ @)"', lambda v: word(f"{v}_")),
    ("p \"$(printf '%s_' \"@\" '@')\"", lambda v: word(f"{v}_{v}_")),
    ('p "$(printf %s_ "$(printf %s_ @)")"', lambda v: word(f"{v}__")),
    ('p "$(case x in (y) ;; x) printf %s_ @;; esac)"', lambda v: word(f"{v}_")),
    ("p \"$(# it's a comment )\nprintf %s_ @)\"", lambda v: word(f"{v}_")),
    ('p "`printf %s_ @`"', lambda v: word(f"{v}_")),
    ("x=`printf '%s_' '@'`; p \"$x\"", lambda v: word(f"{v}_")),
    ('p "a`printf %s_ "@"`"', lambda v: word(f"a{v}_")),
    ('x=@; p "$x"', word),
    ('x=a@"b @" y=; p "$x"', lambda v: word(f"a{v}b {v}")),
    ("x=@ sh -c 'printf \"%s\\0\" \"$x\"'", word),
    ('export x=@; p "$x"', word),
    ('f() { local y=@; p "$y"; }; f', word),
    ("f() { p @ \"$1\"; }; f @", lambda v: word(v) * 2),
    ("cat <<EOF\na @ \"'\nEOF", lambda v: f"a {v} \"'\n"),
    ("cat <<EOF; p @\n@\nEOF", lambda v: f"{v}\n{word(v)}"),
    ("cat <<A; cat <<'B'\n@\nA\n@ $x\nB", lambda v: f"{v}\n{v} $x\n"),
    ("cat <<-EOF\n\t@\n\t\tx\n\tEOF", lambda v: f"{v}\nx\n"),
    ("cat <<'EOF'\n$x `y` \\ @ \\$z \\\\\nEOF", lambda v: f"$x `y` \\ {v} \\$z \\\\\n"),
    ("cat <<'E F'\n@\nE\nE F", lambda v: f"{v}\nE\n"),
    ("cat <<-\\EOF\n\t$(x) @\n\tEOF", lambda v: f"$(x) {v}\n"),
    ("cat <<EOF\n$(printf %s_ \"@\")\nEOF", lambda v: f"{v}_\n"),
    ("cat <<EOF\n${nothing:-@}\nEOF", lambda v: f"{v}\n"),
    ('p "$(cat <<EOF\n@_\nEOF\n)"', lambda v: word(f"{v}_")),
    ("case @ in @) p yes;; *) p no;; esac", lambda _: word("yes")),
    ("case a@ in b|a@) p yes;; *) p no;; esac", lambda _: word("yes")),
    ('case "x" in @) p yes;; x) p no;; esac', lambda v: word("yes" if v == "x" else "no")),
    ("case x in x) case @ in (@) p @; esac; p y;; esac", lambda v: word(v) + word("y")),
    ("for i in @ x; do p \"$i\"; done", lambda v: word(v) + word("x")),
    ('p "${nothing:-@}"', word),
    ("p ${nothing:-a@}", lambda v: word(f"a{v}")),
    ("x=1; p \"${x:+a@}\" ${x:+'@'}", lambda v: word(f"a{v}") + word(v)),
    ('w=a@b; p "${w#a@}" ${w#a@}', lambda _: word("b") * 2),
    ("w=a@; p \"${w%'@'}\"", lambda _: word("a")),
    ('unset w; p "${w=@}" "$w"', lambda v: word(v) * 2),
    ("if [ x@ = x@ ]; then p yes; fi", lambda _: word("yes")),
    ("{ p @; } && ! (p @; false) || p no", lambda v: word(v) * 2),
    ("# don't @ `\np ok", lambda _: word("ok")),
    ("p x#@ # @ '", lambda v: word(f"x#{v}")),
    ("p \\\n  @\\\n  x", lambda v: word(v) + word("x")),
    ("while p @; do break; done", word),
    ("p @ 2>/dev/null </dev/null", word),
    ("echo x >/dev/null; p $((1 + 2)) @", lambda v: word("3") + word(v)),
    ('p "$${name}" $${name} \'$${name}\' @', lambda v: word("${name}") * 3 + word(v)),
    ('set -- @ @; p "$#" "$2"', lambda v: word("2") + word(v)),
    ("p @ | cat", word),
    ("eval 'p \"$1\"' 2>/dev/null; p @", lambda v: word("") + word(v)),
]  # fmt: skip

BASH: list[tuple[str, Expected]] = [
    ("p $'a\\'@\\n'", lambda v: word(f"a'{v}\n")),
    ("[[ x@ == x@ ]] && p yes", lambda _: word("yes")),
    ("[[ x@y =~ ^x@y$ ]] && p yes", lambda _: word("yes")),
    ("[[ ( -n x@ || 1 -eq 2 ) && x@ != y ]] && p yes", lambda _: word("yes")),
    ('a=(@ "@" \'x\'); p "${#a[*]}" "${a[1]}"', lambda v: word("3") + word(v)),
    ("cat <<< @", lambda v: f"{v}\n"),
    ("cat <(p @)", word),
    ("p ${nothing:-x}@ ${nothing/./@}{@,y}", lambda v: word(f"x{v}") + word(v) + word("y")),
    ("(( 1 < 2 )) && p @", word),
    ("for ((i = 0; i < 1; i++)); do p @; done", word),
    ("function g { p @; }; g", word),
    ('declare q=@; p "$q"', word),
    ("printf -v q '%s_' @; p \"$q\"", lambda v: word(f"{v}_")),
    ('s=${nothing//x/@}; p @ &> /dev/null; p @', word),
]  # fmt: skip

values = st.lists(st.sampled_from(HOSTILE), max_size=6).map("".join)


def run(shell: str, templates: list[tuple[tuple[str, Expected], str]], folder: Path) -> tuple[bytes, bytes]:
    """Return what `shell` printed and what it should have printed."""
    lines = [template.replace("@", f"${{item_{n}}}") for n, ((template, _), _) in enumerate(templates)]
    text = "p() { printf '%s\\0' \"$@\"; }\n" + "\nset --\n".join(lines) + "\n"
    values = {f"item_{n}": value for n, (_, value) in enumerate(templates)}
    script = parse_script(text, NAMES, interpreter=shell)
    rendered = render_script(script, lambda name: (name in values, values.get(name)))
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "CANARY": str(folder / "canary")}
    done = subprocess.run(
        [shell, "-c", rendered.script],
        env=environment | rendered.variables,
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert b"" == done.stderr
    return done.stdout, "".join(expected(value) for (_, expected), value in templates).encode()


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_each_context_passes_a_value_full_of_quotes(shell: str, tmp_path: Path) -> None:
    """Every template alone, so that a failure names its context."""
    value = "a  'b\" $(touch $CANARY) `touch $CANARY` \\ * } ) \n\n"
    wrong = []
    for template in SHARED + (BASH if shell == "bash" else []):
        printed, expected = run(shell, [(template, value)], tmp_path)
        if printed != expected:
            wrong.append((template[0], printed))
    assert [] == wrong
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("shell", ["dash", "bash"])
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_random_script_passes_every_value_byte_for_byte(shell: str, data: st.DataObject, tmp_path: Path) -> None:
    """Up to eight templates in one script, each with a hostile value of its own."""
    templates = st.sampled_from(SHARED + (BASH if shell == "bash" else []))
    chosen = data.draw(st.lists(st.tuples(templates, values), min_size=1, max_size=8))
    printed, expected = run(shell, chosen, tmp_path)
    assert expected == printed
    assert [] == list(tmp_path.iterdir())


SYNTAX = [
    *(
        "${item_0}",
        "${x",
        "$(",
        ")",
        "((",
        "))",
        "`",
        "'",
        '"',
        "\\",
        "\n",
        " ",
        "<<E",
        "<<'E'",
        "\nE\n",
        "case x in",
        ";;",
    ),
    *(
        "esac",
        "[[",
        "]]",
        "${x:-",
        "}",
        "${x#",
        "{",
        "#",
        "$'",
        "a=(",
        "a[",
        "]=",
        ">",
        "&",
        "|",
        "$((",
        "for i in",
        "x=",
    ),
    *("declare -i", "read", "$${", "${item_0|raw}", "$[", "<(", "@(", "function f", "()", "let", "-eq"),
]


@settings(max_examples=400, deadline=None)
@given(
    parts=st.lists(st.sampled_from(SYNTAX), max_size=40),
    interpreter=st.sampled_from(["sh", "bash", "dash", "zsh", "ksh"]),
)
def test_any_text_is_read_or_refused(parts: list[str], interpreter: str) -> None:
    """Pieces of syntax in any order give a script that renders back to the text, or a refusal with a place."""
    text = " ".join(parts)
    try:
        script = parse_script(text, NAMES, interpreter=interpreter)
    except Syntax as refused:
        assert 0 <= refused.offset <= len(text)
    else:
        is_plain = not list(references(script)) and "$${" not in text
        assert not is_plain or "".join(p for p in script.pieces if isinstance(p, str)) == text
