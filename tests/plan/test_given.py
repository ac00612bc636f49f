"""Parameters that are typed must be of use; one that nothing uses is refused with the nearest name."""

import pytest

from prodigy.errors import UsageProblem
from prodigy.plan.compile import compile_with_notices, compile_workflow

BATCH = "variables: {batch: 1}\ncommands: [{shell: 'echo ${batch}'}]\n"
MAP = """
mode: mapreduce
map:
  input: ${list}
  filter: item.size > ${least}
  max_parallel: ${workers}
  agent_template:
    - shell: wc ${item}
      working_dir: ${folder}
      env: {LEVEL: "${level}"}
reduce:
  - claude: /sum ${map.results} ${topic:-${fallback}}
    when: ${wanted}
    retry: ${tries}
    on_failure: {shell: 'echo ${last_word}'}
"""


def given(text: str, *names: str) -> UsageProblem | None:
    """Return how these parameters are refused, or None."""
    try:
        parameters = dict.fromkeys(names, "5")
        compile_with_notices(text.encode(), file="w.yaml", parameters=parameters, given=frozenset(names))
    except UsageProblem as refused:
        return refused
    return None


@pytest.mark.parametrize(
    ("text", "names", "message", "hint"),
    [
        (BATCH, ["bach"], "nothing in w.yaml uses 'bach'", "did you mean batch?"),
        (BATCH, ["zz"], "nothing in w.yaml uses 'zz'", "it uses batch"),
        ("commands: [{shell: make}]", ["zz"], "nothing in w.yaml uses 'zz'", "it has no variables"),
        (BATCH, ["bacth", "bach"], "nothing in w.yaml uses 'bach' or 'bacth'", "did you mean batch?"),
        ("commands: [{shell: 'echo ${batch}'}]", ["batch", "zz"], "nothing in w.yaml uses 'zz'", "it uses batch"),
        (
            "commands: [{shell: 'echo ${batch} ${BASH_VERSION}'}]",
            ["bach"],
            "nothing in w.yaml uses 'bach'",
            "did you mean batch?",
        ),
        (
            "commands:\n  - shell: true\n  - shell: echo $batch\n",
            ["batch"],
            "nothing in w.yaml uses 'batch'",
            "the script on line 3 has $batch, which is the shell's own: write ${batch} there",
        ),
        (
            "env: {BATCH: 1}\ncommands: [{shell: make}]",
            ["BATCH"],
            "nothing in w.yaml uses 'BATCH'",
            "it has no variables",
        ),
    ],
)
def test_a_parameter_that_nothing_uses_is_refused(text: str, names: list[str], message: str, hint: str) -> None:
    """With all such names at once, and what would have been used."""
    refused = given(text, *names)
    assert refused is not None
    assert (refused.message, refused.hint) == (message, hint)


@pytest.mark.parametrize(
    "name", ["list", "least", "workers", "folder", "level", "topic", "fallback", "wanted", "tries", "last_word"]
)
def test_a_reference_anywhere_is_a_use(name: str) -> None:
    """In every key that takes `${…}`, inside defaults and in handlers too."""
    names = ["list", "least", "workers", "folder", "level", "topic", "fallback", "wanted", "tries", "last_word"]
    assert given(MAP, *names) is None
    refused = given(MAP.replace(name, "another"), *names, "another")
    assert refused is not None
    assert refused.message == f"nothing in w.yaml uses {name!r}"


def test_a_variable_may_be_set_though_nothing_refers_to_it() -> None:
    """The author has named it."""
    assert given("variables: {spare: 1}\ncommands: [{shell: make}]", "spare") is None


def test_what_a_run_remembers_is_not_asked_about_again() -> None:
    """A file may lose a variable between two starts."""
    plan = compile_workflow(b"commands: [{shell: make}]", file="w.yaml", parameters={"batch": "5"})
    assert plan.variables == {"batch": "5"}
