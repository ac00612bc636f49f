"""What a workflow means: nodes, policies, names and addresses; and what cannot be meant."""

import re
from hashlib import sha256
from typing import Any, get_args

import msgspec
import pytest

from prodigy.errors import UsageProblem, WorkflowProblem
from prodigy.plan import expression, schema
from prodigy.plan.compile import STEPS_MAX, compile_workflow
from prodigy.plan.nodes import (
    ROOT,
    Backoff,
    CaptureFormat,
    Claude,
    Handlers,
    Node,
    OnInterrupt,
    Plan,
    Policy,
    Retry,
    Run,
    Sequence,
    Shell,
)
from prodigy.plan.reference import Reference
from prodigy.plan.shell.values import parse_script
from prodigy.plan.symbols import RESULTS


def compiled(text: str, **more: Any) -> Plan:
    return compile_workflow(text.encode(), file="folder/build.yaml", **more)


def node(text: str, address: str = "commands[0]") -> Node:
    return compiled(text).nodes[address]


def policy(words: str) -> Policy:
    """Return the policy of a step with these keys."""
    return node(f"- shell: make\n  {words}\n").policy


def refusals(text: str, **more: Any) -> list[str]:
    """Return each mistake as `line:column message (hint)`; none when the workflow compiles."""
    try:
        compiled(text, **more)
    except WorkflowProblem as refused:
        return [
            f"{problem.line}:{problem.column} {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
            for problem in refused.problems
        ]
    return []


def definition(words: str) -> str:
    return node(f"- {words}\n").definition


# The tree ---------------------------------------------------------------------------------------------------


def test_a_workflow_becomes_a_flat_tree() -> None:
    """One step with a handler is four nodes, each under its address, and the plan knows its file."""
    data = b"name: demo\nvariables: {n: 1}\ncommands:\n- shell: echo ${n}\n  id: go\n  on_failure:\n  - claude: /fix\n"
    plan = compile_workflow(data, file="w.yaml")
    script = parse_script("echo ${n}", frozenset({"n"}))
    expected = Plan(
        name="demo",
        digest=sha256(data).hexdigest(),
        variables={"n": 1},
        nodes={
            ROOT: Node(address=ROOT, body=Sequence(children=("go",))),
            "go": Node(
                address="go",
                parent=ROOT,
                id="go",
                line=4,
                body=Run(command=Shell(text="echo ${n}", script=script)),
                policy=Policy(on_failure=Handlers(address="go.on_failure")),
                definition=plan.nodes["go"].definition,
            ),
            "go.on_failure": Node(address="go.on_failure", parent="go", body=Sequence(children=("go.on_failure[0]",))),
            "go.on_failure[0]": Node(
                address="go.on_failure[0]",
                parent="go.on_failure",
                line=7,
                body=Run(command=Claude(text="/fix", prompt=("/fix",))),
                policy=Policy(on_interrupt="continue"),
                definition=plan.nodes["go.on_failure[0]"].definition,
            ),
        },
    )
    assert plan == expected


def test_a_plan_survives_the_log() -> None:
    """The whole plan is one JSON document and comes back equal."""
    plan = compiled(
        "- shell: make ${x}\n  retry: 2\n  timeout: 5m\n  when: ${x} == 1\n  capture: y\n  env: {A: '${x}'}\n",
        parameters={"x": "1"},
    )
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_addresses_are_ids_or_places() -> None:
    """Children of the root stand alone, handlers below their owner."""
    text = (
        "- shell: a\n- shell: b\n  id: build\n  on_failure:\n  - shell: c\n  - shell: d\n    id: mend\n"
        "    on_failure: {shell: e}\n"
    )
    assert list(compiled(text).nodes) == [
        ROOT,
        "commands[0]",
        "build",
        "build.on_failure",
        "build.on_failure[0]",
        "build.on_failure.mend",
        "build.on_failure.mend.on_failure",
        "build.on_failure.mend.on_failure[0]",
    ]


