"""What a mapreduce workflow means: setup, a map with its template, reduce; and what cannot be meant."""

from typing import Any, get_args

import msgspec
import pytest

from prodigy.errors import WorkflowProblem
from prodigy.plan import expression, schema
from prodigy.plan.compile import compile_workflow, workflow_notices
from prodigy.plan.compile_map import parse_order, parse_path
from prodigy.plan.nodes import (
    ROOT,
    Breaker,
    Claude,
    ErrorPolicy,
    Handlers,
    Map,
    Node,
    OnItemFailure,
    Plan,
    Policy,
    Retry,
    Run,
    Sequence,
    Shell,
    SortKey,
    Source,
)
from prodigy.plan.reference import Reference, Syntax
from prodigy.plan.schema_text import describe, json_schema
from prodigy.plan.shell.values import parse_script

# The guide's third example, as it is printed there.
GUIDE = """\
name: analyze-large-codebase
mode: mapreduce

setup:
  - shell: "find . -name '*.js' -o -name '*.ts' | jq -R . | jq -s . > files.json"

map:
  input: "files.json"
  agent_template:
    - claude: "/analyze-file ${item}"
    - shell: "eslint ${item} --fix"
  max_parallel: 10
  checkpoint_frequency: 50  # Checkpoint every 50 items

reduce:
  - claude: "/summarize-analysis ${map.results}"
  - shell: "python generate_report.py"
"""


def compiled(text: str, **more: Any) -> Plan:
    return compile_workflow(text.encode(), file="w.yaml", **more)


def workflow(words: str = "", *, setup: str = "", template: str = "[{shell: lint}]", reduce: str = "") -> str:
    """Return a mapreduce workflow; `words` are keys of its map, one a line."""
    lines = "".join(f"  {line}\n" for line in words.splitlines())
    lines = lines if "input:" in words else f"  input: files.json\n{lines}"
    parts = [f"setup: {setup}\n" if setup else "", f"map:\n{lines}  agent_template: {template}\n"]
    return "mode: mapreduce\n" + "".join(parts) + (f"reduce: {reduce}\n" if reduce else "")


def the_map(words: str = "", **more: Any) -> Map:
    body = compiled(workflow(words, **more)).nodes["map"].body
    assert isinstance(body, Map)
    return body


def source(words: str) -> Source:
    return the_map(words).source


def refusals(text: str) -> list[str]:
    """Return each mistake as `line:column message (hint)`; none when the workflow compiles."""
    try:
        compiled(text)
    except WorkflowProblem as refused:
        return [
            f"{problem.line}:{problem.column} {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
            for problem in refused.problems
        ]
    return []


def reference(*path: str | int) -> Reference:
    return Reference(path=path, text=f"${{{'.'.join(map(str, path))}}}")


# The tree ---------------------------------------------------------------------------------------------------


def test_the_guides_example_is_a_map_between_two_stages() -> None:
    """Node by node, exactly as it is printed."""
    plan = compiled(GUIDE)
    item = reference("item")
    find = "find . -name '*.js' -o -name '*.ts' | jq -R . | jq -s . > files.json"
    lint = "eslint ${item} --fix"
    expected = [
        Node(address=ROOT, body=Sequence(children=("setup", "map", "reduce"))),
        Node(address="setup", parent=ROOT, name="setup", line=5, body=Sequence(children=("setup[0]",))),
        Node(
            address="setup[0]",
            parent="setup",
            line=5,
            body=Run(command=Shell(text=find, script=parse_script(find, frozenset()))),
        ),
        Node(
            address="map",
            parent=ROOT,
            index=1,
            line=8,
            body=Map(
                source=Source(kind="auto", text=("files.json",)),
                template="map[]",
                checkpoint_frequency=50,
                keeps_results=True,
            ),
        ),
        Node(address="map[]", parent="map", line=8, body=Sequence(children=("map[][0]", "map[][1]"))),
        Node(
            address="map[][0]",
            parent="map[]",
            line=10,
            body=Run(command=Claude(text="/analyze-file ${item}", prompt=("/analyze-file ", item))),
            policy=Policy(on_interrupt="continue"),
            keeps_output=True,
        ),
        Node(
            address="map[][1]",
            parent="map[]",
            index=1,
            line=11,
            body=Run(command=Shell(text=lint, script=parse_script(lint, frozenset({"item"})))),
            keeps_output=True,
        ),
        Node(address="reduce", parent=ROOT, name="reduce", index=2, line=16, body=plan.nodes["reduce"].body),
        Node(
            address="reduce[0]",
            parent="reduce",
            line=16,
            body=Run(
                command=Claude(
                    text="/summarize-analysis ${map.results}",
                    prompt=("/summarize-analysis ", reference("map", "results")),
                )
            ),
            policy=Policy(on_interrupt="continue"),
        ),
        Node(
            address="reduce[1]",
            parent="reduce",
            index=1,
            line=17,
            body=Run(
                command=Shell(
                    text="python generate_report.py", script=parse_script("python generate_report.py", frozenset())
                )
            ),
        ),
    ]
    assert [msgspec.structs.replace(node, definition="") for node in plan.nodes.values()] == expected


