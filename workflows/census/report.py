"""Write report.md from the database; how the two counts agree comes on standard input."""

import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing

PACKAGES = """
SELECT package, count(*), sum(lines), sum(code), sum(comments), sum(functions), sum(classes)
FROM files GROUP BY package ORDER BY sum(lines) DESC, package LIMIT 15
"""
LARGEST = "SELECT path, lines, code, comments, functions, classes FROM files ORDER BY lines DESC, path LIMIT 10"
PROBLEMS = "SELECT path, problem FROM files WHERE problem IS NOT NULL ORDER BY path"
SHARES = "SELECT sum(lines), sum(code), sum(comments) FROM files"


def table(headings: str, rows: Sequence[Sequence[object]]) -> list[str]:
    numbers = [isinstance(value, int) for value in rows[0]] if rows else []
    rule = [" ---: " if is_number else " --- " for is_number in numbers]
    body = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return [f"| {' | '.join(headings.split())} |", f"|{'|'.join(rule)}|", *body, ""]


def cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|").replace("\n", " ")


def report(database: sqlite3.Connection, source: str, agreement: str, listed: int) -> str:
    lines, code, comments = database.execute(SHARES).fetchone()
    code_share, comment_share = code / max(lines, 1), comments / max(lines, 1)
    counts = [(name, int(here), int(there)) for name, here, there in map(str.split, agreement.splitlines())]
    problems = database.execute(PROBLEMS).fetchall()
    text = [f"# A census of {source}", ""]
    text += [f"{listed:,} files of Python, {lines:,} lines: {code_share:.0%} code, {comment_share:.0%} comments."]
    text += ["", "## Counted twice", "", "By Python's own parser, and by find, wc and grep.", ""]
    text += table("what parser independent", counts)
    text += ["## The largest packages", ""]
    text += table("package files lines code comments functions classes", database.execute(PACKAGES).fetchall())
    text += ["## The longest files", ""]
    text += table("file lines code comments functions classes", database.execute(LARGEST).fetchall())
    if problems:
        text += ["## Not Python, on purpose", ""]
        text += table("file why", problems)
    return "\n".join(text)


def main(source: str, results: str, listed: str) -> None:
    with closing(sqlite3.connect(os.path.join(results, "census.sqlite"))) as database:
        text = report(database, source, sys.stdin.read(), int(listed))
    path = os.path.join(results, "report.md")
    with open(path + ".new", "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    os.replace(path + ".new", path)
    print(text.splitlines()[2])
    print(f"all of it: {path}")


main(*sys.argv[1:])
