"""JSON Schemas that a workflow asks answers by, as far as it can be said beforehand that one is none."""

from typing import Any

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_SCHEMAS = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_DEPTH_MAX = 50


def fault(schema: Any, path: str = "json_schema", depth: int = 0) -> str | None:
    """Return what makes a value no JSON Schema, with the place, or None where nothing is found."""
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, dict):
        return f"{path} is no schema: a mapping, true or false"
    if depth > _DEPTH_MAX:
        return f"{path} is nested too deeply"
    found = _of_words(schema, path)
    if found:
        return found
    return next((found for place, inner in _within(schema, path) if (found := fault(inner, place, depth + 1))), None)


def _of_words(schema: dict[str, Any], path: str) -> str | None:
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in TYPES:
            return f"{path}.type is {kind!r}, not one of {', '.join(TYPES)}"
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return f"{path}.required takes a list of names"
    if not isinstance(schema.get("enum", []), list):
        return f"{path}.enum takes a list of values"
    for word in _NAMED:
        if not isinstance(schema.get(word, {}), dict):
            return f"{path}.{word} takes a mapping of names to schemas"
    for word in _LISTS:
        if not isinstance(schema.get(word, []), list):
            return f"{path}.{word} takes a list of schemas"
    return None


def _within(schema: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    alone = [(f"{path}.{word}", schema[word]) for word in _SCHEMAS if word in schema]
    listed = [(f"{path}.{word}[{at}]", one) for word in _LISTS for at, one in enumerate(schema.get(word, []))]
    named = [(f"{path}.{word}.{name}", one) for word in _NAMED for name, one in schema.get(word, {}).items()]
    return alone + listed + named