def test_a_map_is_one_step_of_its_workflow() -> None:
    """What is inside it happens once for each item, and is counted there."""
    assert [node.address for node in compiled(GUIDE).leaves()] == ["setup[0]", "map", "reduce[0]", "reduce[1]"]


def test_setup_and_reduce_may_be_missing() -> None:
    """Then the map stands alone, first in its parent."""
    plan = compiled(workflow())
    assert (plan.nodes[ROOT].body, plan.nodes["map"].index) == (Sequence(children=("map",)), 0)
    plan = compiled(workflow(reduce="[{shell: x}]"))
    assert (plan.nodes[ROOT].body, plan.nodes["reduce"].index) == (Sequence(children=("map", "reduce")), 1)


def test_addresses_inside_the_map_are_those_of_its_template() -> None:
    """By id or place, handlers below their owner; those of the map itself below the map."""
    template = "[{shell: a, id: lint, on_failure: {shell: b}}, {shell: c}]"
    plan = compiled(workflow("on_failure: {shell: d}", template=template))
    assert list(plan.nodes) == [
        ROOT,
        "map",
        "map[]",
        "map[].lint",
        "map[].lint.on_failure",
        "map[].lint.on_failure[0]",
        "map[][1]",
        "map.on_failure",
        "map.on_failure[0]",
    ]
    assert plan.nodes["map[].lint"].policy.on_failure == Handlers(address="map[].lint.on_failure")
    item = plan.node("map[src/a.py]")
    assert (item.parent, item.body) == (
        "map",
        Sequence(children=("map[src/a.py].lint", "map[src/a.py][1]")),
    )


def test_parts_may_be_mappings_with_policy() -> None:
    """Setup and reduce are stages whose names are given."""
    part = "{commands: [{shell: x}], retry: 2, timeout: 1h, env: {A: b}, requires_confirmation: true}"
    plan = compiled(workflow(setup=part, template="{commands: [{shell: x}]}", reduce="{steps: [{shell: x}]}"))
    policy = Policy(retry=Retry(attempts=3), timeout=3600.0, requires_confirmation=True)
    assert plan.nodes["setup"].policy == policy
    step = plan.nodes["setup[0]"].body
    assert isinstance(step, Run)
    assert step.command.env == {"A": ("b",)}
    assert plan.nodes["map[]"].body == Sequence(children=("map[][0]",))
    assert plan.nodes["reduce"].body == Sequence(children=("reduce[0]",))


def test_a_plan_with_a_map_survives_the_log() -> None:
    """As one JSON document, filter, order and policy included."""
    words = "filter: a > 1\nsort_by: a DESC\ndistinct: b[0]\nerror_policy: {circuit_breaker: {failures: 3}}"
    plan = compiled(workflow(words))
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


