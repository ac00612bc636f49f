"""`init`: a first workflow to cook and to change."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from prodigy.cli.options import Json
from prodigy.cli.output.answers import print_json
from prodigy.cli.program import program
from prodigy.cli.projects import project_here
from prodigy.errors import UsageProblem
from prodigy.plan.schema_text import json_schema
from prodigy.plan.spelling import shown
from prodigy.store.files import write_atomically
from prodigy.store.layout import is_text, prepare

SCHEMA = ".prodigy/workflow.schema.json"
TEMPLATE = """\
# yaml-language-server: $schema={schema}
name: {name}
description: Count the words of the files here.

variables:
  folder: .

commands:
  - shell: find ${{folder}} -type f -not -path '*/.*' | head -n 100
    id: list
    capture_output: files
    capture_format: lines

  - shell: cat -- ${{files}} | wc -w
    when: length(${{files}}) > 0
    capture_output: words
    checkpoint: true

  - shell: echo "$(basename "$PWD") has ${{words:-no}} words"
    retry: 2
"""


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("workflow.yaml"),
    json: Json = False,
) -> None:
    """Write a first workflow, with the line that gives editors its schema."""
    if not is_text(str(file)):
        raise UsageProblem(f"{str(file)!a} is no UTF-8", hint="Give the workflow another name: `prodigy init FILE`.")
    if file.exists() or file.is_symlink():
        raise UsageProblem(f"{file} exists already", hint="Name another file: `prodigy init FILE`.")
    if not file.absolute().parent.is_dir():
        raise UsageProblem(
            f"there is no folder {file.parent}", hint=f"Make it first: `mkdir -p {shlex.quote(str(file.parent))}`."
        )

    project = project_here()
    prepare(project)
    write_atomically(project.root / SCHEMA, msgspec.json.format(msgspec.json.encode(json_schema()), indent=2))

    schema = shown(os.path.relpath(project.root / SCHEMA, file.resolve().parent))
    file.write_text(TEMPLATE.format(schema=schema, name=file.stem))
    if json:
        print_json({"schema_version": 1, "file": str(file), "schema": schema})
        return
    cook = f"{program()} cook {shlex.quote(str(file))}"
    print(f"wrote {file}\n  look:  {cook} --dry-run\n  cook:  {cook}")
