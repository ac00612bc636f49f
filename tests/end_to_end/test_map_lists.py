"""A list is the items of a map, a value's text is a name and no pattern, and a map of nothing says why."""

import json
from typing import Any

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import SAY_RESULTS, mapreduce, results

ECHO = {"shell": "printf %s ${item}"}


def items(house: House, *arguments: str, **keys: Any) -> list[Any]:
    """Cook a map and return the items that it had."""
    mapreduce(house, ECHO, reduce=[SAY_RESULTS], **keys)
    code, out, err = house.prodigy("cook", "demo.yaml", *arguments)
    assert code == 0, out + err
    return [row["item"] for row in results(house)]


def test_a_variable_that_is_a_list_is_the_items(house: House) -> None:
    """Of any kind; one that looks like a file or a pattern is neither."""
    for name in ("a", "b"):
        house.write(name, "not this")
    parts = ["a", "*", "b c", {"deep": [1]}, None]
    assert items(house, input="${parts}", variables={"parts": parts}) == parts
    assert items(house, input="${all.parts[0]}", variables={"all": {"parts": [["x"]]}}) == ["x"]


@pytest.mark.parametrize(
    ("printed", "form", "expected"), [('["x", {"y": 1}]', "json", ["x", {"y": 1}]), ("x\ny *", "lines", ["x", "y *"])]
)
def test_a_captured_list_is_the_items(house: House, printed: str, form: str, expected: list[Any]) -> None:
    """What a step of the setup printed."""
    setup = [{"shell": f"printf '{printed}'", "capture": "found", "capture_format": form}]
    assert items(house, input="${found}", setup=setup) == expected


def test_a_parameter_is_a_list_of_json(house: House) -> None:
    """Where the variable is one."""
    variables = {"parts": ["a"]}
    assert items(house, "--param", 'parts=["x", "y"]', input="${parts}", variables=variables) == ["x", "y"]


def test_items_can_stand_in_the_workflow(house: House) -> None:
    """Values in them are data; alone they keep their kind, and numbers their spelling."""
    house.write(
        "demo.yaml",
        """
name: demo
mode: mapreduce
variables: {star: "*.py", parts: [1, 2], n: 3.10}
map:
  input: [a, "${star}", "x${star}", {name: "${parts}", version: 3.10, n: "${n}"}, "$${star}", 1e3]
  agent_template:
    - shell: echo ${item} ${item.version} ${item.n} >> said
  max_parallel: 1
""",
    )
    house.write("b.py", "")
    assert house.cook().code == 0
    (listed,) = house.events("items_listed")
    assert listed["items"] == ["a", "*.py", "x*.py", {"name": [1, 2], "version": 3.1, "n": 3.1}, "${star}", 1000]
    assert '{"name":[1,2],"version":3.1,"n":3.1} 3.10 3.10' in (house.folder / "said").read_text()
    assert "1e3" in (house.folder / "said").read_text()


def test_a_path_into_a_mapping_finds_the_items(house: House) -> None:
    """As in a file."""
    variables = {"all": {"files": [{"n": "a"}, {"n": "b"}]}}
    assert items(house, input="${all}", json_path="$.files[*].n", variables=variables) == ["a", "b"]


