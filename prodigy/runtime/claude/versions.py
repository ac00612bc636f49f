"""Which versions of Claude Code were tried with what is said here of it; tests/real tries one."""

import re

import msgspec

from prodigy.runtime.claude.reading import Reading

TESTED = ((2, 1, 330), (2, 1, 332))
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})")


def is_tested(version: str) -> bool:
    """Whether this is a version with which it was tried; one that is not known is not said to be untested."""
    match = _VERSION.match(version)
    return match is None or TESTED[0] <= tuple(map(int, match.groups())) <= TESTED[1]


def tested() -> str:
    """Return the versions that were tried, in words."""
    return " to ".join(".".join(map(str, version)) for version in TESTED)


class Untested:
    """Warns of each version that nobody has tried, once in the life of a process."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def told(self, reading: Reading) -> Reading:
        """Return the reading, with a warning if its version has not been tried and was not told of yet."""
        version = reading.version
        if version in self._told or is_tested(version):
            return reading
        self._told.add(version)
        warning = f"Claude Code {version} was not tried with prodigy, which knows {tested()}"
        return msgspec.structs.replace(reading, warnings=(*reading.warnings, warning))
