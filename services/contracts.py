"""What a change of an event may not do: break a reader that is deployed already, or an event that is under way already."""

from typing import Any

Schema = dict[str, Any]
PROSE = frozenset({"title", "description", "examples"})


def breaking(old: Schema, new: Schema, defs_old: Schema, defs_new: Schema, path: str = "") -> list[str]:
    """Name every way in which the schema `new` breaks `old`; an optional field more is the only change that breaks nothing.

    `defs_*` are the schemas that `$ref` points to, by name. Whoever needs another change writes a new type (`….v2`).
    """
    old, new = _resolved(old, defs_old), _resolved(new, defs_new)
    where = path or "the event"
    if old.get("type") == new.get("type") == "object" and "properties" in old:
        return _breaking_fields(old, new, defs_old, defs_new, path)
    if old.get("type") == new.get("type") == "array":
        return breaking(old.get("items", {}), new.get("items", {}), defs_old, defs_new, f"{path}[]")
    if "anyOf" in old and len(old["anyOf"]) == len(new.get("anyOf", [])):
        pairs = zip(old["anyOf"], new["anyOf"], strict=True)
        return [problem for a, b in pairs for problem in breaking(a, b, defs_old, defs_new, path)]
    return [] if old == new else [f"{where}: {_short(old)} became {_short(new)}"]


def _breaking_fields(old: Schema, new: Schema, defs_old: Schema, defs_new: Schema, path: str) -> list[str]:
    before, after = old["properties"], new.get("properties", {})
    must_before, must_after = set(old.get("required", [])), set(new.get("required", []))
    found = []
    for name, schema in before.items():
        place = f"{path}.{name}" if path else name
        if name not in after:
            found.append(f"{place}: was removed")
            continue
        pair = (schema, after[name])
        if (name in must_before) != (name in must_after):
            found.append(f"{place}: {'became optional' if name in must_before else 'became required'}")
            pair = (_without_default(schema), _without_default(after[name]))
        found += breaking(*pair, defs_old, defs_new, place)
    new_and_required = sorted(must_after - set(before))
    return found + [f"{path}.{name}".lstrip(".") + ": is new and required" for name in new_and_required]


def _without_default(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name != "default"}


def _resolved(schema: Schema, defs: Schema) -> Schema:
    """The schema itself, without a `$ref` in front and without prose."""
    if "$ref" in schema:
        return _resolved(defs[schema["$ref"].rsplit("/", 1)[-1]], defs)
    return {name: value for name, value in schema.items() if name not in PROSE}


def _short(schema: Schema) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(schema.items())) or "anything"
