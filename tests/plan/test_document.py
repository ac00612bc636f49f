"""What a workflow file may look like, and what its author hears when it may not."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy.errors import Problem, WorkflowProblem
from prodigy.plan import document, schema
from prodigy.plan.document import FILE_BYTES_MAX, examine
from prodigy.plan.schema import KEYS, Key, Shape
from prodigy.plan.source import PROBLEMS_MAX, Fields, Scalar, plain
from prodigy.plan.syntax import Document, HandlersAsWritten, Step


def read_document(data: bytes, *, file: str) -> Document:
    """Return the document that the bytes of a workflow file hold, or raise with its mistakes."""
    source, found = examine(data, file=file)
    source.raise_problems()
    assert found is not None, "a file without mistakes is a document"
    return found


def read(text: str) -> Document:
    return read_document(text.encode(), file="w.yaml")


def problems(data: str | bytes) -> list[Problem]:
    """Return the mistakes of a file; none when it can be read."""
    try:
        read_document(data.encode() if isinstance(data, str) else data, file="w.yaml")
    except WorkflowProblem as refused:
        return list(refused.problems)
    return []


def refusals(data: str | bytes) -> list[str]:
    """Return each mistake as `line:column message (hint)`."""
    return [
        f"{problem.line}:{problem.column} {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
        for problem in problems(data)
    ]


def variables(text: str) -> Any:
    written = read(f"commands: [{{shell: make}}]\nvariables: {text}\n").variables
    assert written is not None
    return plain(written)


# What is read -----------------------------------------------------------------------------------------------


def test_a_list_of_steps_is_a_workflow() -> None:
    """A file may be nothing but steps; each knows its place."""
    command = Scalar(text="make all", value="make all", line=1, column=10)
    assert read("- shell: make all\n") == Document(
        file="w.yaml", commands=(Step(line=1, column=3, kind="shell", command=command),)
    )


def test_steps_is_another_spelling_of_commands() -> None:
    """`steps:` and `commands:` hold the same."""
    assert len(read("steps:\n  - claude: /review\n").commands) == 1


def test_a_block_keeps_every_character() -> None:
    """A literal block is the author's text, line breaks included."""
    step = read("- shell: |\n    if true; then\n      echo $x\n    fi\n").commands[0]
    assert step.command.text == "if true; then\n  echo $x\nfi\n"


def test_on_failure_as_a_step_a_list_and_a_mapping_means_the_same_steps() -> None:
    """The three forms of `on_failure` differ only in what else can be said."""
    forms = ("{shell: fix}", "[{shell: fix}]", "{commands: [{shell: fix}]}")
    written = [read(f"- shell: make\n  on_failure: {form}\n").commands[0].on_failure for form in forms]
    assert [isinstance(handlers, HandlersAsWritten) for handlers in written] == [True, True, True]
    texts = [[step.command.text for step in handlers.commands] for handlers in written if handlers]
    assert texts == [["fix"], ["fix"], ["fix"]]


def test_scalars_follow_the_core_schema() -> None:
    """Numbers, booleans and null are what YAML 1.2 says; dates, base 60, yes and 007 are text."""
    text = "{a: 1, b: -0x1f, c: 0o17, d: 1.5e3, e: true, f: null, g: ~, h: yes, i: 2024-01-20, j: 1:30, k: 007}"
    expected = {
        "a": 1, "b": "-0x1f", "c": 15, "d": 1500.0, "e": True, "f": None, "g": None,
        "h": "yes", "i": "2024-01-20", "j": "1:30", "k": "007",
    }  # fmt: skip
    assert variables(text) == expected


def test_what_would_not_read_back_the_same_is_text() -> None:
    """A number too long for a number, quoted digits, and digits with underscores keep every character."""
    expected = {"a": "12345678901234567890", "b": "12", "c": "1_000", "d": "5"}
    assert variables("{a: 12345678901234567890, b: '12', c: 1_000, d: !!str 5}") == expected


def test_an_alias_is_the_value_it_names() -> None:
    """Anchors and aliases work for whole values."""
    text = "variables: {a: &list [1, 2], b: *list}\ncommands: [{shell: make}]\n"
    written = read(text).variables
    assert written is not None
    assert plain(written) == {"a": [1, 2], "b": [1, 2]}


