"""List the Python files below a folder into files.txt, one path per line, and print how many there are.

What people installed beside the library is left out. Run again, it replaces the list.
"""

import os
import sys

INSTALLED = ("site-packages", "dist-packages")


def python_files(source: str) -> list[str]:
    found = []
    for folder, names, files in os.walk(source):
        names[:] = [name for name in names if name not in INSTALLED]
        paths = (os.path.join(folder, name) for name in files if name.endswith(".py"))
        found += [os.path.relpath(path, source) for path in paths if not os.path.islink(path)]
    return sorted(found)


def main(source: str, results: str) -> None:
    os.makedirs(results, exist_ok=True)
    with open(os.path.join(results, ".gitignore"), "w", encoding="utf-8") as file:
        file.write("*\n")
    paths = python_files(source)
    if not paths:
        sys.exit(f"there is no Python file in {source}")
    unfinished = os.path.join(results, "files.txt.new")
    with open(unfinished, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{path}\n" for path in paths)
    os.replace(unfinished, os.path.join(results, "files.txt"))
    print(len(paths))


main(*sys.argv[1:])
