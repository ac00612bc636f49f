"""The keys of the language, each with what it takes: a text file that a person has read.

Whoever adds or changes a key sees it here once more. `pytest --rewrite` writes the file anew; read the difference.
"""

from pathlib import Path

from prodigy.plan.schema import KEYS, Key

GOLDEN = Path(__file__).with_name("keys.txt")


def told(key: Key) -> str:
    """Return a key in one line."""
    bounds = "{:.9g} to {:.9g}".format(*key.bounds) if key.bounds else ""
    choices = "|".join((*key.choices, *(f"({word})" for word in key.later_choices)))
    alias = f"as {key.alias_of}" if key.alias_of else ""
    takes = " ".join(part for part in (key.shape, bounds, choices, alias) if part)
    return f"{key.where}.{key.name}: {takes} -- {key.about}"


def test_every_key_takes_what_was_read(rewrites: bool) -> None:
    """Its shape, its bounds, its words and its other spelling."""
    said = "".join(f"{told(key)}\n" for key in KEYS)
    if rewrites:
        GOLDEN.write_text(said)
    assert said == GOLDEN.read_text()
