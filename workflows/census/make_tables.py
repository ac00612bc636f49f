"""Make the tables that the census is loaded into, where they are missing."""

import os
import sqlite3
import sys
from contextlib import closing

TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY,
    package TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    code INTEGER NOT NULL,
    comments INTEGER NOT NULL,
    functions INTEGER NOT NULL,
    classes INTEGER NOT NULL,
    problem TEXT
)
"""

with closing(sqlite3.connect(os.path.join(sys.argv[1], "census.sqlite"))) as database, database:
    database.execute(TABLES)
print("the tables are there")
