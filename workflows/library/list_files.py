"""Write files.jsonl: a line of JSON for each Python file below a folder, this Python's own library unless told.

What people installed beside the library is left out. Run again, it replaces the list.
"""

import json
import os
import sys
import sysconfig
from collections.abc import Iterator

INSTALLED = ("site-packages", "dist-packages")


def python_files(folder: str) -> Iterator[str]:
    for parent, names, files in os.walk(folder):
        names[:] = [name for name in names if name not in INSTALLED]
        paths = (os.path.join(parent, name) for name in files if name.endswith(".py"))
        yield from (path for path in paths if not os.path.islink(path))


def main(given: str, results: str) -> None:
    folder = os.path.realpath(given or sysconfig.get_path("stdlib"))
    os.makedirs(results, exist_ok=True)
    with open(os.path.join(results, ".gitignore"), "w", encoding="utf-8") as file:
        file.write("*\n")
    items = [
        {"folder": folder, "path": os.path.relpath(path, folder), "bytes": os.path.getsize(path)}
        for path in python_files(folder)
    ]
    unfinished = os.path.join(results, "files.jsonl.new")
    with open(unfinished, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(item) + "\n" for item in items)
    os.replace(unfinished, os.path.join(results, "files.jsonl"))
    print(f"{len(items)} files in {folder}")


main(*sys.argv[1:])