def test_a_byte_order_mark_is_not_text() -> None:
    """An editor's UTF-8 mark changes nothing, places included."""
    text = "name: a ${x}\ncommands: [{shell: 5}]\n"
    assert problems(b"\xef\xbb\xbf" + text.encode()) == problems(text)


def test_both_parsers_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml the document is the same, every place included."""
    text = "name: x\ncommands:\n- &a {shell: 'it''s', env: {A: \"\\t\"}}\n- *a\n- shell: |\n    a\n  when: >-\n   b\n"
    fast = read(text)
    monkeypatch.setattr(document, "LOADER", yaml.SafeLoader)
    assert read(text) == fast


def test_true_and_false_are_commands_and_environment_values_are_text() -> None:
    """`shell: true` runs `true`; `DEBUG: false` and `PORT: 8080` are set as written."""
    step = read("- shell: true\n  env: {DEBUG: false, PORT: 8080, EMPTY: }\n").commands[0]
    assert isinstance(step.env, Fields)
    texts = [(name.text, value.text) for name, value in step.env.entries if isinstance(value, Scalar)]
    assert (step.command.text, texts) == ("true", [("DEBUG", "false"), ("PORT", "8080"), ("EMPTY", "")])


# What is refused --------------------------------------------------------------------------------------------

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)

REFUSED: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["1:1 the file is empty (for example  commands: [{shell: make}, {claude: /review}])"]),
    "comment": (
        "# later\n",
        ["1:1 the file is empty (for example  commands: [{shell: make}, {claude: /review}])"],
    ),
    "utf-16": ("- shell: make".encode("utf-16"), ["1:1 the file is UTF-16 (save it as UTF-8)"]),
    "binary": (b"\x7fELF\x02\xff", ["1:6 this is not UTF-8 (save the file as UTF-8)"]),
    "latin-1": (b"- shell: make\n- shell: \xe9\n", ["2:10 this is not UTF-8 (save the file as UTF-8)"]),
    "nul": ("- shell: a\0b", ["1:11 the character U+0000 cannot stand in a workflow"]),
    "escaped nul": ('- shell: "a\\0b"', ["1:10 a NUL cannot be passed to a command"]),
    "escape": (
        "- shell: a\x1bb",
        ['1:11 the character U+001B cannot stand in a workflow (in quotes it is written "\\x1b")'],
    ),
    "tab": ("commands:\n\t- shell: x\n", ["2:1 a tab cannot indent (use spaces)"]),
    "two documents": (
        "- shell: a\n---\n- shell: b\n",
        ["2:1 a second document begins here (put it in a file of its own)"],
    ),
    "duplicate key": ("- shell: a\n  shell: b\n", ["2:3 'shell' stands here twice (the first is on line 1)"]),
    "python tag": (
        "- shell: !!python/object/apply:os.system [reboot]\n",
        [
            "1:10 unknown tag !!python/object/apply:os.system (a text that begins with ! needs quotes)",
        ],
    ),
    "own tag": ("- shell: !secret x\n", ["1:10 unknown tag !secret (a text that begins with ! needs quotes)"]),
    "disagreeing tag": ("- shell: !!int x\n", ["1:10 x is no int"]),
    "merge key": (
        "- &a {shell: x}\n- <<: *a\n",
        ["2:3 merge keys (<<) are not supported (write the keys out, or alias a whole value)"],
    ),
    "key that is a list": (
        "? [a]\n: b\n",
        ["1:3 a key is a word (a text that begins with { or [ needs quotes)"],
    ),
    "unknown alias": (
        "- shell: *.py\n",
        [
            "1:11 this is not YAML: did not find expected alphabetic or numeric character "
            "(a text that begins with & or * needs quotes; nothing may follow a closing quote (write  shell: |))"
        ],
    ),
    "missing anchor": (
        "- shell: *a\n",
        ['1:10 no anchor &a comes before (a text that begins with * needs quotes: "*a")'],
    ),
    "alias inside itself": ("&a [*a]", ['1:5 *a stands inside itself (a text that begins with * needs quotes: "*a")']),
    "alias bomb": (BOMB, ["5:36 over 100000 values, aliases counted as what they stand for"]),
    "an anchor that goes on": (
        "name: &a:b c\ncommands: [{shell: make}]\n",
        [
            "1:7 a blank is missing before this text, or quotes around it "
            "(the name of an anchor is of letters, digits, - and _)"
        ],
    ),
    "a question mark that is split off": (
        "commands: [{shell: make}]\nvariables: {a: [?x]}\n",
        [
            "2:18 a blank is missing before this text, or quotes around it "
            "(a text that begins with ? needs quotes inside {…} and […])",
        ],
    ),
    "deep flow": ("[" * 20_000, ["1:51 values nest deeper than 50"]),
    "deep flow after wide text": ('a: "é😀"\nb: ["é😀",' + "[" * 2_000, ["2:58 values nest deeper than 50"]),
    "deep flow after a mistake": (
        "a: 1\na: 2\nb: " + "[" * 2_000,
        ["3:53 values nest deeper than 50"],
    ),
    "deep block": ("- " * 20_000, ["1:101 values nest deeper than 50"]),
    "deep by alias": (
        "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 20 + "*a" + "]" * 20 + "\n",
        ["2:24 values nest deeper than 50"],
    ),
    "too many values": ("- x\n" * 100_001, ["100001:3 over 100000 values, aliases counted as what they stand for"]),
    "too large": (b"#" * (FILE_BYTES_MAX + 1), ["1:1 a workflow file has at most 4 MiB"]),
    "colon in a command": (
        "- shell: echo a: b\n",
        [
            "1:16 this is not YAML: mapping values are not allowed in this context "
            '(a text that contains ": " needs quotes, or stands on lines below  shell: |)'
        ],
    ),
    "a word": (
        "make\n",
        [
            "1:1 a workflow is a mapping with commands, not the text 'make' "
            "(for example  commands: [{shell: make}, {claude: /review}])"
        ],
    ),
    "no commands": (
        "name: x\n",
        ["1:1 a workflow without commands (for example  commands: [{shell: make}, {claude: /review}])"],
    ),
    "no step": (
        "commands: []\n",
        ["1:11 a list of steps without a step (for example  - shell: make  or  - claude: /review)"],
    ),
    "bare prompt": ('- "/analyze"\n', ["1:3 a step is a mapping, not the text '/analyze' (write  - claude: /analyze)"]),
    "bare command": ("- make\n", ["1:3 a step is a mapping, not the text 'make' (write  - shell: make)"]),
    "bare handler": (
        "- shell: make\n  on_failure: make clean\n",
        [
            "2:15 'on_failure' takes a step, a list of steps, or a mapping with commands, "
            "not the text 'make clean' (write  on_failure: {shell: make clean})"
        ],
    ),
    "two kinds": ("- shell: a\n  claude: b\n", ["2:3 a step is shell or claude, not both (make it two steps)"]),
    "no kind": (
        "- name: x\n",
        ["1:3 a step needs a command (for example  - shell: make  or  - claude: /review)"],
    ),
    "unknown key": ("- shell: a\n  retires: 3\n", ["2:3 unknown key 'retires' in a step (here it is called retry)"]),
    "words of the long form in a handler that is a step": (
        "- shell: a\n  on_failure: {shell: b, max_attempts: 3, fail_workflow: false}\n",
        [
            "2:26 'max_attempts' stands beside commands, not in a step "
            "(write  on_failure: {commands: [{…}], max_attempts: …})",
            "2:43 'fail_workflow' stands beside commands, not in a step "
            "(write  on_failure: {commands: [{…}], fail_workflow: …})",
        ],
    ),
    "misspelt kind": ("- shel: a\n", ["1:3 unknown key 'shel' in a step (did you mean shell?)"]),
    "key of another place": (
        "- shell: a\n  variables: {}\n",
        ["2:3 unknown key 'variables' in a step (variables belong to the workflow; for one step write  env)"],
    ),
    "both spellings": (
        "- shell: a\n  capture: x\n  capture_output: y\n",
        ["3:3 'capture_output' and 'capture' are the same key (keep one)"],
    ),
    "mode without its map": (
        "mode: mapreduce\n",
        [
            "1:1 'mode: mapreduce' needs map "
            "(for example  map: {input: files.json, agent_template: [{shell: 'wc ${item}'}]})"
        ],
    ),
    "yes for a boolean": (
        "- shell: a\n  allow_failure: yes\n",
        ["2:18 'allow_failure' takes true or false, not the text 'yes' (write true)"],
    ),
    "misspelt choice": (
        "- shell: a\n  on_interrupt: rerunn\n",
        ["2:17 'on_interrupt' takes one of continue, rerun, ask, fail, not the text 'rerunn' (did you mean rerun?)"],
    ),
    "nothing for a key": ("- shell: a\n  id:\n", [f"2:3 'id' has no value (it takes {schema.SHAPES['word']})"]),
    "template in a name": (
        "name: deploy ${target}\ncommands: [{shell: a}]\n",
        ["1:14 nothing is replaced in 'name' (write it without ${…})"],
    ),
    "not a number": (
        "- shell: a\n  timeout: .nan\n",
        ['2:12 .nan is no finite number (as text: ".nan")'],
    ),
    "infinite": ("- shell: a\n  timeout: 1e999\n", ['2:12 1e999 is no finite number (as text: "1e999")']),
    "retry over its bound": (
        "- shell: a\n  retry: 1001\n",
        [
            "2:10 'retry' takes a number of further attempts, a ${…}, or a mapping (0 to 1000), not 1001 "
            "(for example  retry: 3)"
        ],
    ),
    "negative retry": (
        "- shell: a\n  retry: -1\n",
        [
            "2:10 'retry' takes a number of further attempts, a ${…}, or a mapping (0 to 1000), not -1 "
            "(for example  retry: 3)"
        ],
    ),
    "timeout of nothing": (
        "- shell: a\n  timeout: 0\n",
        ["2:12 'timeout' takes seconds, 90s, 5m, 1h or a ${…} (0.001 to 31622400), not 0 (for example  timeout: 5m)"],
    ),
    "grace over its bound": (
        "grace: 2h\ncommands: [{shell: a}]\n",
        ["1:8 'grace' takes seconds, 90s, 5m or 1h (0 to 3600), not the text '2h' (for example  grace: 30s)"],
    ),
    "retry without attempts": (
        "- shell: a\n  retry: {backoff: fixed}\n",
        ["2:10 'retry' needs attempts (attempts counts all of them, the first included)"],
    ),
    "handlers without commands": (
        "- shell: a\n  on_failure: {fail_workflow: true}\n",
        ["2:15 'on_failure' needs commands"],
    ),
    "list in the environment": ("- shell: a\n  env: {A: [1]}\n", ["2:12 'A' takes text, not a list"]),
}


@pytest.mark.parametrize(("data", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_named_with_its_place_and_the_mend(data: str | bytes, expected: list[str]) -> None:
    """Each mistake yields one message: where, what, and what to write instead."""
    assert refusals(data) == expected


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    """A file with three mistakes is corrected in one go."""
    text = "name: [x]\ncommands:\n- shell: 5\n- make\n"
    assert refusals(text) == [
        "1:7 'name' takes one line of text, not a list (a text that begins with [ needs quotes)",
        "3:10 'shell' takes text, not 5",
        "4:3 a step is a mapping, not the text 'make' (write  - shell: make)",
    ]


def test_a_flood_of_mistakes_is_cut_off_and_says_so() -> None:
    """A file that is no workflow at all yields a bounded report."""
    found = problems("".join(f"key{number}: 1\n" for number in range(1000)))
    assert (len(found), found[-1]) == (
        PROBLEMS_MAX + 1,
        Problem(message="there may be more mistakes", file="w.yaml"),
    )


def test_a_mistake_shows_its_line_and_a_caret() -> None:
    """The printed problem points at the value."""
    assert str(problems("- shell: make\n  retry: many\n")[0]) == (
        "w.yaml:2:10: 'retry' takes a number of further attempts, a ${…}, or a mapping (0 to 1000), "
        "not the text 'many'\n"
        "    retry: many\n"
        "           ^\n"
        "  for example  retry: 3"
    )


def test_a_line_without_end_is_not_printed() -> None:
    """A mistake far to the right of a very long line is reported without the line."""
    problem = problems('- {name: "' + "x" * 5000 + '", shel: make}')[0]
    assert (problem.line, problem.column, problem.source) == (1, 5014, "")


# Every key, every type --------------------------------------------------------------------------------------

SAMPLES = {
    "nothing": "",
    "list": "[1]",
    "mapping": "{a: 1}",
    "text": "word",
    "empty": '""',
    "integer": "-7",
    "number": "1.5",
    "boolean": "true",
    "nan": ".nan",
}
ACCEPTED: dict[Shape, set[str]] = {
    "text": {"text", "integer", "number", "boolean"},
    "prose": {"text", "integer", "number", "boolean"},
    "word": {"text"},
    "command": {"text", "boolean"},
    "condition": {"text", "boolean"},
    "template": {"text", "integer", "number", "boolean"},
    "boolean": {"boolean"},
    "integer": set(),
    "count": set(),
    "duration": {"number"},
    "seconds": {"number"},
    "choice": set(),
    "reasons": {"text", "integer", "list"},
    "variables": {"mapping"},
    "environment": {"mapping"},
    "steps": set(),
    "stages": set(),
    "retry": set(),
    "handlers": set(),
    "phase": set(),
    "map": set(),
    "input": {"text", "list"},
    "path": {"text"},
    "order": {"text"},
    "agent_template": set(),
    "share": set(),
    "error_policy": set(),
    "circuit_breaker": set(),
    "claude": set(),
    "asked": {"text", "boolean"},
    "texts": {"text", "integer", "number", "boolean", "list"},
    "json_schema": {"mapping"},
    "budget": set(),
    "money": {"number"},
}


def workflow_with(key: Key, value: str) -> str:
    """Return a workflow in which only the value of `key` can be wrong."""
    match key.where:
        case "workflow":
            rest = "" if key.field in ("commands", "stages") else "commands: [{shell: make}]\n"
            if key.name in ("mode", "setup", "map", "reduce"):
                rest = "" if key.name == "mode" else "mode: mapreduce\n"
                rest += "" if key.name == "map" else "map: {input: x, agent_template: [{shell: make}]}\n"
            return f"{key.name}: {value}\n{rest}"
        case "phase":
            rest = "" if key.field == "commands" else "  commands: [{shell: make}]\n"
            a_map = "map: {input: x, agent_template: [{shell: make}]}\n"
            return f"mode: mapreduce\n{a_map}setup:\n  {key.name}: {value}\n{rest}"
        case "map":
            rest = "" if key.name == "input" else "  input: x\n"
            rest += "" if key.name == "agent_template" else "  agent_template: [{shell: make}]\n"
            return f"mode: mapreduce\nmap:\n  {key.name}: {value}\n{rest}"
        case "input" | "agent_template":
            rest = "agent_template: [{shell: make}]" if key.where == "input" else "input: x"
            return f"mode: mapreduce\nmap:\n  {key.where}:\n    {key.name}: {value}\n  {rest}\n"
        case "error_policy":
            rest = "  input: x\n  agent_template: [{shell: make}]\n"
            return f"mode: mapreduce\nmap:\n{rest}  error_policy:\n    {key.name}: {value}\n"
        case "circuit_breaker":
            rest = "  input: x\n  agent_template: [{shell: make}]\n  error_policy:\n    circuit_breaker:\n"
            failures = "" if key.field == "failure_threshold" else "      failures: 3\n"
            return f"mode: mapreduce\nmap:\n{rest}      {key.name}: {value}\n{failures}"
        case "stage":
            rest = "" if key.name == "name" else "  name: build\n"
            rest += "" if key.field == "commands" else "  commands: [{shell: make}]\n"
            return f"stages:\n- {key.name}: {value}\n{rest}"
        case "claude" if key.name == "idle_timeout":
            return f"claude:\n  idle_timeout: {value}\ncommands: [{{shell: make}}]\n"
        case "claude":
            rest = "" if key.name == "prompt" else "    prompt: look\n"
            return f"- claude:\n    {key.name}: {value}\n{rest}"
        case "step":
            rest = "" if key.name in ("shell", "claude") else "  shell: make\n"
            return f"- {key.name}: {value}\n{rest}"
        case "budget":
            return f"commands: [{{shell: make}}]\nbudget:\n  {key.name}: {value}\n"
        case "retry":
            rest = "" if key.name == "attempts" else "    attempts: 2\n"
        case "on_failure":
            rest = "" if key.field == "commands" else "    commands: [{shell: fix}]\n"
    return f"- shell: make\n  {key.where}:\n    {key.name}: {value}\n{rest}"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.where}.{key.name}")
def test_a_key_accepts_its_shape_and_nothing_else(key: Key) -> None:
    """Every type at every key is either right or refused with a line."""
    found = {name: problems(workflow_with(key, value)) for name, value in SAMPLES.items()}
    assert {name for name, refused in found.items() if not refused} == ACCEPTED[key.shape]
    assert min(problem.line for refused in found.values() for problem in refused) >= 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([key.name for key in KEYS]) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(KEYS), value=JSON_VALUES)
def test_any_value_at_any_key_is_read_or_refused_with_a_line(key: Key, value: object) -> None:
    """Whatever an author writes, the answer is a document or problems with places."""
    assert [problem for problem in problems(workflow_with(key, json.dumps(value))) if problem.line < 1] == []


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | st.text("-?:,[]{}#&*!|>'\"%@` \n\tab0.$~<", max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_line(data: bytes) -> None:
    """No file, however broken, ends in another exception."""
    assert [problem for problem in problems(data) if problem.line < 1] == []


# The table --------------------------------------------------------------------------------------------------


def test_every_key_stands_once_in_its_place() -> None:
    """The table has no key twice, and an alias has the shape of the key it spells."""
    places = [(key.where, key.name) for key in KEYS]
    assert len(places) == len(set(places))
    aliases = [(key, schema.find(key.where, key.field)) for key in KEYS if key.alias_of]
    assert [original.shape for _, original in aliases if original] == [key.shape for key, _ in aliases]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90.0), ("90s", 90.0), ("5m", 300.0), ("1h", 3600.0), ("1h30m", 5400.0), ("0.5s", 0.5),
     ("", None), ("s", None), ("5 m", None), ("-5", None), ("1d", None), ("٣", None)],
)  # fmt: skip
def test_durations(text: str, expected: float | None) -> None:
    """Seconds may be written with units, and nothing else is a duration."""
    assert schema.seconds(text) == expected


# Stages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("stages:\n- name: a\n", 2, "a stage needs commands"),
        ("stages:\n- commands: [{shell: x}]\n", 2, "a stage needs name"),
        ("stages:\n- build\n", 2, "a stage is a mapping, not the text 'build'"),
        ("stages: []\n", 1, "a list of stages without a stage"),
        ("stages: [{name: a, commands: [{shell: x}]}]\ncommands: [{shell: x}]\n", 1,
         "a workflow has commands or stages, not both"),
    ],
)  # fmt: skip
def test_a_stage_that_is_none_is_refused(text: str, line: int, message: str) -> None:
    """A stage is a mapping with a name and commands, and stages stand instead of commands."""
    assert [(problem.line, problem.message) for problem in problems(text)] == [(line, message)]


def test_what_the_parser_says_of_depth_is_said_in_our_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit is its own and changes with its version; where it stops before we have counted that far, we say so."""

    def refuse(text: str, Loader: Any) -> Any:
        mark = yaml.Mark("", 6, 1, 2, "", 0)
        raise yaml.scanner.ScannerError("while increasing flow level", mark, "exceeded maximum nesting depth", mark)

    monkeypatch.setattr(yaml, "parse", refuse)
    assert refusals("a: 1\nb: [[[") == ["2:2 values nest deeper than 50"]


def test_a_surrogate_pair_of_json_is_one_character() -> None:
    """Which is how JSON writes it by default; where text is no JSON, an escape that YAML lacks is refused."""
    text = json.dumps({"variables": {"a": "\\ud83d\\ude00 \U0001f600"}, "commands": [{"shell": "true"}]})
    assert r"\\ud83d\\ude00 \ud83d\ude00" in text
    written = read(text).variables
    assert written is not None and plain(written) == {"a": "\\ud83d\\ude00 \U0001f600"}
    assert refusals('name: "\\ud83d\\ude00"\ncommands: [{shell: make}]\n') == [
        "1:10 this is not YAML: found invalid Unicode character escape code"
    ]


def test_a_file_of_just_so_many_bytes_is_read() -> None:
    """One more is too many."""
    text = b"commands: [{shell: make}]\n#"
    assert problems(text.ljust(FILE_BYTES_MAX, b"x")) == []
    assert problems(text.ljust(FILE_BYTES_MAX + 1, b"x"))[0].message == "a workflow file has at most 4 MiB"
