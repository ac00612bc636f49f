"""Which workflow files are near: to be listed where none was named, and suggested where one does not exist."""

import os
import re
from pathlib import Path

ENDINGS = (".yaml", ".yml")
FOLDERS = (".", "workflows")
FILES_MAX = 1000
LOOKED_AT_BYTES = 64 * 1024
# A key that only a workflow begins with, or a list that begins with a step.
_LOOKS = re.compile(rb"^(?:commands|steps|stages):|^mode:\s*[\"']?mapreduce|^\s*- +(?:shell|claude):", re.MULTILINE)


def workflows_near(folder: Path) -> list[Path]:
    """Return the files in a folder and its `workflows` that look like workflows, relative to it, by name."""
    found = [Path(place) / name for place in FOLDERS for name in _yaml_files(folder / place)]
    return [path for path in found if _looks_like_a_workflow(folder / path)]


def nearest_file(path: Path) -> Path | None:
    """Return the workflow file that a path that does not exist most likely means: a slip, an ending, another folder."""
    import difflib  # 3 ms, for the hint of an error

    for place in dict.fromkeys((path.parent, path.parent / "workflows")):
        names = _yaml_files(place)
        alike = [name for name in names if Path(name).stem == path.stem or name == path.name]
        # Without the ending, which all of them share: it makes `ed.yaml` look like `a.yaml`.
        wanted = path.stem if path.suffix in ENDINGS else path.name
        near = alike or difflib.get_close_matches(wanted, [Path(name).stem for name in names], n=1)
        found = next((name for name in names if near and near[0] in (name, Path(name).stem)), None)
        if found is not None:
            return place / found
    return None


def _yaml_files(folder: Path) -> list[str]:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(ENDINGS) and entry.is_file()]
    except OSError:
        return []
    return sorted(names)[:FILES_MAX]


def _looks_like_a_workflow(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _LOOKS.search(file.read(LOOKED_AT_BYTES)) is not None
    except OSError:
        return False
