"""Load everything that was measured into census.sqlite, in one transaction that replaces what was there."""

import glob
import json
import os
import sqlite3
import sys
from contextlib import closing

INSERT = """
INSERT INTO files VALUES (:path, :package, :bytes, :lines, :code, :comments, :functions, :classes, :problem)
"""


def main(results: str) -> None:
    rows = []
    for name in sorted(glob.glob(os.path.join(glob.escape(results), "measured-*.jsonl"))):
        with open(name, encoding="utf-8") as file:
            rows += [json.loads(line) for line in file]
    path = os.path.join(results, "census.sqlite")
    try:
        with closing(sqlite3.connect(path, timeout=0.5)) as database, database:
            database.execute("DELETE FROM files")
            database.executemany(INSERT, rows)
    except sqlite3.OperationalError as error:
        sys.exit(f"{path}: {error}")
    print(f"{len(rows)} files loaded")


main(*sys.argv[1:])