def test_a_workflow_without_name_has_the_stem_of_its_file() -> None:
    """`folder/build.yaml` is called build."""
    assert compiled("- shell: a\n").name == "build"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("retry: 2", Policy(retry=Retry(attempts=3))),
        ("retry: 0", Policy(retry=Retry(attempts=1))),
        (
            "retry: {attempts: 4, backoff: linear, initial_delay: 2s, max_delay: 1m, jitter: true, "
            "retry_on: [3, timeout, busy]}",
            Policy(
                retry=Retry(
                    attempts=4,
                    backoff="linear",
                    initial_delay_s=2.0,
                    max_delay_s=60.0,
                    jitter=True,
                    retry_on=(3, "timeout", "busy"),
                )
            ),
        ),
        (
            "retry: {attempts: 2, initial_delay: 90}",
            Policy(retry=Retry(attempts=2, initial_delay_s=90.0, max_delay_s=90.0)),
        ),
        ("timeout: 90", Policy(timeout=90.0)),
        ("timeout: 1h", Policy(timeout=3600.0)),
        ("allow_failure: true", Policy(allow_failure=True)),
        ("checkpoint: true", Policy(checkpoint=True)),
        ("on_interrupt: ask", Policy(on_interrupt="ask")),
        ("capture: x\n  capture_format: json", Policy(capture="x", capture_format="json")),
        ("capture_output: x", Policy(capture="x")),
        ("when: true", Policy(when=expression.parse("true", frozenset()))),
        ("on_failure: {shell: a}", Policy(on_failure=Handlers(address="commands[0].on_failure"))),
        (
            "on_failure: {commands: [{shell: a}], max_attempts: 3}",
            Policy(on_failure=Handlers(address="commands[0].on_failure", repairs=3)),
        ),
        (
            "on_failure: {commands: [{shell: a}], retry_original: true}",
            Policy(on_failure=Handlers(address="commands[0].on_failure", repairs=1)),
        ),
        (
            "on_failure: {commands: [{shell: a}], fail_workflow: true}",
            Policy(on_failure=Handlers(address="commands[0].on_failure", fail_workflow=True)),
        ),
    ],
)
def test_policy(words: str, expected: Policy) -> None:
    """Each key of a step becomes the policy that BEHAVIOUR.md gives it."""
    assert policy(words) == expected


def test_all_attempts_may_be_a_template() -> None:
    """The long form counts the first attempt too, in a template as in a number."""
    found = compiled("- shell: a\n  retry: {attempts: '${n}'}\n", parameters={"n": 1})
    n = Reference(path=("n",), text="${n}")
    assert found.nodes["commands[0]"].policy == Policy(retry=Retry(attempts=(n,)))


def test_counts_and_times_may_be_templates() -> None:
    """`retry` and `timeout` take a `${…}`, whose value is read when the step runs."""
    found = compiled("- shell: a\n  retry: ${n}\n  timeout: ${t}s\n", parameters={"n": 1, "t": 2})
    n, t = Reference(path=("n",), text="${n}"), Reference(path=("t",), text="${t}")
    assert found.nodes["commands[0]"].policy == Policy(retry=Retry(attempts=(n,), is_further=True), timeout=(t, "s"))


def test_workflow_defaults_reach_every_step() -> None:
    """Environment, folder and interpreter of the workflow hold unless the step says otherwise."""
    text = (
        "env: {A: '1', B: '2'}\nworking_dir: src\ninterpreter: bash\ngrace: 10s\ncommands:\n"
        "- shell: x\n- shell: x\n  env: {B: '3'}\n  working_dir: out\n  interpreter: zsh\n"
    )
    plan = compiled(text)
    bodies = [plan.nodes[at].body for at in ("commands[0]", "commands[1]")]
    script = parse_script("x", frozenset())
    assert (plan.env, plan.grace_s, bodies) == (
        {"A": ("1",), "B": ("2",)},
        10.0,
        [
            Run(
                command=Shell(
                    text="x",
                    script=script,
                    interpreter=interpreter,
                    env={"A": ("1",), "B": (b,)},
                    working_dir=(folder,),
                )
            )
            for interpreter, b, folder in (("bash", "2", "src"), ("zsh", "3", "out"))
        ],
    )