# Items ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("input: 'src/**/*.py'", Source(kind="auto", text=("src/**/*.py",))),
        ("input: {file: a.json}", Source(kind="file", text=("a.json",))),
        ("input: {glob: '*.py'}", Source(kind="glob", text=("*.py",))),
        ("input: {command: ls -1}", Source(kind="command", text=("ls -1",), script=parse_script("ls -1", frozenset()))),
        ("json_path: $.files[*]", Source(kind="auto", text=("files.json",), json_path="$.files[*]")),
        ("distinct: a.b[0]", Source(kind="auto", text=("files.json",), distinct=("a", "b", 0))),
        ("distinct: item", Source(kind="auto", text=("files.json",), distinct=())),
        ("offset: 5\nmax_items: 0", Source(kind="auto", text=("files.json",), offset=5, max_items=0)),
        (
            "sort_by: [a DESC, 'b, c']",
            Source(
                kind="auto",
                text=("files.json",),
                sort_by=(SortKey(path=("a",), is_descending=True), SortKey(path=("b",)), SortKey(path=("c",))),
            ),
        ),
        (
            "filter: severity == 'high' || File.score >= 10",
            Source(
                kind="auto",
                text=("files.json",),
                filter=expression.parse("severity == 'high' || File.score >= 10", frozenset(), bare_paths=True),
            ),
        ),
    ],
)
def test_a_source(words: str, expected: Source) -> None:
    """Where items come from, which, and in which order."""
    assert source(words) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", (SortKey(path=("a",)),)),
        (" item.a.b[0]\n", (SortKey(path=("a", "b", 0)),)),
        ("item", (SortKey(path=()),)),
        ("item[1] asc", (SortKey(path=(1,)),)),
        ("a DESC NULLS LAST, c", (SortKey(path=("a",), is_descending=True), SortKey(path=("c",)))),
        (
            "a nulls first , b desc",
            (SortKey(path=("a",), has_nulls_first=True), SortKey(path=("b",), is_descending=True)),
        ),
        ('a["x, y"] DESC', (SortKey(path=("a", "x, y"), is_descending=True),)),
        ("desc, nulls", (SortKey(path=("desc",)), SortKey(path=("nulls",)))),
    ],
)  # fmt: skip
def test_an_order(text: str, expected: tuple[SortKey, ...]) -> None:
    """Paths with a direction and a place for null, in capitals or not."""
    assert parse_order(text) == expected


@pytest.mark.parametrize(
    ("text", "offset"),
    [("", 0), ("a,", 2), (",a", 0), ("a b", 2), ("a DESC ASC", 7), ("a NULLS", 2), ("a NULLS LAST DESC", 13), ("1", 0)],
)
def test_an_order_that_is_none_is_refused(text: str, offset: int) -> None:
    """Where it stops being one."""
    with pytest.raises(Syntax) as refused:
        parse_order(text)
    assert refused.value.offset == offset


@pytest.mark.parametrize(("text", "offset"), [("", 0), ("a b", 1), ("[0]", 0), ("a..b", 1)])
def test_a_path_that_is_none_is_refused(text: str, offset: int) -> None:
    """One path, and nothing after it."""
    with pytest.raises(Syntax) as refused:
        parse_path(text)
    assert refused.value.offset == offset


def test_values_of_the_workflow_may_say_everything_about_a_map() -> None:
    """Templates where VALUES.md has them, and what setup captured among their names."""
    words = (
        "input: ${dir}/files.json\noffset: ${n}\nmax_items: ${n}\nmax_parallel: ${n}\nmax_processes: ${n}\n"
        "item_key: ${item.id}-${dir}\ntimeout: ${n}m\nagent_timeout: ${n}s\nfilter: size > ${n}\nretry: ${n}\n"
        "when: ${dir.success}"
    )
    plan = compiled("variables: {n: 3}\n" + workflow(words, setup="[{shell: x, id: dir}]"))
    directory, n = reference("dir"), reference("n")
    node, template = plan.nodes["map"], plan.nodes["map[]"]
    assert isinstance(node.body, Map)
    assert (node.body.source.text, node.body.source.offset, node.body.source.max_items) == (
        (directory, "/files.json"),
        (n,),
        (n,),
    )
    assert (node.body.max_parallel, node.body.max_processes) == ((n,), (n,))
    assert node.body.item_key == (reference("item", "id"), "-", directory)
    assert (node.policy.timeout, template.policy.timeout) == ((n, "m"), (n, "s"))
    assert node.policy.retry == Retry(attempts=(n,), is_further=True)
    assert plan.nodes["setup.dir"].keeps_output


