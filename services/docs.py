"""The event catalogue for people (docs/events.md) and for tools (docs/asyncapi.yaml), and the fields of an operator's files
(docs/campos.md), all written from the code.

`python -m services.docs` writes them, and refuses to if a change would break a reader; `fresh()` tells whether they are up to date.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import models_json_schema

from services.contracts import Schema, breaking
from services.fields import fields_page
from services.wiring import SERVICES
from shared.events import CATALOGUE, Event

DOCS = Path(__file__).parent.parent / "docs"
ASYNCAPI, EVENTS, FIELDS = DOCS / "asyncapi.yaml", DOCS / "events.md", DOCS / "campos.md"
COMMAND = "python -m services.docs"
Reactions = Mapping[str, frozenset[str]]  # service → the wire types that it reacts to

HEADERS: Schema = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_sequence", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The event's identity; a second copy has the same."},
        "ce_type": {"type": "string", "description": "The event's type with its version."},
        "ce_source": {"type": "string", "description": "The service that tells it."},
        "ce_subject": {"type": "string", "description": "The aggregate, such as invoice/<id>."},
        "ce_sequence": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "The aggregate's version after the change."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it happened, in business time, UTC."},
        "content-type": {"const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C trace context, where there was one."},
    },
}

INTRODUCTION = """\
# Events

Written by `{command}` from `shared/events/`; a change by hand does not stay. The same for tools: `asyncapi.yaml`.

Every event is a JSON object in the topic `<service>.events`, with the CloudEvents 1.0 attributes in Kafka headers (`ce_id`, `ce_type`,
`ce_source`, `ce_subject` the aggregate, `ce_sequence` its version, `ce_time`, `traceparent`). The message key is the customer's id unless
said otherwise: events of one key **from one sender** come in order; between senders there is none. An event may come twice: its `ce_id` is
the same then. Amounts are decimal strings, instants are RFC 3339 in UTC, days are the operator's.