def test_parameters_replace_variables_and_become_names() -> None:
    """`--param` wins over `variables:`; a name that only it gives can be used."""
    plan = compiled("variables: {a: 1, b: 2}\ncommands: [{claude: '${a} ${c}'}]\n", parameters={"a": "9", "c": "x"})
    assert plan.variables == {"a": "9", "b": 2, "c": "x"}


def test_variables_are_data() -> None:
    """A `${` in what they come to is plain text; `$${` writes one."""
    assert compiled("variables: {a: '$${nothing}'}\ncommands: [{shell: x}]\n").variables == {"a": "${nothing}"}


# What a step is, to resume ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "shell: make all",
        "claude: make",
        "shell: make\n  interpreter: bash",
        "shell: make\n  env: {A: b}",
        "shell: make\n  working_dir: src",
        "shell: make\n  capture: x",
        "shell: make\n  capture: x\n  capture_format: json",
    ],
)
def test_a_definition_changes_with_what_runs(words: str) -> None:
    """Text, kind, interpreter, environment, folder and capture define a step."""
    others = {definition(other) for other in ("shell: make", "shell: make\n  capture: y")}
    assert re.fullmatch("[0-9a-f]{16}", definition(words))
    assert definition(words) not in others


@pytest.mark.parametrize(
    "words",
    ["name: Build", "id: build", "retry: 3", "timeout: 5", "when: true", "on_failure: {shell: x}", "checkpoint: true"],
)  # fmt: skip
def test_a_definition_does_not_change_with_policy(words: str) -> None:
    """Name, retry, timeout, when and handlers may change freely between a run and its resume."""
    found = compiled(f"- shell: make\n  {words}\n").leaves()[0].definition
    assert found == definition("shell: make")


def test_a_definition_does_not_depend_on_the_order_of_the_environment() -> None:
    """Sorting `env` in an editor is no change."""
    assert definition("shell: x\n  env: {A: a, B: b}") == definition("shell: x\n  env: {B: b, A: a}")


# Who depends on whom ----------------------------------------------------------------------------------------


def answers(text: str, at: str = ROOT) -> dict[str, tuple[str, ...]]:
    body = compiled(text).nodes[at].body
    assert isinstance(body, Sequence)
    return body.answers


def test_a_failure_is_answered_by_later_siblings_that_ask() -> None:
    """Every later sibling whose `when` refers to the step counts, however it refers."""
    text = (
        "- shell: a\n  id: a\n- shell: b\n  when: ${a.success}\n- shell: c\n- shell: d\n  id: d\n"
        "  when: ${a.exit_code} == 3 && ${shell.output}\n"
    )
    assert answers(text) == {"a": ("commands[1]", "d")}


def test_only_a_when_of_a_sibling_answers() -> None:
    """Neither another use of the result nor a `when` inside handlers tolerates the failure."""
    text = (
        "- shell: a\n  id: a\n- shell: echo ${a.success}\n  id: b\n  on_failure:\n  - shell: c\n    id: c\n"
        "    when: ${a.success}\n  - shell: d\n    when: ${c.success}\n"
    )
    assert (answers(text), answers(text, "b.on_failure")) == (
        {},
        {"b.on_failure.c": ("b.on_failure[1]",)},
    )


def kept(text: str) -> list[str]:
    return [found.address for found in compiled(text).nodes.values() if found.keeps_output]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("claude: ${a}", ["a"]),
        ("claude: ${a.output}", ["a"]),
        ("shell: echo ${a}", ["a"]),
        ("shell: x\n  when: ${a} == 'y'", ["a"]),
        ("shell: x\n  env: {A: '${a|json}'}", ["a"]),
        ("shell: x\n  working_dir: ${b.error:-${a}}", ["a"]),
        ("claude: ${a.output_file} ${a.exit_code}", []),
        ("claude: ${shell.output}", ["b"]),
        ("claude: ${claude.output}", []),
        ("shell: x\n  on_failure: {claude: '${shell.output}'}", ["commands[2]"]),
        ("claude: x\n  on_failure: {claude: '${shell.output}'}", ["b", "commands[2]"]),
        ("claude: x\n  id: c\n  on_failure: {claude: '${c.output}'}", ["c"]),
    ],
)
def test_an_output_is_kept_whole_where_something_refers_to_it(words: str, expected: list[str]) -> None:
    """By id, or as the last output of its kind; a path or an exit code needs no output."""
    assert kept(f"- shell: a\n  id: a\n- shell: b\n  id: b\n- {words}\n") == expected


