"""The fields of an operator's policies, procedures and notices for people (docs/campos.md), written from the models that read them."""

from collections.abc import Iterator
from typing import Any

from shared.operator.base import Document
from shared.operator.notices import Notice
from shared.operator.policies import Policy
from shared.operator.procedures import Procedure

Schema = dict[str, Any]
DOCUMENTS: dict[str, type[Document]] = {"Política": Policy, "Procedimiento": Procedure, "Aviso": Notice}
TYPES = {"integer": "número entero", "number": "número", "string": "texto", "boolean": "`true` o `false`", "object": "nombres con su valor"}
FORMATS = {"time": 'hora, `"09:00"`', "duration": "duración, `PT24H` o `P10D`", "date": "fecha"}
INTRODUCTION = """\
# Los campos

Escrito por `{command}` desde el código; lo que se cambie a mano no queda. Qué hace cada campo, con ejemplos:
[políticas](escribir-una-politica.md), [procedimientos](escribir-un-procedimiento.md) y [avisos](escribir-un-aviso.md).
Los mismos, para editores: la carpeta `schemas`.
"""


def fields_page(command: str) -> str:
    """docs/campos.md: a table per kind of document, and one per part of it."""
    parts = [INTRODUCTION.format(command=command).strip()]
    for title, model in DOCUMENTS.items():
        schema = model.model_json_schema(by_alias=True)
        known = schema.get("$defs", {})
        parts.append(f"## {title}\n\n{_table(title, schema)}")
        parts += [f"### {title}: {name}\n\n{_table(title, known[name])}" for name in sorted(known) if "properties" in known[name]]
    return "\n\n".join(parts) + "\n"


def _table(title: str, schema: Schema) -> str:
    required = schema.get("required", [])
    lines = ["| campo | qué se escribe | |", "| --- | --- | --- |"]
    for name, field in schema["properties"].items():
        lines.append(f"| `{name}` | {_kind(title, field)} | {'obligatorio' if name in required else _default(field)} |")
    return "\n".join(lines)


def _default(field: Schema) -> str:
    value = field.get("default")
    if value in (None, [], {}, ""):
        return ""
    return f"si no: `{str(value).lower() if isinstance(value, bool) else value}`"


def _kind(title: str, field: Schema) -> str:
    """What may be written there, in a few words."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{title.lower()}-{name.lower()})"
    if {each.get("type") for each in field.get("anyOf", [])} - {"null"} == {"number", "string"}:
        return 'importe, `"2.00"`'
    if "anyOf" in field:
        passed = {"null", "boolean"} if any(each.get("type") == "string" for each in field["anyOf"]) else {"null"}  # true is a word, too
        return " o ".join(dict.fromkeys(_kind(title, each) for each in field["anyOf"] if each.get("type") not in passed))
    if "enum" in field or "const" in field:
        return " · ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"lista de {_kind(title, field['items'])}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        names = f" ({_kind(title, field['propertyNames'])})" if "enum" in field.get("propertyNames", {}) else ""
        return f"por nombre{names}: {_kind(title, field['additionalProperties'])}"
    plain = FORMATS.get(str(field.get("format"))) or TYPES.get(str(field.get("type")), "valor")
    return " ".join([plain, *_bounds(field)])


def _bounds(field: Schema) -> Iterator[str]:
    if "minimum" in field and "maximum" in field:
        yield f"de {field['minimum']} a {field['maximum']}"
    elif "minimum" in field:
        yield f"desde {field['minimum']}"
