"""JSON Schemas that a workflow asks answers by, as far as it can be said beforehand that one is none."""

from typing import Any

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_SCHEMAS = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_BOUNDS = ("maximum", "maxItems", "maxLength", "minimum", "minItems", "minLength")
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
    for word in _BOUNDS:
        if not _is_of(schema.get(word, 0), "number"):
            return f"{path}.{word} takes a number"
    for word in _LISTS:
        if not isinstance(schema.get(word, []), list):
            return f"{path}.{word} takes a list of schemas"
    return None


def _within(schema: dict[str, Any], path: str) -> list[tuple[str, Any]]:
    alone = [(f"{path}.{word}", schema[word]) for word in _SCHEMAS if word in schema]
    listed = [(f"{path}.{word}[{at}]", one) for word in _LISTS for at, one in enumerate(schema.get(word, []))]
    named = [(f"{path}.{word}.{name}", one) for word in _NAMED for name, one in schema.get(word, {}).items()]
    return alone + listed + named


def mismatch(value: Any, schema: Any, path: str = "") -> str | None:
    """Return what a value has otherwise than a schema asks, with the place, or None where nothing is found.

    Words that are not looked at (`$ref`, `pattern`, `format` …) let everything pass: whoever made the value has them.
    """
    where = path or "it"
    if not isinstance(schema, dict):
        return f"{where} should not be there" if schema is False else None
    kinds = schema.get("type", TYPES)
    if not any(_is_of(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return f"{where} is not of type {kinds if isinstance(kinds, str) else ' or '.join(kinds)}"
    if "enum" in schema and not any(_is_same(value, one) for one in schema["enum"]):
        return f"{where} is not one of the values that enum has"
    if "const" in schema and not _is_same(value, schema["const"]):
        return f"{where} is not the value that const has"
    return _out_of_bounds(value, schema, where) or _inner_mismatch(value, schema, path)


def _is_same(a: Any, b: Any) -> bool:
    """Whether two values are one in JSON, where true is not 1."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_is_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_is_same(a[name], b[name]) for name in a)
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _is_of(value: Any, kind: str) -> bool:
    match kind:
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value % 1 == 0)
            )
        case "number":
            return not isinstance(value, bool) and isinstance(value, int | float)
        case "null":
            return value is None
    return isinstance(value, {"array": list, "boolean": bool, "object": dict, "string": str}[kind])


def _out_of_bounds(value: Any, schema: dict[str, Any], where: str) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            return f"{where} is less than {schema['minimum']}"
        if value > schema.get("maximum", value):
            return f"{where} is more than {schema['maximum']}"
    for kind, least, most in ((str, "minLength", "maxLength"), (list, "minItems", "maxItems")):
        if isinstance(value, kind) and not schema.get(least, 0) <= len(value) <= schema.get(most, len(value)):
            return f"{where} is shorter or longer than {least} and {most} allow"
    return None


def _inner_mismatch(value: Any, schema: dict[str, Any], path: str) -> str | None:
    if isinstance(value, dict):
        named, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        missing = next((name for name in schema.get("required", []) if name not in value), None)
        if missing is not None:
            return f"{path or 'it'} has no {missing!r}"
        patterns = schema.get("patternProperties")
        for name, inner in value.items():
            rule = named.get(name, True if patterns else other)
            if found := mismatch(inner, rule, f"{path}.{name}" if path else str(name)):
                return found
    if isinstance(value, list) and "prefixItems" not in schema:
        for at, inner in enumerate(value):
            if found := mismatch(inner, schema.get("items", True), f"{path}[{at}]"):
                return found
    return next((found for one in schema.get("allOf", []) if (found := mismatch(value, one, path))), None)