def test_a_step_that_may_be_skipped_does_not_hide_the_one_before() -> None:
    """Of the steps without a `when` only the last can be meant, with every conditional one after it."""
    text = "- shell: a\n- shell: b\n- shell: c\n  when: true\n- shell: d\n  when: true\n- claude: ${shell.output}\n"
    assert kept(text) == ["commands[1]", "commands[2]", "commands[3]"]


def test_every_step_that_may_have_been_the_last_of_its_kind_is_kept() -> None:
    """A step that may be skipped, and a handler, do not hide what came before them."""
    text = (
        "- shell: a\n- shell: b\n  on_failure: {shell: c}\n- shell: d\n  when: ${shell.output} == 'x'\n"
        "- claude: ${shell.output}\n"
    )
    assert kept(text) == ["commands[1]", "commands[1].on_failure[0]", "commands[2]"]


# Names ------------------------------------------------------------------------------------------------------


def test_names_come_from_every_source() -> None:
    """Variables, parameters, the environment of the workflow, ids, captures and namespaces are known."""
    text = (
        "variables: {v: 1}\nenv: {E: '${v}${p}'}\nworking_dir: ${E}/${v}\ncommands:\n"
        "- shell: a\n  id: a\n  capture: c\n"
        "  on_failure: {claude: '${a.error}'}\n"
        "- claude: ${v} ${p} ${E} ${a.output} ${c} ${shell.output} ${workflow.id}\n"
    )
    assert refusals(text, parameters={"p": 1}) == []


def test_a_variable_that_a_later_capture_replaces_is_known_before() -> None:
    """A capture may replace a variable; before it the variable stands."""
    assert refusals("variables: {x: 1}\ncommands:\n- claude: ${x}\n- shell: a\n  capture: x\n") == []


def test_a_step_may_capture_into_its_own_id() -> None:
    """The one name that an id and a capture may share."""
    assert refusals("- shell: a\n  id: a\n  capture: a\n- claude: ${a} ${a.exit_code}\n") == []


@pytest.mark.parametrize(
    ("form", "reference"),
    [
        ("json", "${a.kind}"),
        ("json", "${a[0].b}"),
        ("json", "${a.success}"),
        ("lines", "${a[0]}"),
        ("text", "${a.error}"),
    ],
)
def test_what_a_capture_into_its_own_id_has_may_be_referred_to(form: str, reference: str) -> None:
    """The capture comes first, and what is in it is known only when it is there."""
    step = f"- {{shell: x, id: a, capture: a, capture_format: {form}}}\n"
    assert refusals(f"{step}- claude: see {reference}\n- shell: echo {reference}\n  when: {reference}\n") == []


def test_the_environment_of_a_step_hides_that_of_the_workflow_from_its_script() -> None:
    """`${TOP}` in a script that sets TOP itself is the shell's, as `$TOP` is."""
    plan = compiled("env: {TOP: a}\ncommands:\n- shell: echo ${TOP}\n  env: {TOP: b}\n- shell: echo ${TOP}\n")
    commands = [found.body.command for found in plan.leaves() if isinstance(found.body, Run)]
    assert [command.script for command in commands if isinstance(command, Shell)] == [
        parse_script("echo ${TOP}", frozenset(), environment=frozenset({"TOP"})),
        parse_script("echo ${TOP}", frozenset({"TOP"})),
    ]


