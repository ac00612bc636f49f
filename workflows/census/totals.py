"""Print what the database holds, as `name number` lines."""

import os
import sqlite3
import sys
from contextlib import closing

NAMES = ("files", "lines", "bytes", "functions", "classes")
TOTALS = "SELECT count(*), sum(lines), sum(bytes), sum(functions), sum(classes) FROM files"

with closing(sqlite3.connect(os.path.join(sys.argv[1], "census.sqlite"))) as database:
    for name, number in zip(NAMES, database.execute(TOTALS).fetchone(), strict=True):
        print(name, number or 0)
