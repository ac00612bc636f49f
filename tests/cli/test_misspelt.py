"""A name on the command line that nothing refers to: exit 2, the nearest name, and nothing has run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.mapped import mapreduce


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A project with a completed run, a map that has a dead letter, and a stage that waits for a yes."""
    built = House(tmp_path_factory.mktemp("misspelt"))
    built.workflow({"id": "compile", "shell": "echo ${batch}"}, variables={"batch": 1})
    built.write("params.yaml", "bach: 5\nbatch: 6\n")
    mapreduce(built, {"id": "lint", "shell": 'test "${item}" = beta'}, items=["alpha", "beta"], name="mapped")
    built.write(
        "asking.yaml",
        "name: asking\nstages:\n  - {name: production, requires_confirmation: true, commands: [{shell: 'true'}]}\n",
    )
    codes = [built.cook(name).code for name in ("demo", "mapped", "asking")]
    assert codes == [0, 4, 5]
    yield built
    built.close()


def written(house: House) -> dict[str, bytes]:
    """Return all files but those that say who looked last, and what was refused last."""
    told = ("/lock", "/.prodigy/refused")
    return {path: content for path, (_, _, content) in house.snapshot().items() if not path.endswith(told)}


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        ("cook demo.yaml --param bach=5", "batch"),
        ("cook demo.yaml --param bach=5 --dry-run", "batch"),
        ("cook demo.yaml --param-file params.yaml", "batch"),
        ("run demo.yaml -p bach=5", "batch"),
        ("fork demo --at v1 --set bach=5", "batch"),
        ("fork demo --at compil", "compile"),
        ("fork demo --at v9", "v1"),
        ("resume demo --from-checkpoint compil", "compile"),
        ("resume demo --from-checkpoint v9", "v1"),
        ("checkpoints show demo --version v9", "v1"),
        ("logs demo compil", "compile"),
        ("logs mapped map[alfa].lint", "map[alpha].lint"),
        ("explain demo compil", "compile"),
        ("explain mapped map[alfa].lint", "map[alpha].lint"),
        ("events ls --job-id demo --step compil", "--step compile"),
        ("events ls --job-id demo --type node_failde", "node_failed"),
        ("events ls --job-id mapped --step map[alfa]", "map[alpha]"),
        ("dlq show mapped --item alfa", "alpha"),
        ("dlq retry mapped --item alfa", "alpha"),
        ("dlq purge mapped --item alfa --force", "alpha"),
        ("dlq show demo --item alfa", "no items"),
        ("dlq retry demo --item alfa", "no items"),
        ("dlq list mapped --filter lang=='js'", "no item has the field lang"),
        ("dlq show mapped --filter lang=='js'", "no item has the field lang"),
        ("dlq stats mapped --filter lang=='js'", "no item has the field lang"),
        ("dlq export mapped --filter lang=='js'", "no item has the field lang"),
        ("dlq retry mapped --filter lang=='js'", "no item has the field lang"),
        ("dlq purge mapped --filter lang=='js' --force", "no item has the field lang"),
        ("dlq list demo --filter lang=", "unexpected '='"),
        ("events ls mapped --after-seq 99", "Its last is"),
        ("events search . mapped --after-seq 99", "Its last is"),
        ("events export mapped --after-seq 99 --format csv", "Its last is"),
        ("events ls mapped --since 9999-01-01", "still to come"),
        ("approve asking prodcution", "production"),
        ("schema steps.retyr", "retry"),
    ],
)
def test_a_name_that_names_nothing_is_refused_with_the_nearest(house: House, arguments: str, near: str) -> None:
    """Nothing is printed to stdout, and no log, value or checkpoint has changed."""
    before = written(house)
    refused = house.prodigy(*arguments.split())
    assert (refused.code, refused.out, near in refused.err) == (2, "", True), refused.err
    assert written(house) == before


def test_an_edited_file_without_a_recorded_parameter_is_resumed(tmp_path: Path) -> None:
    """What was typed then need not be of use now; nor when the run is started over."""
    house = House(tmp_path)
    house.workflow({"shell": "echo ${batch}"}, {"id": "late", "shell": "false"}, variables={"batch": 1})
    house.prodigy("cook", "demo.yaml", "--param", "batch=5")
    house.workflow({"shell": "echo ${batch}"}, {"id": "late", "shell": "true"})
    resumed = house.prodigy("resume").code
    house.workflow({"id": "late", "shell": "true"})
    assert (resumed, house.prodigy("resume", "demo", "--force", "--yes").code) == (0, 0)


def test_a_limit_over_all_numbers_shows_all(house: House) -> None:
    """However many events that would be."""
    shown = house.prodigy("events", "ls", "demo", "--limit", "9" * 30)
    assert shown == house.prodigy("events", "ls", "demo")


def test_a_time_before_all_years_is_before_everything(house: House) -> None:
    """`--since` with it shows all."""
    shown = [house.prodigy("events", "ls", "demo", "--since", since) for since in ("999999d", "0001-01-01T00:00+14:00")]
    assert shown == [house.prodigy("events", "ls", "demo")] * 2
