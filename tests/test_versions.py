"""What is installed is decided by files of this repository, not by the day."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
WANTED = [Requirement(line) for line in (*PROJECT["project"]["dependencies"], *GROUPS["dev"], *GROUPS["setup"])]


def locked() -> dict[str, str]:
    """Return the locked version of each package, those of other platforms included."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {name: rest.partition(" ")[0] for name, _, rest in (line.partition("==") for line in lines)}


def test_every_dependency_is_locked_at_a_version_it_allows() -> None:
    """A name or a bound that changes in pyproject.toml wants `make lock`."""
    versions = locked()
    allowed = {str(wanted): wanted.specifier.contains(versions[canonicalize_name(wanted.name)]) for wanted in WANTED}
    assert allowed == dict.fromkeys(allowed, True)


def test_every_dependency_has_a_lowest_version() -> None:
    """So that the lowest can be tried, and nobody gets one that never worked."""
    assert [str(wanted) for wanted in WANTED if not any(bound.operator == ">=" for bound in wanted.specifier)] == []


def test_an_upper_bound_has_its_reason_beside_it() -> None:
    """A bound without one outlives what it was for."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    bounded = [number for number, line in enumerate(lines) if line.strip().startswith('"') and ",<" in line]
    reasons = [any(above.startswith("# ") for above in lines[max(0, number - 2) : number]) for number in bounded]
    assert bounded and reasons == [True] * len(bounded)