A field may be added to a type if it is optional, and nothing else may change: whatever more is needed is a new type (`….v2`), sent beside
the old one until nobody reads that any more. Readers ignore fields that they do not know.
"""


def reactions() -> Reactions:
    """Who reacts to what, as the services are wired."""
    return {service.name: service.events.types for service in SERVICES}


def _sender(wire_type: str) -> str:
    return wire_type.split(".", 1)[0]


def _prose(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())


def _schemas() -> dict[str, Schema]:
    """The JSON Schema of every event class and of the parts that they share, by class name."""
    inputs = [(cls, "serialization") for cls in CATALOGUE.values()]
    _, found = models_json_schema(inputs, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Schema] = found["$defs"]
    return {name: _without_titles(schemas[name]) for name in sorted(schemas)}


def _without_titles(schema: Any) -> Any:
    """Pydantic's titles only repeat the names."""
    if isinstance(schema, dict):
        return {k: _without_titles(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    return [_without_titles(each) for each in schema] if isinstance(schema, list) else schema


def _ref(*parts: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(parts)}


def asyncapi(reacts: Reactions) -> dict[str, Any]:
    """The AsyncAPI 3.0 document: a channel per sender, a message per type, what each service sends and receives."""
    senders = sorted({_sender(wire_type) for wire_type in CATALOGUE})
    channels = {
        f"{sender}.events": {
            "address": f"{sender}.events",
            "description": f"What {sender} tells.",
            "messages": {t: _ref("components", "messages", t) for t in CATALOGUE if _sender(t) == sender},
            "bindings": {"kafka": {"topic": f"{sender}.events", "bindingVersion": "0.5.0"}},
        }
        for sender in senders
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Reconecta events", "version": "1", "description": "Every fact that Reconecta's services tell each other."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": _operations(senders, reacts),
        "components": {
            "messages": {t: _message(t, cls) for t, cls in CATALOGUE.items()},
            "messageTraits": {"event": {"headers": HEADERS, "contentType": "application/json"}},
            "schemas": _schemas(),
        },
    }


def _operations(senders: list[str], reacts: Reactions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for sender in senders:
        types = [t for t in CATALOGUE if _sender(t) == sender]
        found[f"{sender}.sends"] = _operation("send", sender, types)
        for receiver in sorted(reacts):
            if heard := [t for t in types if t in reacts[receiver]]:
                found[f"{receiver}.hears.{sender}"] = _operation("receive", sender, heard)
    return found


def _operation(action: str, sender: str, types: list[str]) -> dict[str, Any]:
    channel = f"{sender}.events"
    return {
        "action": action,
        "channel": _ref("channels", channel),
        "messages": [_ref("channels", channel, "messages", wire_type) for wire_type in types],
    }


def _message(wire_type: str, cls: type[Event]) -> dict[str, Any]:
    return {
        "name": wire_type,
        "title": cls.__name__,
        "summary": _prose(cls),
        "traits": [_ref("components", "messageTraits", "event")],
        "payload": _ref("components", "schemas", cls.__name__),
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def events_page(reacts: Reactions) -> str:
    """docs/events.md: a table per sender, then every event with its fields."""
    schemas = _schemas()
    parts = [INTRODUCTION.format(command=COMMAND)]
    for sender in dict.fromkeys(_sender(t) for t in CATALOGUE):
        types = {t: cls for t, cls in CATALOGUE.items() if _sender(t) == sender}
        told = " ".join((sys.modules[f"shared.events.{sender}"].__doc__ or "").split())
        parts.append(f"## {sender}\n\n{told}\n\n| event | what it tells | who reacts |\n| --- | --- | --- |")
        parts[-1] += "".join(f"\n| [`{t}`](#{cls.__name__.lower()}) | {_prose(cls)} | {_heard(t, reacts)} |" for t, cls in types.items())
        parts += [_section(t, cls, schemas) for t, cls in types.items()]
    events = {cls.__name__ for cls in CATALOGUE.values()}
    parts.append("## Parts\n\nWhat events are made of.")
    parts += [
        f"### {name}\n\n{schema.get('description', '')}\n\n{_fields(schema)}" for name, schema in schemas.items() if name not in events
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _heard(wire_type: str, reacts: Reactions) -> str:
    return ", ".join(sorted(name for name, types in reacts.items() if wire_type in types)) or "–"


def _section(wire_type: str, cls: type[Event], schemas: Mapping[str, Schema]) -> str:
    return f"### {cls.__name__}\n\n`{wire_type}`: {_prose(cls)}\n\n{_fields(schemas[cls.__name__])}"


def _fields(schema: Schema) -> str:
    required = schema.get("required", [])
    lines = [f"| `{name}` | {_kind(field)} | {'' if name in required else 'optional'} |" for name, field in schema["properties"].items()]
    return "\n".join(["| field | type | |", "| --- | --- | --- |", *lines])


def _kind(field: Schema) -> str:
    """A field's type in a few words."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_kind(each) for each in field["anyOf"])
    if "enum" in field:
        return " · ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    return str(field.get("format") or field.get("type", "anything"))


def broken_contracts(committed: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What today's classes would break of the committed AsyncAPI document, a line each."""
    old_schemas, new_schemas = committed["components"]["schemas"], current["components"]["schemas"]
    found = []
    for wire_type, message in committed["components"]["messages"].items():
        new_message = current["components"]["messages"].get(wire_type)
        if new_message is None:
            found.append(f"{wire_type}: was removed")
            continue
        found += [f"{wire_type}: {each}" for each in breaking(message["payload"], new_message["payload"], old_schemas, new_schemas)]
    return found


def _render() -> dict[Path, str]:
    reacts = reactions()
    document = yaml.safe_dump(asyncapi(reacts), sort_keys=False, allow_unicode=True, width=140)
    written = f"# Written by `{COMMAND}` from shared/events/.\n{document}"
    return {ASYNCAPI: written, EVENTS: events_page(reacts), FIELDS: fields_page(COMMAND)}


def fresh() -> list[str]:
    """What is wrong with the committed documents: contracts that the code would break, and pages that lag behind it."""
    if not ASYNCAPI.exists():
        return [f"{ASYNCAPI.name} is missing: run `{COMMAND}`"]
    problems = [f"breaking change of {each}" for each in broken_contracts(yaml.safe_load(ASYNCAPI.read_text()), asyncapi(reactions()))]
    stale = [path for path, text in _render().items() if not path.exists() or path.read_text() != text]
    return problems or [f"docs/{path.name} is not up to date: run `{COMMAND}`" for path in stale]


def main(arguments: Sequence[str]) -> None:
    """Write the documents, unless that would hide a breaking change; with `check` only say whether they are up to date."""
    if list(arguments) == ["check"]:
        sys.exit("\n".join(fresh()) or 0)
    if ASYNCAPI.exists():
        problems = broken_contracts(yaml.safe_load(ASYNCAPI.read_text()), asyncapi(reactions()))
        if problems:
            sys.exit("\n".join(["Refused: readers of these events would break; write a new type instead.", *problems]))
    for path, text in _render().items():
        path.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
