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
    "setup": "phase",
    "reduce": "phase",
    "map": "map",
    "input": "input",
    "agent_template": "agent_template",
    "error_policy": "error_policy",
    "circuit_breaker": "circuit_breaker",
    "claude": "claude",
    "budget": "budget",
}
_TEMPLATE = {"type": "string", "pattern": r"\$\{"}
_WORD = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,99}$"}
_SCALAR = ["string", "number", "boolean"]
_NOT_BLANK = {"type": "string", "pattern": r"\S"}
_AMOUNT = r"[0-9]{1,9}(\.[0-9]{1,9})?"
_DURATION = {"type": "string", "pattern": rf"^(?=[0-9])({_AMOUNT}h)?({_AMOUNT}m)?({_AMOUNT}s?)?$"}
_PERCENT = {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})? ?%$"}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of workflow files."""
    step = _object("step") | {"oneOf": [{"required": ["shell"]}, {"required": ["claude"]}]}
    bodies = [{"required": [name]} for name in ("commands", "steps", "stages")]
    breakers = [{"required": [name]} for name in ("failure_threshold", "failures")]
    modes = {"mode": ["map"], **{word: ["mode"] for word in ("setup", "map", "reduce")}}
    workflow = _object("workflow") | {"oneOf": [*bodies, {"required": ["mode", "map"]}], "dependentRequired": modes}
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
            "on_failure": _object("on_failure") | {"oneOf": bodies[:2]},
            "phase": _object("phase") | {"oneOf": bodies[:2]},
            "map": _object("map") | {"required": ["input", "agent_template"]},
            "input": _object("input") | {"minProperties": 1, "maxProperties": 1},
            "agent_template": _object("agent_template") | {"oneOf": bodies[:2]},
            "error_policy": _object("error_policy"),
            "circuit_breaker": _object("circuit_breaker") | {"oneOf": breakers},
            "claude": _object("claude", but=("prompt",)),
            "asked": _object("claude", but=("idle_timeout",)) | {"required": ["prompt"]},
            "budget": _object("budget"),
        },
    }


def describe(path: str) -> str:
    """Return what the key at `path` (`retry`, `steps.retry`, `steps.retry.backoff`) means, in a few lines.

    Raises:
        UsageProblem: there is no such key; the hint names the nearest.
    """
    return "\n\n".join(map(_about, _found(path)))


def described(path: str) -> list[dict[str, Any]]:
    """Return the same for a program: each key of that name with what its value may be, as JSON Schema.

    Raises:
        UsageProblem: there is no such key; the hint names the nearest.
    """
    return [
        {
            "name": key.name,
            "of": WHERE[key.where],
            "about": key.about,
            "takes": f"{_takes(key)}{_bounds(key)}",
            "alias_of": key.alias_of or None,
            "is_available": True,
            "keys": [other.name for other in _inside(key)],
            "schema": _shape(key),
        }
        for key in _found(path)
    ]


def _found(path: str) -> list[Key]:
    *above, name = path.replace("[]", "").split(".")
    place = _PLACES.get(above[-1]) if above else None
    is_place = place is not None or not above
    keys = [key for key in KEYS if is_place and key.name == name and place in (None, key.where)]
    if not keys:
        known = tuple(dict.fromkeys(key.name for key in KEYS if place in (None, key.where)))
        prefix = "".join(f"{part}." for part in above) if is_place else ""
        near = suggestion(name, known, form=f"`prodigy schema {prefix}{{}}`")
        raise UsageProblem(f"there is no key {path!r}", hint=near or f"keys: {', '.join(known)}")
    return keys


def _about(key: Key) -> str:
    lines = [f"{key.name}: a key of {WHERE[key.where]}", f"  {key.about}", f"  Takes {_takes(key)}{_bounds(key)}."]
    if key.alias_of:
        lines.append(f"  Another spelling of {key.alias_of}.")
    inner = _inside(key)
    width = max((len(other.name) for other in inner), default=0)
    lines += [f"    {other.name:<{width}}  {other.about}" for other in inner]
    return "\n".join(lines)


