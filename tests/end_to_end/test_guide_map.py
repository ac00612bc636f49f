"""The guide's example 3 as printed: a map over real files, interrupted twice, with more workers, with a dead letter."""

import json
import shutil
import signal
import sys

import pytest

from tests.end_to_end.guide import SOURCES, install, prompts, script
from tests.end_to_end.house import House, Live, eventually

NAME = "analyze-large-codebase"
FILES = sorted(f"./src/{name}.{end}" for end in ("js", "ts") for name in ("it's", "$(reboot)", *map(str, range(18))))
BAD = "./src/7.ts"
WORKERS = 10

# Analysts do as many files as they may and then stand still, so that a run can be caught in the act.
ANALYST = """case $PROMPT in /analyze-file*)
    echo "$PROMPT" >> asked
    [ "$(grep -c . done)" -lt "$(cat allowed)" ] || { echo . >> standing; exec sleep 1000; }
    echo "$PROMPT" >> done;;
esac
"""
ESLINT = f"""#!/bin/sh
echo "$2 $1" >> linted
[ "$1" != {BAD} ] || [ -e mended ] || {{ echo "$1: no semicolon" >&2; exit 1; }}
"""
JQ = f"""#!{sys.executable}
import json, sys
if sys.argv[1:] == ["-R", "."]:
    print("\\n".join(json.dumps(line) for line in sys.stdin.read().splitlines()))
else:
    print(json.dumps([json.loads(line) for line in sys.stdin]))
"""


def install_analysis(house: House, source: str, *, allowed: int = 1000) -> None:
    """Put example 3 in place, with its sources and all that it calls; so many files are analysed without a stop."""
    install(house, source, NAME, first=ANALYST)
    house.program("eslint", ESLINT)
    if shutil.which("jq", path=house.environment["PATH"]) is None:
        house.program("jq", JQ)
    for name in FILES:
        house.write(name, "")
    for name in ("done", "standing"):
        house.write(name, "")
    house.write("allowed", str(allowed))
    script(house, "generate_report.py")


def caught(house: House, live: Live, *, workers: int) -> list[str]:
    """Interrupt a run whose analysts all stand still, and return what its stderr began with."""
    standing = house.folder / "standing"
    eventually(lambda: standing.read_text().count(".") >= workers, f"{workers} analysts who stand still")
    standing.write_text("")
    live.send(signal.SIGINT)
    code, _, err = live.wait()
    assert 130 == code
    return err.splitlines()


def lines_of(house: House, name: str) -> list[str]:
    """Return the lines of a file of the project."""
    return (house.folder / name).read_text().splitlines()


@pytest.mark.parametrize("source", SOURCES)
def test_example_3_is_interrupted_twice_and_goes_on_with_more_workers(house: House, source: str) -> None:
    """Every file is analysed and linted once; the one with an error is a dead letter, and a success in the end."""
    install_analysis(house, source, allowed=8)
    caught(house, house.start("cook", f"{NAME}.yaml"), workers=WORKERS)
    first = len(lines_of(house, "done"))
    house.write("allowed", "16")
    job, *_ = caught(house, house.start("resume-job", NAME), workers=WORKERS)
    assert job.startswith("     job  ") and f"{WORKERS} in flight" in job
    house.write("allowed", "1000")
    code, out, _ = house.prodigy("resume-job", NAME, "--max-parallel", "20")
    assert (4, True, 40) == (code, "39 of 40 items done, 1 dead letter" in out, len(lines_of(house, "done")))
    assert 8 <= first <= 8 + WORKERS
    assert sorted(f"--fix {name}" for name in FILES) == sorted(lines_of(house, "linted"))
    assert ["generate_report"] == house.trace
    house.write("mended", "")
    assert 0 == house.prodigy("dlq", "retry", NAME).code
    assert [f"--fix {BAD}", ["generate_report"] * 2] == [lines_of(house, "linted")[-1], house.trace]


@pytest.mark.parametrize("source", SOURCES)
def test_example_3_sums_up_the_results_in_the_order_of_the_files(house: House, source: str) -> None:
    """The prompt of the reduce has them as JSON, each with what claude said of it."""
    install_analysis(house, source)
    house.write("mended", "")
    assert 0 == house.cook(NAME).code
    *_, summarised = prompts(house)
    word, _, document = summarised.partition(" ")
    rows = json.loads(document)
    listed = json.loads((house.folder / "files.json").read_text())
    assert ("/summarize-analysis", listed) == (word, [row["item"] for row in rows])
    assert {"item": FILES[0], "status": "succeeded", "output": "did /analyze-file"}.items() <= {
        key: value for row in rows if row["item"] == FILES[0] for key, value in row.items() if key != "outputs"
    }.items()


@pytest.mark.parametrize("source", SOURCES)
def test_example_3_has_a_checkpoint_every_fifty_items_at_most(house: House, source: str) -> None:
    """Forty items are fewer than that: the map has one version, at its end."""
    install_analysis(house, source)
    house.write("mended", "")
    house.cook(NAME)
    marked = [event["at"] for event in house.events("checkpoint_marked")]
    assert ["setup[0]", "map", "reduce[0]", "reduce[1]"] == marked
    steps = [step["command"] for step in house.checkpoint["completed_steps"]]
    assert "map: files.json (40 items)" == steps[1]
