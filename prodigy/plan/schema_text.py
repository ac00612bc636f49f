"""The language's schema as programs and people read it: JSON Schema for editors, a few lines for a terminal."""

from typing import Any

from prodigy.errors import UsageProblem
from prodigy.plan.reference import suggestion
from prodigy.plan.schema import KEYS, SHAPES, WHERE, Key, Where

_PLACES: dict[str, Where] = {
    "": "workflow",
    "steps": "step",
    "commands": "step",
    "retry": "retry",
    "stages": "stage",
    "on_failure": "on_failure",
}
_TEMPLATE = {"type": "string", "pattern": r"\$\{"}
_WORD = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,99}$"}
_SCALAR = {"type": ["string", "number", "boolean"]}
_DURATION = {"type": "string", "pattern": r"^([0-9.]+h)?([0-9.]+m)?([0-9.]+s?)?$"}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of workflow files."""
    step = _object("step") | {"oneOf": [{"required": ["shell"]}, {"required": ["claude"]}]}
    bodies = [{"required": [name]} for name in ("commands", "steps", "stages")]
    workflow = _object("workflow") | {"oneOf": bodies}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A prodigy workflow",
        "oneOf": [{"$ref": "#/$defs/workflow"}, {"$ref": "#/$defs/steps"}],
        "$defs": {
            "workflow": workflow,
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1},
            "stages": {"type": "array", "items": {"$ref": "#/$defs/stage"}, "minItems": 1},
            "stage": _object("stage") | {"required": ["name"], "oneOf": bodies[:2]},
            "step": step,
            "retry": _object("retry") | {"required": ["attempts"]},
            "on_failure": _object("on_failure") | {"anyOf": [{"required": ["commands"]}, {"required": ["steps"]}]},
        },
    }


def describe(path: str) -> str:
    """Return what the key at `path` (`retry`, `steps.retry`, `steps.retry.backoff`) means, in a few lines.

    Raises:
        UsageProblem: there is no such key; the hint names the nearest.
    """
    *above, name = path.replace("[]", "").split(".")
    place = _PLACES.get(above[-1] if above else "")
    keys = [key for key in KEYS if key.name == name and (place is None or key.where == place)]
    if (above and place is None) or not keys:
        keys = [] if above else [key for key in KEYS if key.name == name]
    if not keys:
        known = tuple(dict.fromkeys(key.name for key in KEYS))
        near = suggestion(name, known, form="`prodigy schema {}`")
        raise UsageProblem(f"there is no key {path!r}", hint=near or f"keys: {', '.join(known)}")
    return "\n\n".join(map(_about, keys))


def _about(key: Key) -> str:
    lines = [f"{key.name}: a key of {WHERE[key.where]}", f"  {key.about}", f"  Takes {SHAPES[key.shape]}."]
    if key.choices:
        lines.append(f"  One of: {', '.join(key.choices)}.")
    if key.minimum is not None or key.maximum is not None:
        lines.append(f"  From {key.minimum:g} to {key.maximum:g}.")
    if key.alias_of:
        lines.append(f"  Another spelling of {key.alias_of}.")
    if not key.is_available:
        lines.append("  Not available in this version yet.")
    inner = [other for other in KEYS if other.where == key.name]
    lines += [f"    {other.name:<15} {other.about}" for other in inner]
    return "\n".join(lines)


def _object(where: Where) -> dict[str, Any]:
    properties = {key.name: _property(key) for key in KEYS if key.where == where and key.is_available}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _property(key: Key) -> dict[str, Any]:
    return _shape(key) | {"description": key.about}


def _shape(key: Key) -> dict[str, Any]:
    bounds = {word: bound for word, bound in (("minimum", key.minimum), ("maximum", key.maximum)) if bound is not None}
    number = {"type": "integer", **bounds}
    match key.shape:
        case "text" | "prose" | "command" | "condition" | "template":
            return dict(_SCALAR)
        case "word":
            return dict(_WORD)
        case "boolean":
            return {"type": "boolean"}
        case "integer":
            return number
        case "count":
            return {"anyOf": [number, _TEMPLATE]}
        case "duration":
            return {"anyOf": [{"type": "number", **bounds}, _DURATION, _TEMPLATE]}
        case "seconds":
            return {"anyOf": [{"type": "number", **bounds}, _DURATION]}
        case "choice":
            return {"enum": list(key.choices)}
        case "reasons":
            reason = {"type": ["integer", "string"]}
            return {"anyOf": [reason, {"type": "array", "items": reason, "minItems": 1}]}
        case "variables":
            return {"type": "object", "propertyNames": _WORD}
        case "environment":
            return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
        case "steps" | "stages":
            return {"$ref": f"#/$defs/{key.shape}"}
        case "retry":
            return {"anyOf": [number, _TEMPLATE, {"$ref": "#/$defs/retry"}]}
        case "handlers":
            return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("step", "steps", "on_failure")]}