def _takes(key: Key) -> str:
    return f"one of {', '.join(key.choices)}" if key.choices else SHAPES[key.shape]


def _inside(key: Key) -> list[Key]:
    """Return the keys of the mapping that is the value of a key, where it is one."""
    inside = "phase" if key.shape == "phase" else key.name
    return [other for other in KEYS if other.where == inside]


def _bounds(key: Key) -> str:
    if key.bounds is None:
        return ""
    unit = " seconds" if key.shape in ("duration", "seconds") else ""
    least, most = key.bounds
    return f", from {least:.9g} to {most:.9g}{unit}"


def _object(where: Where, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    keys = [key for key in KEYS if key.where == where and key.name not in but]
    properties = {key.name: _property(key) for key in keys}
    both = [{"required": [key.alias_of, key.name]} for key in keys if key.alias_of]
    one_spelling = {"not": {"anyOf": both}} if both else {}
    return {"type": "object", "additionalProperties": False, "properties": properties, **one_spelling}


def _property(key: Key) -> dict[str, Any]:
    return _shape(key) | {"description": key.about}


def _shape(key: Key) -> dict[str, Any]:
    bounds = dict(zip(("minimum", "maximum"), key.bounds or (), strict=False))
    number = {"type": "integer", **bounds}
    match key.shape:
        case "text":
            return {"type": _SCALAR, "pattern": r"^(?!.*\$\{).*\S.*$"}
        case "prose":
            return {"type": _SCALAR, "pattern": r"^(?![\s\S]*\$\{)[\s\S]*\S"}
        case "command" | "condition":
            return {"type": ["string", "boolean"], "pattern": r"\S"}
        case "template":
            return {"type": _SCALAR, "pattern": r"\S"}
        case "word":
            return dict(_WORD)
        case "boolean":
            return {"type": "boolean"}
        case "integer":
            return number
        case "money":
            return {"type": "number", **bounds}
        case "count":
            return {"anyOf": [number, _TEMPLATE]}
        case "duration":
            return {"anyOf": [{"type": "number", **bounds}, _DURATION, _TEMPLATE]}
        case "seconds":
            return {"anyOf": [{"type": "number", **bounds}, _DURATION]}
        case "choice":
            return {"enum": list(key.choices)}
        case "reasons":
            reason = {"anyOf": [{"type": "integer"}, _NOT_BLANK]}
            return {"anyOf": [reason, {"type": "array", "items": reason, "minItems": 1}]}
        case "variables":
            return {"type": "object", "propertyNames": _WORD}
        case "environment":
            return {"type": "object", "additionalProperties": {"type": [*_SCALAR, "null"]}}
        case "steps" | "stages":
            return {"$ref": f"#/$defs/{key.shape}"}
        case "retry":
            return {"anyOf": [number, _TEMPLATE, {"$ref": "#/$defs/retry"}]}
        case "handlers":
            return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("step", "steps", "on_failure")]}
        case "asked":
            return {"anyOf": [{"type": ["string", "boolean"], "pattern": r"\S"}, {"$ref": "#/$defs/asked"}]}
        case "texts":
            text = {"type": _SCALAR, "pattern": r"\S"}
            return {"anyOf": [text, {"type": "array", "items": text}]}
        case "json_schema":
            return {"type": "object"}
        case "map" | "error_policy" | "circuit_breaker" | "claude" | "budget":
            return {"$ref": f"#/$defs/{key.shape}"}
        case "phase" | "agent_template":
            return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("steps", key.shape)]}
        case "path":
            return dict(_NOT_BLANK)
        case "order":
            return {"anyOf": [_NOT_BLANK, {"type": "array", "items": _NOT_BLANK, "minItems": 1}]}
        case "input":
            return {"anyOf": [_NOT_BLANK, {"type": "array"}, {"$ref": "#/$defs/input"}]}
        case "share":
            return {"anyOf": [{"type": "number", **bounds}, _PERCENT]}
