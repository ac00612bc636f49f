"""Each of the big list of naughty strings arrives byte for byte, wherever a value, item, name or path may stand."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodigy.cli.output.complaints import shown
from prodigy.errors import WorkflowProblem
from prodigy.plan.compile import compile_workflow
from prodigy.plan.nodes import Plan
from prodigy.store.layout import new_id
from tests.corpus.lists import IS_THERE, WHY_NOT, naughty_strings
from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce
from tests.stand_in import install, rule

pytestmark = pytest.mark.skipif(not IS_THERE, reason=WHY_NOT)

# What keeps the prompt that it was given.
KEEPS = {"bash": 'printf %s "$PROMPT" > "prompts/$PRODIGY_EPOCH"'}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A project of its own."""
    house = House(tmp_path)
    yield house
    house.close()


def compiled(text: str, file: str = "w.yaml") -> Plan | str:
    """Return the plan of a workflow, or what is printed about its mistakes."""
    try:
        return compile_workflow(text.encode(), file=file)
    except WorkflowProblem as refused:
        return "\n".join(map(shown, refused.problems))


def test_as_items(house: House) -> None:
    """In quotes and alone, each is one word to the step, and the same bytes."""
    strings = naughty_strings()
    (house.folder / "quoted").mkdir()
    (house.folder / "alone").mkdir()
    script = 'printf %s "${item}" > quoted/${item_index}; printf %s ${item} > alone/${item_index}'
    mapreduce(house, {"shell": script}, items=strings, max_parallel=8)
    result = house.cook()
    assert (result.code, result.err.count("Traceback")) == (0, 0)
    for folder in ("quoted", "alone"):
        arrived = [(house.folder / folder / str(index)).read_bytes() for index in range(len(strings))]
        assert arrived == [string.encode() for string in strings]


def test_as_values(house: House) -> None:
    """As variables of one workflow they arrive together; there `$${` writes `${`."""
    variables = {f"n{index}": string for index, string in enumerate(naughty_strings())}
    escaped = {name: string.replace("${", "$${") for name, string in variables.items()}
    words = " ".join(f"${{{name}}}" for name in variables)
    house.workflow({"shell": f"printf '%s\\0' {words} > all"}, variables=escaped)
    assert house.cook().code == 0
    assert (house.folder / "all").read_bytes() == b"".join(value.encode() + b"\0" for value in variables.values())


def test_as_parameters(house: House) -> None:
    """From a file of parameters each replaces a variable."""
    parameters = {f"n{index}": string for index, string in enumerate(naughty_strings())}
    house.write("parameters.json", json.dumps(parameters))
    words = " ".join(f"${{{name}}}" for name in parameters)
    house.workflow({"shell": f"printf '%s\\0' {words} > all"}, variables=dict.fromkeys(parameters, "unset"))
    assert house.prodigy("cook", "demo.yaml", "--param-file", "parameters.json").code == 0
    assert (house.folder / "all").read_bytes() == b"".join(value.encode() + b"\0" for value in parameters.values())


def test_as_prompts(house: House) -> None:
    """A prompt is what the model reads, to the last byte."""
    (house.folder / "prompts").mkdir()
    install(house.programs, rule(KEEPS))
    strings = [string for string in naughty_strings() if string.strip()]
    mapreduce(house, {"claude": "say ${item}."}, items=strings, max_parallel=8)
    assert house.cook().code == 0
    heard = sorted(path.read_bytes() for path in (house.folder / "prompts").iterdir())
    assert heard == sorted(f"say {string}.".encode() for string in strings)


def test_as_paths(house: House) -> None:
    """Files with such names are items of a glob, and their names reach the step."""
    names = [name for name in naughty_strings() if "/" not in name and 0 < len(name.encode()) < 250 and name[0] != "."]
    names = [name for name in names if name not in (".", "..")]
    (house.folder / "files").mkdir()
    for name in names:
        (house.folder / "files" / name).write_text("")
    mapreduce(house, {"shell": "test -e ${item} && printf %s ${item} > ${item}"}, input="files/*", max_parallel=8)
    assert house.cook().code == 0
    read = {path.name: path.read_bytes() for path in (house.folder / "files").iterdir()}
    assert read == {name: f"files/{name}".encode() for name in names}


def test_as_a_workflow_file(house: House) -> None:
    """A workflow file of any name can be checked and run, or its name is refused."""
    names = [name for name in naughty_strings() if "/" not in name and 0 < len(name.encode()) < 250][::40]
    for name in names:
        (house.folder / name).write_text("commands: [{shell: 'true'}]\n")
        ended = [house.prodigy(command, "--", name) for command in ("validate", "cook")]
        assert [(result.code, "Traceback" in result.err) for result in ended] == [(0, False)] * 2, name


def test_as_names_of_workflows() -> None:
    """Any text is a name; what becomes of it in ids is harmless as a path."""
    for string in naughty_strings():
        plan = compiled(json.dumps({"name": string, "commands": [{"shell": "true"}]}))
        if isinstance(plan, str):
            assert "name" in plan
        else:
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", new_id(plan.name, "abc234"))


def test_as_ids() -> None:
    """An id is a name or is refused with a sentence; nothing between."""
    for string in naughty_strings():
        plan = compiled(json.dumps({"commands": [{"id": string, "shell": "true"}]}))
        is_name = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,99}", string) is not None
        assert isinstance(plan, Plan) <= is_name, string
        assert isinstance(plan, Plan) or plan.startswith("w.yaml:1:"), string


def test_as_references(house: House) -> None:
    """Where a run is to be named, a text that names none is answered in one line, with exit code 6."""
    house.workflow({"shell": "true"})
    house.cook()
    for string in naughty_strings()[::25]:
        if os.fsencode(string).strip():
            result = house.prodigy("status", "--", string)
            assert (result.code, "Traceback" in result.err, "\033" in result.err) == (6, False, False), string
