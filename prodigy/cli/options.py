"""Arguments and options that several commands take, each with what help says of it."""

from typing import Annotated

import typer

from prodigy.errors import UsageProblem
from prodigy.store.layout import is_text

RunReference = Annotated[str, typer.Argument(help="The run: its id, its workflow's name, or the beginning of an id.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
JsonSummary = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")]
MaxRetries = Annotated[
    int | None,
    typer.Option("--max-retries", min=0, max=1000, help="Replace every retry count until the next resume."),
]
MaxParallel = Annotated[
    int | None,
    typer.Option("--max-parallel", min=1, max=1000, help="How many items at once, until the next resume."),
]
AcceptChanges = Annotated[
    bool, typer.Option("--accept-changes", help="Let the results of steps that were edited stand.")
]
Trust = Annotated[bool, typer.Option("--trust", help="Take a run that this machine does not know.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question, later ones too.")]


def parameters(texts: list[str], *, option: str = "--param") -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping; values are text, never expanded."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageProblem(f"{option} {text!a} is not NAME=VALUE", hint=f"For example: {option} batch_size=500")
        if not is_text(text):
            raise UsageProblem(f"{option} {text!a} is no UTF-8", hint="Put such bytes into a file, and give its name.")
        if name in found:
            raise UsageProblem(f"{option} {name} is given twice")
        found[name] = value
    return found