def test_the_glob_characters_of_a_value_stand_for_themselves(house: House) -> None:
    """Those of the author do not; `|raw` makes those of a value a pattern too."""
    for name in ("[x]/a.py", "[x]/b.py", "x/c.py", "*/d.py"):
        house.write(name, "")
    assert items(house, input="${dir}/*.py", variables={"dir": "[x]"}) == ["[x]/a.py", "[x]/b.py"]
    assert items(house, input={"glob": "${dir}/*.py"}, variables={"dir": "*"}) == ["*/d.py"]
    assert items(house, input="${dir|raw}/*.py", variables={"dir": "[x]"}) == ["x/c.py"]
    house.write("a*.txt", "line\n")
    house.write("ab.txt", "wrong\n")
    assert items(house, input="${file}", variables={"file": "a*.txt"}) == ["line"]


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"input": "g/*.txt"}, "nothing matched g/*.txt"),
        ({"input": {"glob": "g/*.txt"}}, "nothing matched g/*.txt"),
        (
            {"input": {"glob": "${p}"}, "variables": {"p": "*.yaml"}},
            "nothing matched *.yaml (the * ? [ of a value stand for themselves; ${name|raw} makes them a pattern)",
        ),
        ({"input": "${parts}", "variables": {"parts": []}}, "${parts} is empty"),
        ({"input": []}, "the list is empty"),
        ({"input": "items.json"}, "items.json is empty"),
        ({"input": {"command": "true"}}, "the output of `true` is empty"),
        ({"items": [{"a": 1}], "json_path": "$.b[*]"}, "$.b[*] found nothing in items.json"),
        ({"items": [1, 2, 3], "filter": "item > 5"}, "of 3, none passed item > 5"),
        ({"items": [1, 2, 3], "offset": 7}, "offset and max_items leave none of 3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_map_of_nothing_says_why(house: House, keys: dict[str, Any], note: str) -> None:
    """In the summary, for programs too, while it runs, and later."""
    mapreduce(house, ECHO, **keys)
    code, out, err = house.cook()
    assert (code, f"  0 items: {note}\n" in out, f"0 items: {note}" in err) == (0, True, True), out + err
    assert json.loads(house.prodigy("status", "--json").out)["map"]["note"] == note
    assert f"0 items: {note}" in house.prodigy("status", "demo").out


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"input": "${n}", "variables": {"n": 5}}, "map.input ${n} is 5, and neither a list nor a text"),
        ({"input": "${n}", "variables": {"n": None}}, "map.input ${n} is null, and neither a list nor a text"),
        ({"input": "${m}", "variables": {"m": {"a": [1]}}}, "${m}: this is no list of items; say where they are, such"),
        ({"input": "${p}/x", "variables": {"p": ["a"]}}, "${p} is a list, and map.input wants a name there"),
        ({"input": {"file": "${p}"}, "variables": {"p": ["a"]}}, "${p} is a list, and map.input wants a name there"),
        (
            {"input": "${p}", "variables": {"p": "*.yaml"}},
            "(the * ? [ of a value stand for themselves; ${name|raw} makes them a pattern)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_neither_a_list_nor_a_name_fails_with_a_sentence(
    house: House, keys: dict[str, Any], sentence: str
) -> None:
    """And no item begins."""
    mapreduce(house, ECHO, **keys)
    code, out, _ = house.cook()
    assert (code, sentence in out) == (1, True), out


@pytest.mark.parametrize(
    ("written", "parts", "shown"),
    [
        ("${parts}", ["a", "b"], "2 items now: a, b"),
        (["${parts}", "c*"], "a", "2 items now: a, c*"),
        ("g/${parts}.*", "*", "0 items now: nothing matched g/*.*"),
        ("${parts}", [], "0 items now: ${parts} is empty"),
        ("${parts}", 5, "no items now: map.input ${parts} is 5, and neither a list nor a text"),
    ],
)
def test_a_dry_run_says_which_items_there_would_be(house: House, written: Any, parts: Any, shown: str) -> None:
    """Or why there are none."""
    mapreduce(house, ECHO, input=written, variables={"parts": parts})
    result = house.prodigy("cook", "demo.yaml", "--dry-run")
    assert shown in result.out, result.out + result.err


def test_a_dry_run_shows_the_list(house: House) -> None:
    """With the values that are known."""
    mapreduce(
        house,
        ECHO,
        input=["a", "${b}", "${later}"],
        variables={"b": "x"},
        setup=[{"shell": "echo", "capture": "later"}],
    )
    shown = house.prodigy("cook", "demo.yaml", "--dry-run").out
    assert 'map: ["a","x","${later}"]' in shown
    assert "known only when it runs: ${later}" in shown
    assert "items now" not in shown


def test_a_list_is_wanted_where_the_workflow_has_one(house: House) -> None:
    """Refused before a run is made, with an example; a fork likewise."""
    mapreduce(house, ECHO, input="${parts}", variables={"parts": ["a"]}, reduce=[SAY_RESULTS])
    code, _, err = house.prodigy("cook", "demo.yaml", "--param", "parts=a,b")
    assert (code, """--param 'parts=["a","b"]'""" in err, (house.state / "runs").exists()) == (2, True, False)
    assert house.cook().code == 0
    assert house.prodigy("fork", house.run_id, "--at", "map", "--set", "parts=x").code == 2
    assert house.prodigy("fork", house.run_id, "--at", "map", "--set", 'parts=["x", "y"]').code == 0
    assert [row["item"] for row in results(house)] == ["x", "y"]
