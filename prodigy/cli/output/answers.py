"""Answers on stdout: tables for people, JSON and CSV for programs. A pipe gets no colour, no box and no cut."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from prodigy.cli.output.columns import columns_of_terminal, table
from prodigy.cli.output.streams import check_reader
from prodigy.errors import UsageProblem
from prodigy.plan.spelling import as_number
from prodigy.runtime.terminal import harmless_json


def print_json(document: Any) -> None:
    """Print one JSON document, indented."""
    print(harmless_json(msgspec.json.format(_encoded(document), indent=2).decode()))


def print_json_line(record: Any) -> None:
    """Print one JSON value as one line, of many maybe: `ReaderGone` where nobody reads them any more."""
    check_reader()
    print(harmless_json(_encoded(record).decode()))


def _encoded(document: Any) -> bytes:
    """Return JSON, which has only text: of a name that is no UTF-8 the bytes that are none are written as `\\xe9`."""
    try:
        return msgspec.json.encode(document, enc_hook=as_number)
    except UnicodeEncodeError:
        return msgspec.json.encode(_with_letters(msgspec.to_builtins(document, enc_hook=as_number)))


def _with_letters(value: Any) -> Any:
    if isinstance(value, dict):
        return {_with_letters(key): _with_letters(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_letters(inner) for inner in value]
    return os.fsencode(value).decode(errors="backslashreplace") if isinstance(value, str) else value


def as_json_too(wanted: str | None, *, json: bool) -> str | None:
    """Return the format that --format names, or that --json means; None where neither is given.

    Raises:
        UsageProblem: they name two.
    """
    if json and wanted not in (None, "json"):
        raise UsageProblem(f"--json is --format json, and --format says {wanted}", hint="Give one of them.")
    return "json" if json else wanted


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, cut: str = "", keeps_end: bool = False
) -> None:
    """Print aligned columns; on a terminal one is cut or the last goes on below itself, in a pipe a row is a line."""
    print("\n".join(table(headings, rows, columns=columns_of_terminal(), cut=cut, keeps_end=keeps_end)))