def test_a_name_of_a_later_step_that_the_script_assigns_is_the_script_s() -> None:
    """A loop variable may be called like a step that comes later."""
    assert refusals('- shell: for f in *; do echo "${f}"; done\n- shell: x\n  id: f\n') == []


def test_a_name_of_a_later_step_that_the_environment_has_is_the_environment_s() -> None:
    """`${HOME}` stays the shell's even where a later step is called HOME."""
    text = "- shell: echo ${HOME}\n- shell: x\n  id: HOME\n"
    assert refusals(text, environment={"HOME": "/home/me"}) == []


LATER = "a reference looks back, never ahead"
NAME_HINT = "letters, digits, _ and -, at most 100, not beginning with a digit or -"
REFUSED = {
    "later id in a script": (
        "- shell: echo ${b.output}\n- shell: x\n  id: b\n",
        [f"1:15 'b' comes later: the step on line 3 gives it ({LATER})"],
    ),
    "plain later id in a script": (
        "- shell: echo ${b} ${b}\n- shell: x\n  id: b\n",
        [f"1:15 'b' comes later: the step on line 3 gives it ({LATER})"],
    ),
    "later capture in a prompt": (
        "- claude: see ${b}\n- shell: x\n  capture: b\n",
        [f"1:15 'b' comes later: the step on line 3 gives it ({LATER})"],
    ),
    "own id in when": (
        "- shell: x\n  id: a\n  when: ${a.success}\n",
        [f"3:9 'a' comes later: the step on line 2 gives it ({LATER})"],
    ),
    "own capture in handlers": (
        "- shell: x\n  capture: a\n  on_failure: {claude: 'see ${a}'}\n",
        [f"3:29 'a' comes later: the step on line 2 gives it ({LATER})"],
    ),
    "unknown name": (
        "variables: {output_dir: x}\ncommands:\n- claude: see ${outptu_dir}\n",
        ["3:15 unknown name 'outptu_dir' (did you mean ${output_dir}?)"],
    ),
    "result that does not exist": (
        "- shell: x\n  id: a\n- claude: 'it''s ${a.exitcode}'\n",
        ["3:18 ${a.exitcode} names no result of 'a' (did you mean ${a.exit_code}?)"],
    ),
    "field of a text that a step captures into its own id": (
        "- {shell: x, id: a, capture: a}\n- claude: see ${a.kind}\n",
        ["2:15 ${a.kind} names no result of 'a' (capture_format: json gives 'a' fields and elements, lines elements)"],
    ),
    "field of lines that a step captures into its own id": (
        "- {shell: x, id: a, capture: a, capture_format: lines}\n- claude: see ${a.exitcode}\n",
        ["2:15 ${a.exitcode} names no result of 'a' (did you mean ${a.exit_code}?)"],
    ),
    "namespace alone": (
        "- claude: see ${shell}\n",
        ["1:15 ${shell} names no result of 'shell' (known: output)"],
    ),
    "environment of the workflow sees no steps": (
        "env: {A: '${shell.output}'}\ncommands: [{shell: x}]\n",
        ["1:11 unknown name 'shell' (a literal ${ is written $${; known here: nothing)"],
    ),
    "folder of the workflow sees no steps": (
        "env: {A: a}\nworking_dir: ${A}/${shell.output}\ncommands: [{shell: x}]\n",
        ["2:19 unknown name 'shell' (a literal ${ is written $${; known here: A)"],
    ),
    "condition": (
        "- shell: x\n  when: \"'a' ==\"\n",
        ["2:16 the condition ends where a value is expected"],
    ),
    "id twice": (
        "- shell: x\n  id: a\n- shell: y\n  id: a\n- shell: z\n  id: a\n",
        [f"{line}:7 the id 'a' is used twice (the first is on line 2)" for line in (4, 6)],
    ),
    "id twice in handlers": (
        "- shell: x\n  id: a\n  on_failure:\n    shell: y\n    id: a\n",
        ["5:9 the id 'a' is used twice (the first is on line 2)"],
    ),
    "id of a variable": (
        "variables: {a: 1}\ncommands:\n- shell: x\n  id: a\n",
        ["4:7 'a' is a variable already (give the step another id)"],
    ),
    "capture of another id": (
        "- shell: x\n  capture: b\n- shell: y\n  id: b\n",
        ["2:12 'b' is the id of another step (that step is on line 4)"],
    ),
    "id like a version": (
        "- shell: x\n  id: v3\n",
        ["2:7 'v3' is no id: it names a checkpoint (choose another word)"],
    ),
    "reserved id": ("- shell: x\n  id: item\n", ["2:7 'item' is a word of the language (choose another name)"]),
    "reserved variable": (
        "variables: {shell: 1}\ncommands: [{shell: x}]\n",
        ["1:13 'shell' is a word of the language (choose another name)"],
    ),
    "id with a dot": ("- shell: x\n  id: a.b\n", [f"2:7 'a.b' cannot be the name of an id ({NAME_HINT})"]),
    "environment name": (
        "- shell: x\n  env: {a-b: c}\n",
        ["2:9 'a-b' cannot be an environment variable (letters, digits and _, not beginning with a digit)"],
    ),
    "environment of the attempt": (
        "- shell: x\n  env: {PRODIGY_EPOCH: c}\n",
        ["2:9 'PRODIGY_EPOCH' is set by prodigy itself (choose another name)"],
    ),
    "checkpoint in a handler": (
        "- shell: x\n  on_failure: {shell: y, checkpoint: true}\n",
        ["2:38 'checkpoint' cannot stand inside on_failure (remove it)"],
    ),
    "interpreter of a prompt": (
        "- claude: x\n  interpreter: bash\n",
        ["2:16 'interpreter' is for shell steps"],
    ),
    "format without capture": (
        "- shell: x\n  capture_format: json\n",
        ["2:19 'capture_format' needs capture_output (add a name)"],
    ),
    "repair forbidden": (
        "- shell: x\n  on_failure: {commands: [{shell: y}], max_attempts: 2, retry_original: false}\n",
        ["2:54 'max_attempts' tries the step again, and retry_original: false forbids it (remove one of them)"],
    ),
    "shell form of a name of ours": (
        "- shell: x\n  id: a\n- shell: echo ${a%.py}\n",
        ["3:15 ${a%.py} is a shell form, but 'a' is no shell variable (f=${a}; echo \"${f%.py}\")"],
    ),
    "too many steps": (
        "- shell: x\n" * (STEPS_MAX + 1),
        [f"{STEPS_MAX + 1}:3 a workflow has at most {STEPS_MAX} steps"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_a_workflow_that_cannot_be_meant_is_refused(text: str, expected: list[str]) -> None:
    """What can be known to be wrong fails here, at its place and with the mend."""
    assert refusals(text) == expected


def test_mistakes_of_form_and_of_meaning_are_reported_together() -> None:
    """An unknown key and an unknown name are found in one go, in the order of the file."""
    text = "- claude: ${nothing}\n- shell: x\n  retires: 3\n- claude: ${nobody}\n"
    assert [refused.split(" (")[0] for refused in refusals(text)] == [
        "1:11 unknown name 'nothing'",
        "3:3 unknown key 'retires' in a step",
        "4:11 unknown name 'nobody'",
    ]


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("a ${x}", "1:13"),
        ("'it''s ${x}'", "1:18"),
        (r'"\t\x41\u00e9 ${x}"', "1:25"),
        ("|\n    a\n      b ${x}\n", "3:9"),
        ("|2-\n\n    b ${x}\n", "3:7"),
        (">\n    a\n    ${x}\n", "1:11"),
        ("a\n    ${x}", "1:11"),
        ('"a\n    ${x}"', "1:11"),
        ('"a     \n    ${x}"', "1:11"),
        ("!!str a ${x}", "1:11"),
        ("'" + "y" * 20_000 + "${x}'", "1:11"),
    ],
)
def test_a_mistake_inside_a_text_is_shown_where_it_stands(written: str, place: str) -> None:
    """Exact in plain, quoted and literal texts; at the beginning where YAML folds lines."""
    assert [refused.split(" ")[0] for refused in refusals(f"- claude: {written}\n")] == [place]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1x", "--param '1x' is no name"),
        ("item", "--param item: that is a word of the language"),
        ("a", "--param a: the workflow has a step with that id"),
    ],
)
def test_a_parameter_whose_name_cannot_be_one_is_a_mistake_of_the_command_line(name: str, message: str) -> None:
    """Not the file is wrong then, and the exit code says so."""
    with pytest.raises(UsageProblem) as refused:
        compiled("- shell: x\n  id: a\n", parameters={name: "1"})
    assert refused.value.message == message


