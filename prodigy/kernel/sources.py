"""What says where the items of a map are, with its values filled in.

A value is data. A list is the items; the text of a value is a name or a part of one, so its `*`, `?` and `[` stand for
themselves, unless `|raw` says that they are a pattern.
"""

import re
from typing import Any, NamedTuple

from prodigy.plan.nodes import Source
from prodigy.plan.pointer import changed
from prodigy.plan.reference import Lookup, Reference, as_text, fill, resolve

_MAGIC = re.compile(r"[*?\[]")


class Asked(NamedTuple):
    """Where items are. `text` is for people and for names; `pattern` is it as a glob, nothing where it is none.

    `data` are the items themselves, or a mapping in which they are.
    """

    text: str
    pattern: str = ""
    data: list[Any] | dict[str, Any] | None = None


def asked_for(source: Source, lookup: Lookup) -> Asked:
    """Return where a source that is no command of its own says that its items are.

    Raises:
        ValueError: a value that is neither a list nor a text.
    """
    if source.kind == "list":
        elements = changed(source.elements, source.filled, lambda _, template: fill(template, lookup))
        return Asked("the list", data=list(elements))
    if source.kind == "auto" and len(source.text) == 1 and isinstance(source.text[0], Reference):
        value = resolve(source.text[0], lookup)
        if isinstance(value, list | dict):
            return Asked(source.text[0].text, data=value)
        if not isinstance(value, str):
            raise ValueError(f"map.input {source.text[0].text} is {_described(value)}, and neither a list nor a text")
    return _named(source, lookup)


def _named(source: Source, lookup: Lookup) -> Asked:
    texts, patterns = list[str](), list[str]()
    is_pattern = source.kind == "glob"
    for piece in source.text:
        text = piece if isinstance(piece, str) else _text_of(piece, lookup)
        is_live = isinstance(piece, str) or "raw" in piece.filters
        is_pattern = is_pattern or (is_live and _MAGIC.search(text) is not None)
        texts.append(text)
        patterns.append(text if is_live else _MAGIC.sub(r"[\g<0>]", text))
    return Asked("".join(texts), "".join(patterns) if is_pattern else "")


def _text_of(reference: Reference, lookup: Lookup) -> str:
    value = resolve(reference, lookup)
    if isinstance(value, list | dict):
        raise ValueError(
            f"{reference.text} is {_described(value)}, and map.input wants a name there; "
            "`input: ${name}` alone takes the elements of a list"
        )
    return as_text(value)


def _described(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else "null" if value is None else as_text(value)
