"""Does the printed schema say what the reader does? Both judge the same documents."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from prodigy.errors import UsageProblem, WorkflowProblem
from prodigy.plan.schema import KEYS, WHERE, Key, Where
from prodigy.plan.schema_text import describe, described, json_schema
from tests.plan.test_document import read_document

VALIDATOR = Draft202012Validator(json_schema())

# One or more right values for each shape, and values that may be right in one place and wrong in another.
RIGHT: dict[str, list[Any]] = {
    "text": ["build it", 7, True],
    "prose": ["two\nlines", 1.5],
    "word": ["build", "a-b_2"],
    "command": ["make all", True],
    "condition": ["${build.success}", "1 < 2", False],
    "template": ["src/${name}", 3],
    "boolean": [True, False],
    "integer": [1, 3],
    "count": [2, "${tries}"],
    "duration": [90, 1.5, "90s", "1h30m", "2.5m", "${patience}"],
    "seconds": [5, "30s", "1m"],
    "reasons": [3, "timeout", ["killed", 137]],
    "variables": [{}, {"a": {"b": [None]}}],
    "environment": [{"A": "x", "B": None, "C": 3}],
    "retry": [0, 3, "${tries}"],
    "input": ["src/*.py", [], ["a", 1.5, {"b": ["c"]}, None]],
    "path": ["a.b[0]"],
    "order": ["a DESC", ["a", "b.c"]],
    "share": [0.5, "20%"],
    "asked": ["look at ${name}", True, {"prompt": "look", "model": "m"}],
    "texts": [["Read", "Bash(git *)"], "Edit", [], [3]],
    "json_schema": [{"type": "object"}, {}],
    "money": [50, 0.25],
}
WORDS = {key.name for key in KEYS if key.shape == "word"}
STRANGE = [None, True, 0, -1, 2.5, 10**9, "", "  ", "soon", "5 minutes", "x ${y}", "a\nb", [], [1], [""], {}, {"a": 1}]


NEEDED: dict[Where, tuple[str, ...]] = {
    "stage": ("name",),
    "retry": ("attempts",),
    "map": ("input", "agent_template"),
}
ONE_OF: dict[Where, tuple[tuple[str, ...], ...]] = {
    "workflow": (("commands",), ("steps",), ("stages",), ("mode", "map"), ("mode", "map", "setup", "reduce")),
    "step": (("shell",), ("claude",)),
    "input": (("file",), ("glob",), ("command",)),
    "claude": ((),),
    "circuit_breaker": (("failure_threshold",), ("failures",)),
    **dict.fromkeys(("stage", "on_failure", "phase", "agent_template"), (("commands",), ("steps",))),
}


def built(draw: Callable[[Any], Any], where: Where, depth: int = 0) -> dict[str, Any]:
    """Return a mapping in which every key that is there has a right value."""
    known = {key.name: key for key in KEYS if key.where == where}
    choices = ONE_OF.get(where, ((),))
    taken = {name for choice in choices for name in choice}
    more = sorted(name for name, key in known.items() if name not in taken and not key.alias_of)
    names = {*draw(st.sampled_from(choices)), *NEEDED.get(where, ())}
    if more and where != "input":
        names |= draw(st.sets(st.sampled_from(more), max_size=3 if depth < 4 else 0))
    return {name: right(draw, known[name], depth + 1) for name in sorted(names)}


def right(draw: Callable[[Any], Any], key: Key, depth: int) -> Any:
    """Return a value that the key takes."""
    match key.shape:
        case "choice":
            return draw(st.sampled_from(key.choices))
        case "steps":
            return [built(draw, "step", depth) for _ in range(draw(st.integers(1, 2)))]
        case "stages":
            return [built(draw, "stage", depth)]
        case "handlers":
            where: Where = draw(st.sampled_from(("step", "on_failure")))
            handlers = built(draw, where, depth)
            return [handlers] if where == "step" and draw(st.booleans()) else handlers
        case "phase" | "agent_template":
            group = built(draw, key.shape, depth)
            return group if draw(st.booleans()) else [built(draw, "step", depth)]
        case "claude":
            return {name: value for name, value in built(draw, "claude", depth).items() if name != "prompt"}
        case "map" | "error_policy" | "circuit_breaker" | "budget":
            return built(draw, key.shape, depth)
        case ("retry" | "input") as shape if draw(st.booleans()):
            return built(draw, shape, depth)
    return draw(st.sampled_from(RIGHT[key.shape]))


@st.composite
def documents(draw: Callable[[Any], Any]) -> Any:
    """Return a workflow that is right, or in which one value, somewhere, is another."""
    root: Any = built(draw, "workflow")
    root = root["commands"] if "commands" in root and draw(st.booleans()) else root
    if draw(st.booleans()):
        return root
    root = deepcopy(root)  # what it is put together from is shared by all tests
    places = list(inside(root))
    holder = draw(st.sampled_from(places))
    keys = (
        list(range(len(holder))) if isinstance(holder, list) else [*holder, *sorted({key.name for key in KEYS}), "odd"]
    )
    if keys:
        key = draw(st.sampled_from(keys))
        # Which texts are names the reader leaves to the compiler.
        holder[key] = draw(
            st.sampled_from([value for value in STRANGE if key not in WORDS or not isinstance(value, str)])
        )
    return root


def inside(value: Any) -> Any:
    """Yield every list and mapping that the schema knows the words of, the outermost first."""
    if isinstance(value, list):
        yield value
        for entry in value:
            yield from inside(entry)
    elif isinstance(value, dict):
        yield value
        for name, entry in value.items():
            if name not in ("variables", "env", "json_schema"):
                yield from inside(entry)


STEP = {"shell": "make"}
MAP = {"input": "*.py", "agent_template": [STEP]}
SMALLEST: dict[Where, dict[str, Any]] = {
    "workflow": {"commands": [STEP]},
    "stage": {"name": "build", "commands": [STEP]},
    "step": STEP,
    "retry": {"attempts": 2},
    "on_failure": {"commands": [STEP]},
    "phase": {"commands": [STEP]},
    "map": MAP,
    "input": {"glob": "*.py"},
    "agent_template": {"commands": [STEP]},
    "error_policy": {},
    "circuit_breaker": {"failures": 3},
    "claude": {"prompt": "look"},
    "budget": {},
}


def whole(where: Where, words: Any) -> Any:
    """Return the smallest workflow in which these words stand in that place."""
    match where:
        case "workflow":
            return words
        case "step":
            return [words]
        case "claude" if "idle_timeout" in words:
            return {"claude": {name: value for name, value in words.items() if name != "prompt"}, "commands": [STEP]}
        case "claude":
            return [{"claude": words}]
        case "stage":
            return {"stages": [words]}
        case "retry" | "on_failure":
            return [STEP | {where: words}]
        case "phase":
            return {"mode": "mapreduce", "map": MAP, "setup": words}
        case "map":
            return {"mode": "mapreduce", "map": words}
        case "budget":
            return {"commands": [STEP], where: words}
        case "circuit_breaker":
            return whole("error_policy", {where: words})
    return whole("map", MAP | {where: words})


def is_read(document: Any) -> bool:
    """Whether our reader takes a document; JSON is YAML."""
    try:
        read_document(json.dumps(document).encode(), file="w.yaml")
    except WorkflowProblem:
        return False
    return True


def test_the_schema_is_one() -> None:
    """Of the draft that it names."""
    Draft202012Validator.check_schema(json_schema())


@settings(max_examples=150, deadline=None)
@given(documents())
def test_the_schema_accepts_what_the_reader_accepts(document: Any) -> None:
    """And refuses what it refuses, as far as a schema can know."""
    assert VALIDATOR.is_valid(document) == is_read(document)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.where}.{key.name}")
def test_both_judge_every_value_of_every_key_alike(key: Key) -> None:
    """Whatever it is; a key that excludes another stands instead of it."""
    smallest = {name: value for name, value in SMALLEST[key.where].items() if key.field != name}
    values = [value for value in STRANGE if key.name not in WORDS or not isinstance(value, str)]
    judged = [whole(key.where, smallest | {key.name: value}) for value in (*values, *RIGHT.get(key.shape, ()))]
    assert [VALIDATOR.is_valid(document) for document in judged] == [is_read(document) for document in judged]


@pytest.mark.parametrize("key", [key for key in KEYS if key.alias_of], ids=lambda key: f"{key.where}.{key.name}")
def test_two_spellings_of_one_key_are_refused(key: Key) -> None:
    """By the schema and by the reader, where each alone would do."""
    other = next(other for other in KEYS if other.where == key.where and other.name == key.alias_of)
    right = [STEP] if key.shape == "steps" else RIGHT[key.shape][0]
    document = whole(key.where, SMALLEST[key.where] | {key.name: right, other.name: right})
    assert (VALIDATOR.is_valid(document), is_read(document)) == (False, False)


@pytest.mark.parametrize(
    ("path", "first_lines"),
    [
        ("timeout", [f"timeout: a key of {WHERE[key.where]}" for key in KEYS if key.name == "timeout"]),
        ("steps.retry", ["retry: a key of a step"]),
        ("commands[].retry", ["retry: a key of a step"]),
        ("stages.retry", ["retry: a key of a stage"]),
        ("steps.retry.backoff", ["backoff: a key of retry"]),
        ("stages.commands.shell", ["shell: a key of a step"]),
        ("steps.on_failure.max_attempts", ["max_attempts: a key of on_failure"]),
    ],
)
def test_a_path_finds_its_key(path: str, first_lines: list[str]) -> None:
    """With the place where it stands; a word alone finds every place."""
    assert [about.splitlines()[0] for about in describe(path).split("\n\n")] == first_lines


def test_a_key_is_described_with_all_that_it_takes() -> None:
    """Its choices or bounds, and the keys inside it."""
    assert describe("steps.timeout") == (
        "timeout: a key of a step\n"
        "  Longest time one attempt may take.\n"
        "  Takes seconds, 90s, 5m, 1h or a ${…}, from 0.001 to 31622400 seconds."
    )
    assert describe("steps.retry").splitlines()[3:5] == [
        "    attempts       All attempts.",
        "    backoff        How waits grow: exponential unless told.",
    ]


def test_a_key_of_words_names_them() -> None:
    """And a second spelling says of what."""
    assert describe("retry.backoff").splitlines()[2] == "  Takes one of fixed, linear, exponential, fibonacci."
    assert describe("steps.capture").splitlines()[-1] == "  Another spelling of capture_output."


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("steps.retri", "did you mean `prodigy schema steps.retry`?"),
        ("retry.backof", "did you mean `prodigy schema retry.backoff`?"),
        ("stages.xyz", "keys: name, commands, steps, when, retry, timeout, on_failure, checkpoint, "),
        ("name.retry", "did you mean `prodigy schema retry`?"),
        ("", "keys: name, description, commands, "),
    ],
)
def test_a_path_to_nothing_names_the_nearest(path: str, hint: str) -> None:
    """Or all the keys of the place."""
    with pytest.raises(UsageProblem) as refused:
        describe(path)
    assert (refused.value.message, (refused.value.hint or "")[: len(hint)]) == (f"there is no key {path!r}", hint)


def test_every_key_can_be_looked_up() -> None:
    """In its place."""
    places = {"workflow": "", "step": "steps.", "stage": "stages.", "phase": "setup."}
    paths = [f"{places.get(key.where, f'{key.where}.')}{key.name}" for key in KEYS]
    assert [path for path in paths if path.rpartition(".")[2] != describe(path).partition(":")[0]] == []


@pytest.mark.parametrize(
    "document",
    [
        {"commands": [{"shell": "make"}]},
        {"steps": [{"shell": "make"}]},
        [{"shell": "make"}],
        {"stages": [{"name": "a", "commands": [{"shell": "make"}]}]},
        {"stages": [{"name": "a", "steps": [{"shell": "make"}]}]},
        {"commands": [{"shell": "make", "on_failure": {"steps": [{"shell": "fix"}]}}]},
        {"mode": "mapreduce", "map": MAP, "setup": {"steps": [{"shell": "make"}]}},
        {"mode": "mapreduce", "map": MAP | {"agent_template": {"steps": [{"shell": "make"}]}}},
    ],
    ids=lambda document: json.dumps(document)[:60],
)
def test_one_step_is_enough_under_either_name(document: Any) -> None:
    """`commands` and `steps` are one key, wherever steps stand."""
    assert Draft202012Validator(json_schema()).is_valid(document)
    assert is_read(document)


def test_a_key_is_described_for_a_program() -> None:
    """All that is told of it, and what its value may be."""
    assert described("error_policy.max_retries") == [
        {
            "name": "max_retries",
            "of": "error_policy",
            "about": "How often on_item_failure: retry tries an item again: 3 unless told.",
            "takes": "a whole number or a ${…}, from 0 to 1000",
            "alias_of": None,
            "is_available": True,
            "keys": [],
            "schema": {
                "anyOf": [
                    {"type": "integer", "minimum": 0, "maximum": 1000},
                    {"type": "string", "pattern": r"\$\{"},
                ]
            },
        }
    ]
