"""No option is dropped in silence: of every command each pair is honoured, or refused before anything happens."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from typer.core import TyperGroup

from prodigy.cli.framework import Command
from prodigy.cli.option_conflicts import REFUSED, name_of
from prodigy.errors import UsageProblem
from tests.cli.whole import whole
from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce
from tests.end_to_end.test_stages import stage, stages

COOK = "FILE --param --max-retries --resume --param-file --dry-run --durability --claude-bin --budget --yes --json"
FILTERS = "REF --job-id --type --step --since --after-seq --generation"

# Of each command what it takes. Whoever adds a name here has looked at it beside each of the others: the two are
# honoured together, or the pair stands in the table of those that are refused.
LOOKED_AT = {
    "init": "FILE --json",
    "validate": "FILES --json",
    "schema": "PATH --json",
    "cook": COOK,
    "run": COOK,
    "resume": "REF --force --from-checkpoint --max-retries --max-parallel --accept-changes --trust --yes --json",
    "resume-job": "REF --max-parallel --max-retries --accept-changes --trust --yes --json",
    "approve": "REF NODE --json",
    "fork": "REF --at --set --accept-changes --trust --yes --json",
    "ps": "--json",
    "stop": "REF --json",
    "status": "REF --watch --json",
    "cost": "REF --by --json",
    "budget": "REF --raise --json",
    "logs": "REF STEP --follow --failed --json",
    "replay": "REF --until --generation --step --check --json --jsonl",
    "explain": "REF STEP --json",
    "diff": "REF_A REF_B --json",
    "doctor": "--json",
    "events ls": f"{FILTERS} --limit --json --jsonl",
    "events search": f"PATTERN --ignore-case {FILTERS} --limit --json --jsonl",
    "events export": f"{FILTERS} --format --json",
    "events stats": "REF --job-id --generation --json",
    "events follow": "REF --job-id --json --jsonl",
    "events verify": "REF --job-id --json",
    "checkpoints list": "--workflow-id --verbose --json",
    "checkpoints show": "REF --version --verbose --json",
    "checkpoints validate": "REF --repair --json",
    "checkpoints clean": "--all --workflow-id --older-than --dead-letters --force --dry-run --purge --json",
    "dlq list": "REF --filter --json",
    "dlq show": "REF --item --filter --json",
    "dlq retry": "REF --item --filter --max-parallel --no-reduce --trust --json",
    "dlq export": "REF --format --filter --json",
    "dlq stats": "REF --filter --json",
    "dlq purge": "REF --item --filter --force --json",
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house of one's own."""
    built = House(tmp_path)
    yield built
    built.close()


def leaves(command: Command, *path: str) -> Iterator[tuple[str, Command]]:
    """Yield every command that does something, by its words."""
    if not isinstance(command, TyperGroup):
        yield " ".join(path), command
        return
    for name, below in command.commands.items():
        yield from leaves(below, *path, name)


COMMANDS = dict(leaves(whole()))
PAIRS = [(command, *pair) for command, pairs in REFUSED.items() for pair in pairs]


def test_every_option_of_every_command_was_looked_at_beside_the_others() -> None:
    """A new one fails here until somebody has."""
    found = {words: {name_of(one) for one in command.params} for words, command in COMMANDS.items()}
    assert {words: set(names.split()) for words, names in LOOKED_AT.items()} == found


def test_what_is_refused_is_a_pair_of_the_command() -> None:
    """Each once, in either order."""
    pairs = {words: set(combinations(sorted(names.split()), 2)) for words, names in LOOKED_AT.items()}
    assert {} == {
        words: odd for words, refused in REFUSED.items() if (odd := {tuple(sorted(p)) for p in refused} - pairs[words])
    }


@pytest.mark.parametrize(("words", "one", "other"), PAIRS, ids=[" ".join(pair) for pair in PAIRS])
def test_a_pair_that_makes_no_sense_is_refused(words: str, one: str, other: str) -> None:
    """Whatever their order, with a sentence that has both names; nothing was looked for, nothing begun."""
    command = COMMANDS[words]
    by_name = {name_of(parameter): parameter for parameter in command.params}
    values = {
        name: [name] if getattr(by_name[name], "is_flag", False) else [name, "1"]
        for name in (one, other)
        if "-" in name
    }
    arguments = [
        "x" for name in by_name if not name.startswith("-") and (name in (one, other) or by_name[name].required)
    ]
    for order in ((one, other), (other, one)):
        typed = [*words.split(), *arguments, *(word for name in order for word in values.get(name, ()))]
        with pytest.raises(UsageProblem) as refused:
            whole().main(typed, prog_name="prodigy", standalone_mode=False)
        assert [True, True] == [name in refused.value.message for name in (one, other)]
        assert REFUSED[words][(one, other)] in refused.value.message


@pytest.mark.parametrize("back", [("--force",), ("--from-checkpoint", "map"), ("--from-checkpoint", "v1")])
def test_whoever_goes_back_says_how_many_items_at_once(house: House, back: tuple[str, ...]) -> None:
    """With `--force` too, which begins the log anew."""
    work = {"shell": "mkdir at-work 2>/dev/null && rmdir at-work || echo two >> trace"}
    mapreduce(house, work, items=list("abcdef"), max_parallel=6, setup=[{"shell": "true"}])
    house.cook()
    assert 0 == house.prodigy("resume", "demo", *back, "--max-parallel", "1").code
    (begun,) = house.events("run_resumed" if "--force" not in back else "run_started", 2)
    assert 1 == begun["max_parallel"]


@pytest.mark.parametrize("back", [(), ("--force",), ("--from-checkpoint", "v1"), ("--from-checkpoint", "mirror")])
def test_how_many_items_at_once_is_refused_where_there_are_no_items(house: House, back: tuple[str, ...]) -> None:
    """Wherever the run would go on from; nothing is written."""
    house.workflow({"shell": "true"}, {"shell": "false"})
    house.cook()
    before = house.log().read_bytes()
    code, out, err = house.prodigy("resume", "demo", *back, "--max-parallel", "2")
    assert (2, "") == (code, out)
    assert "error: --max-parallel is for the items of a map, and demo has none\n" in err
    assert (["events-1.jsonl"], before) == (
        sorted(p.name for p in house.run.glob("events-*")),
        house.log().read_bytes(),
    )


def test_a_refused_pair_has_exit_code_2_and_a_hint(house: House) -> None:
    """As every slip of the hand."""
    stages(house, stage("one", {"shell": "true"}))
    reason = REFUSED["cook"][("FILE", "--resume")]
    said = f"error: FILE and --resume do not go together: {reason}\n  Give one of them.\n"
    assert (2, "", said) == house.prodigy("cook", "demo.yaml", "--resume", "demo")
