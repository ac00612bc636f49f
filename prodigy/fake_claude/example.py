"""The least value that a JSON Schema lets pass, as far as its common words go."""

from typing import Any

_LEAST = {"array": [], "boolean": False, "integer": 0, "null": None, "number": 0, "string": ""}


def example_of(schema: Any) -> Any:
    """Return a value of the schema's form; for words that it does not know, one that may not pass."""
    if not isinstance(schema, dict):
        return {}
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return example_of(schema[word][0])
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example_of(value) for name, value in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema.get("items", {}))] * int(schema.get("minItems", 0))
    if kind == "string":
        return "x" * int(schema.get("minLength", 0))
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return _LEAST.get(str(kind))