# Policy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("{}", ErrorPolicy()),
        ("{on_item_failure: skip}", ErrorPolicy(on_item_failure="skip")),
        ("{max_failures: 7}", ErrorPolicy(max_failures=7)),
        ("{failure_threshold: 0.25}", ErrorPolicy(failure_threshold=0.25)),
        ("{failure_threshold: 25%}", ErrorPolicy(failure_threshold=0.25)),
        ("{failure_threshold: 1}", ErrorPolicy(failure_threshold=1.0)),
        (
            "{circuit_breaker: {failure_threshold: 5, timeout: 2m}}",
            ErrorPolicy(breaker=Breaker(failures=5, pause_s=120.0)),
        ),
        ("{circuit_breaker: {failures: 5, pause: 1.5}}", ErrorPolicy(breaker=Breaker(failures=5, pause_s=1.5))),
        ("{circuit_breaker: {failures: 5}}", ErrorPolicy(breaker=Breaker(failures=5, pause_s=60.0))),
    ],
)
def test_an_error_policy(words: str, expected: ErrorPolicy) -> None:
    """Shares as numbers or in percent, the breaker in either spelling."""
    assert the_map(f"error_policy: {words}").errors == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", None),
        ("error_policy: {on_item_failure: dlq}", None),
        ("error_policy: {on_item_failure: retry}", Retry(attempts=4)),
        ("error_policy: {on_item_failure: retry, max_retries: 0}", Retry(attempts=1)),
        ("error_policy: {on_item_failure: retry, max_retries: 5}", Retry(attempts=6)),
        ("retry: 2", None),
    ],
)
def test_an_item_is_tried_again_where_its_failure_means_that(words: str, expected: Retry | None) -> None:
    """The whole template is; a retry of the map is another matter."""
    assert compiled(workflow(words)).nodes["map[]"].policy.retry == expected


def test_a_map_has_policy_of_its_own() -> None:
    """As any node has."""
    words = "timeout: 1h\nretry: 1\nwhen: true\ncheckpoint: true\non_failure: {shell: x}\nagent_timeout: 90"
    nodes = compiled(workflow(words)).nodes
    expected = Policy(
        when=expression.parse("true", frozenset()),
        timeout=3600.0,
        retry=Retry(attempts=2),
        checkpoint=True,
        on_failure=Handlers(address="map.on_failure"),
    )
    assert (nodes["map"].policy, nodes["map[]"].policy) == (expected, Policy(timeout=90.0))


def test_limits_are_those_of_the_file() -> None:
    """Or ten at once, no limit of processes, a version every hundred."""
    words = "max_parallel: 1000\nmax_processes: 4\ncheckpoint_frequency: 1000000"
    found = [(m.max_parallel, m.max_processes, m.checkpoint_frequency) for m in (the_map(), the_map(words))]
    assert found == [(10, None, 100), (1000, 4, 1_000_000)]


# What it runs, to resume ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "input: b.json",
        "filter: a",
        "sort_by: a",
        "distinct: a",
        "offset: 1",
        "max_items: 1",
        "item_key: '${item}'",
    ],
)
def test_a_map_is_another_where_it_has_other_items(words: str) -> None:
    """Which items there are, and what they are known by, define it."""
    assert compiled(workflow(words)).nodes["map"].definition != compiled(workflow()).nodes["map"].definition


def test_a_map_is_the_same_whatever_else_changes() -> None:
    """Limits, policy and template may."""
    words = "max_parallel: 3\nretry: 2\nerror_policy: {max_failures: 2}"
    other = compiled(workflow(words, template="[{shell: other}]", reduce="[{claude: '${map.results}'}]"))
    assert other.nodes["map"].definition == compiled(workflow()).nodes["map"].definition


# Names ------------------------------------------------------------------------------------------------------


def test_what_setup_makes_known_is_known_in_map_and_reduce() -> None:
    """Ids, captures and the last output."""
    prompt = "[{claude: '${a.output} ${c} ${shell.output}'}]"
    setup = "[{shell: x, id: a}, {shell: y, capture: c}]"
    assert refusals(workflow(setup=setup, template=prompt, reduce=prompt)) == []


def test_a_filter_knows_the_item_in_either_form() -> None:
    """As a bare path and as a reference."""
    assert refusals(workflow("filter: \"${item.a} == 1 && a == 1 && '${item}' != 'x'\"")) == []


def test_the_template_knows_its_item_and_its_own_steps() -> None:
    """After their step, as everywhere."""
    template = (
        "[{shell: 'echo ${item.a.b[0]} ${item_key} ${item_index}', id: x, capture: y}, {claude: '${x.stderr} ${y}'}]"
    )
    assert refusals(workflow(template=template)) == []


