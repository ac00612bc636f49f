"""Sentences for people, on stdout or beside the answer on stderr. A terminal gets them folded, a pipe line by line."""

import sys

from prodigy.cli.output.columns import beside, columns_of_terminal, prose, with_command


def print_prose(text: str, *, indent: str = "", more: str | None = None) -> None:
    """Print sentences to stdout; see `prose`."""
    print("\n".join(prose(text, columns_of_terminal(), indent=indent, more=more)))


def print_beside(label: str, text: str) -> None:
    """Print sentences to stdout beside a label; see `beside`."""
    print("\n".join(beside(label, text, columns_of_terminal())))


def print_with_command(why: str, command: str) -> None:
    """Print to stdout why a command should be typed, and the command; see `with_command`."""
    print("\n".join(with_command(why, command, columns_of_terminal())))


def tell(text: str, *, more: str | None = None) -> None:
    """Print sentences to stderr: errors, hints and notes; see `prose`."""
    print("\n".join(prose(text, columns_of_terminal(sys.stderr), more=more)), file=sys.stderr)


def tell_beside(label: str, text: str) -> None:
    """Print sentences to stderr beside a label; see `beside`."""
    print("\n".join(beside(label, text, columns_of_terminal(sys.stderr))), file=sys.stderr)


def tell_with_command(why: str, command: str) -> None:
    """Print to stderr why a command should be typed, and the command; see `with_command`."""
    print("\n".join(with_command(why, command, columns_of_terminal(sys.stderr))), file=sys.stderr)