# The language and its table ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "name", "words"),
    [
        ("step", "capture_format", CaptureFormat),
        ("step", "on_interrupt", OnInterrupt),
        ("retry", "backoff", Backoff),
    ],
)
def test_the_schema_offers_the_choices_that_a_plan_has(where: schema.Where, name: str, words: Any) -> None:
    """The table and the plan name the same words."""
    key = schema.find(where, name)
    assert key is not None
    assert key.choices == get_args(words)


def test_every_result_of_values_md_may_be_referred_to() -> None:
    """All results of a step compile, so none is forgotten in the check."""
    prompt = " ".join(f"${{a.{result}}}" for result in RESULTS)
    assert refusals(f"- shell: x\n  id: a\n- claude: {prompt}\n") == []


# Stages -----------------------------------------------------------------------------------------------------

STAGES = """
env: {A: '1', B: '2'}
stages:
- name: build
  commands: [{shell: make, id: make}, {shell: test}]
- name: deploy
  when: ${make.success}
  retry: 2
  timeout: 1h
  checkpoint: true
  requires_confirmation: true
  env: {B: '3'}
  on_failure: {shell: undo}
  commands: [{shell: ship, env: {C: '4'}}]
"""


def test_stages_are_named_sequences_with_policy() -> None:
    """A stage is a node like any other: its steps stand below it, its handlers under its address."""
    plan = compiled(STAGES)
    deploy = plan.nodes["deploy"]
    policy = msgspec.structs.replace(deploy.policy, when=None)
    assert list(plan.nodes) == [
        ROOT, "build", "build.make", "build[1]", "deploy", "deploy[0]", "deploy.on_failure", "deploy.on_failure[0]",
    ]  # fmt: skip
    assert plan.nodes[ROOT].body == Sequence(children=("build", "deploy"))
    assert deploy.body == Sequence(children=("deploy[0]",))
    assert (deploy.parent, deploy.index, deploy.name) == (ROOT, 1, "deploy")
    assert policy == Policy(
        retry=Retry(attempts=3),
        timeout=3600,
        checkpoint=True,
        requires_confirmation=True,
        on_failure=Handlers(address="deploy.on_failure"),
    )
    step = plan.nodes["deploy[0]"].body
    assert isinstance(step, Run)
    assert step.command.env == {"A": ("1",), "B": ("3",), "C": ("4",)}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("build", "the stage 'build' is there twice"),
        ("make", "'make' is the name of a value already"),
        ("v3", "'v3' is no stage: it names a checkpoint"),
        ("map", "'map' is a word of the language"),
        ("two words", "'two words' cannot be the name of a stage"),
    ],
)
def test_the_name_of_a_stage_means_one_thing(second: str, message: str) -> None:
    """Stage names are unique, no values' names, and none that names a checkpoint."""
    first = "stages:\n- {name: build, commands: [{shell: x, id: make}]}\n"
    text = f"{first}- {{name: {second}, commands: [{{shell: x}}]}}\n"
    assert [refusal.partition(" ")[2].partition(" (")[0] for refusal in refusals(text)] == [message]


def test_a_confirmation_in_a_handler_is_refused() -> None:
    """A handler runs when nobody may be there to ask."""
    text = "- shell: a\n  on_failure:\n  - shell: b\n    requires_confirmation: true\n"
    assert refusals(text) == ["4:28 'requires_confirmation' cannot stand inside on_failure (remove it)"]
