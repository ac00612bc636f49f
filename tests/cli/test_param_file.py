"""`--param-file`: variables from a file, as data."""

from pathlib import Path

import pytest

from tests.end_to_end.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A project whose workflow shows its variables."""
    built = House(tmp_path)
    built.write("w.yaml", "variables: {a: 1, b: 2, c: 3}\ncommands: [{claude: '/do ${a} ${b} ${c}'}]\n")
    return built


def prompt(house: House, *arguments: str) -> str:
    """Return what the step would be told."""
    return house.prodigy("cook", "w.yaml", "--dry-run", *arguments).out.splitlines()[-1].strip()


def test_a_file_replaces_variables_and_the_command_line_replaces_those(house: House) -> None:
    """The nearest to the hand wins."""
    house.write("p.yaml", "a: file\nb: file\n")
    assert prompt(house, "--param-file", "p.yaml", "--param", "b=typed") == "claude: /do file typed 3"


def test_values_keep_their_type_and_are_never_expanded(house: House) -> None:
    """A list stays a list, and `${…}` in a value is text."""
    house.write("p.json", '{"a": [1, {"x": null}], "b": "${a}", "c": "$(reboot)"}')
    assert prompt(house, "--param-file", "p.json") == 'claude: /do [1,{"x":null}] ${a} $(reboot)'


def test_a_list_is_refused_with_its_place(house: House) -> None:
    """As every mistake in a file is."""
    house.write("p.json", "[1]")
    refused = "error: p.json:1:1: this is no mapping of names to values\n  [1]\n  ^\n  for example  batch_size: 500\n"
    assert house.prodigy("cook", "w.yaml", "--dry-run", "--param-file", "p.json") == (3, "", refused)


@pytest.mark.parametrize("name", ["absent.yaml", "folder", "/dev/zero"])
def test_what_is_no_file_is_refused(house: House, name: str) -> None:
    """At once, and nothing runs."""
    house.write("folder/inside", "")
    refused = f"error: --param-file {name} is not a file\n  Name a file of YAML or JSON.\n"
    assert house.prodigy("cook", "w.yaml", "--param-file", name) == (2, "", refused)
    assert not house.state.exists()


def test_a_name_that_belongs_to_the_language_is_refused(house: House) -> None:
    """As on the command line."""
    house.write("p.yaml", "item: 1\n")
    refused = house.prodigy("cook", "w.yaml", "--param-file", "p.yaml")
    assert (refused.code, refused.out, house.state.exists()) == (2, "", False)
