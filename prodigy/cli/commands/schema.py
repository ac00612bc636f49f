"""`schema`: what may stand in a workflow file, for editors and for people."""

from typing import Annotated

import typer

from prodigy.cli.output.answers import print_json
from prodigy.plan.schema_text import describe, described, json_schema


def schema(
    path: Annotated[
        str | None, typer.Argument(help="A key such as steps.retry, to read about it.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, of a key too.")] = False,
) -> None:
    """Print the JSON Schema of workflow files, or what a key means."""
    if path is None:
        print_json(json_schema())
    elif json:
        print_json({"schema_version": 1, "keys": described(path)})
    else:
        print(describe(path))
