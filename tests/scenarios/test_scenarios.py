"""Is the meaning right? One text file each, with a transcript that a person has read. `pytest --rewrite` updates."""

from pathlib import Path

import pytest

from tests.scenarios.scenario import play, read, write

SCENARIOS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path, rewrites: bool) -> None:
    """What happens is what was written down."""
    scenario = read(path)
    transcript = play(scenario)
    if rewrites:
        write(path, scenario, transcript)
        return
    assert transcript == scenario.transcript


def test_every_scenario_says_what_to_check() -> None:
    """A transcript without a question proves nothing."""
    assert [path.stem for path in SCENARIOS if not read(path).check] == []


def test_there_are_scenarios() -> None:
    """An empty folder must not pass."""
    assert len(SCENARIOS) >= 25