def test_reduce_and_handlers_of_the_map_know_what_became_of_it() -> None:
    """Counts, results and dead letters, and the whole of it."""
    prompt = "{claude: '${map.total} ${map.successful} ${map.failed} ${map.results} ${map.dead_letters} ${map}'}"
    reduce = f"{{commands: [{prompt}], when: '${{map.failed}} == 0'}}"
    assert refusals(workflow(f"on_failure: {prompt}", reduce=reduce)) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("${map.results}", True),
        ("${map.dead_letters|file}", True),
        ("${map}", True),
        ("${x:-${map.results}}", True),
        ("${map.total} ${map.successful} ${map.failed}", False),
        ("nothing", False),
    ],
)
def test_results_are_kept_where_something_refers_to_them(words: str, expected: bool) -> None:
    """Then every step of the template keeps what it printed."""
    template = "[{shell: a, on_failure: {shell: c}}, {claude: b}]"
    plan = compiled("variables: {x: 1}\n" + workflow(template=template, reduce=f"[{{claude: '{words}'}}]"))
    body = plan.nodes["map"].body
    assert isinstance(body, Map)
    kept = [node.address for node in plan.nodes.values() if node.keeps_output]
    assert (body.keeps_results, kept) == (expected, ["map[][0]", "map[][1]"] if expected else [])


def test_the_last_output_before_the_map_is_kept_for_reduce() -> None:
    """No step inside an item hides it, and none of them is kept for it."""
    plan = compiled(workflow(setup="[{shell: a}]", reduce="[{claude: '${shell.output}'}]"))
    assert [node.address for node in plan.nodes.values() if node.keeps_output] == ["setup[0]"]


def test_a_failure_in_an_item_is_answered_by_a_later_step_of_it() -> None:
    """As in any sequence."""
    plan = compiled(workflow(template="[{shell: a, id: a}, {shell: b, when: '${a.success}'}]"))
    assert plan.nodes["map[]"].body == Sequence(
        children=("map[].a", "map[][1]"), answers={"map[].a": ("map[][1]",)}
    )  # fmt: skip


def test_notices_look_into_the_template() -> None:
    """A map is no step that they could stumble over."""
    text = workflow(template="""[{shell: 'sh -c "ls ${item}"'}]""")
    found = [notice.message for notice in workflow_notices(text.encode(), file="w.yaml")]
    assert found == ["${item} becomes part of the code that 'sh -c' runs"]


# The language and its table ---------------------------------------------------------------------------------


def test_the_schema_offers_the_choices_that_a_map_has() -> None:
    """The table and the plan name the same words."""
    key = schema.find("error_policy", "on_item_failure")
    assert key is not None
    assert key.choices == get_args(OnItemFailure)


def test_the_keys_of_a_map_are_explained() -> None:
    """By their path, with what stands inside them."""
    assert describe("map.error_policy.max_failures") == (
        "max_failures: a key of error_policy\n"
        "  After so many failed items no further one begins.\n"
        "  Takes a whole number, from 1 to 1000000."
    )
    inside = [line.split()[0] for line in describe("map.error_policy").splitlines() if line.startswith("    ")]
    assert inside == ["on_item_failure", "max_retries", "max_failures", "failure_threshold", "circuit_breaker"]
    assert "commands" in describe("reduce").split()


def test_the_json_schema_has_every_part() -> None:
    """Whatever it refers to is there."""
    document = json_schema()
    referred = {
        node["$ref"].removeprefix("#/$defs/")
        for node in walk(document)
        if isinstance(node, dict) and isinstance(node.get("$ref"), str)
    }
    assert referred - document["$defs"].keys() == set()
    assert {"phase", "map", "input", "agent_template", "error_policy", "circuit_breaker"} <= referred


def walk(value: Any) -> list[Any]:
    """Return a value and everything in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for one in inner for found in walk(one))]


def test_however_many_items_are_asked_for_each_has_its_own_node() -> None:
    """Those of late are kept, and not more than that."""
    plan = compile_workflow(
        b"{name: m, mode: mapreduce, map: {input: {command: ls}, agent_template: [{shell: 'true', id: x}]}}", file="m"
    )
    addresses = [f"map[{number}].x" for number in range(10_000)]
    assert [plan.node(address).address for address in addresses + addresses[:10]] == addresses + addresses[:10]
    assert plan.node(addresses[0]) is plan.node(addresses[0])
    assert len(plan._of_items) < 5000
